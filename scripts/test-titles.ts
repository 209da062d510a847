/**
 * The titles of a test file, read by syntax: what stands in a comment, in another string, or is a piece of a title is none.
 *
 * A call counts when its function comes from `node:test` (`test`, `it`, `describe`, `suite`, also `.only`) or is the `test` of
 * such a test's context; `.skip`, `.todo` and the options `skip: true` and `todo: true` prove nothing. A title is
 *
 * - a string, or a template whose values are known from the source (constants, and rows of a `for … of` over a table that
 *   is written in the file): then each row gives one title;
 * - a template as it stands in the source, `the line of ${what} is named`: all of its rows, and the only name of a
 *   title whose values come from somewhere else.
 */
import { parseSync } from "@swc/core";

/** The titles of a test or suite and of the suites and tests around it, outermost first. */
export type TitlePath = readonly string[];

type Node = Readonly<Record<string, unknown>> & { readonly type: string };
/** Known values of names. swc gives each binding a context of its own, so that name and context are one variable. */
type Values = ReadonlyMap<string, Node>;

const testFunctions: ReadonlySet<unknown> = new Set(["test", "it", "describe", "suite"]);
const wrappers: ReadonlySet<string> = new Set([
  "TsAsExpression",
  "TsConstAssertion",
  "TsSatisfiesExpression",
  "TsNonNullExpression",
  "ParenthesisExpression",
]);

/** @throws when the source is no TypeScript */
export function testTitles(source: string): TitlePath[] {
  return new TitleReader(source).read();
}

/** @param named a title, or the titles of suites and the title in them; the suites further out need no mention */
export function hasTitle(titles: readonly TitlePath[], named: TitlePath): boolean {
  return titles.some(
    (path) => named.length > 0 && named.every((title, at) => path[path.length - named.length + at] === title),
  );
}

/** What the titles look like that a title in a source stands for: itself, or the rows of a template. */
export function titlePattern(title: string): RegExp {
  const parts = title.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`);
}

class TitleReader {
  /** swc counts bytes, from a start of its own. */
  readonly #bytes: Buffer;
  readonly #module: Node;
  readonly #start: number;
  /** Variables that hold a function of `node:test`, or the context of a test. */
  readonly #functions = new Set<string>();
  readonly #contexts = new Set<string>();
  readonly #found = new Map<string, TitlePath>();

  constructor(source: string) {
    // Spans begin at the first token: an empty statement makes that the beginning of the file.
    this.#bytes = Buffer.from(`;${source}`);
    this.#module = parseSync(this.#bytes.toString(), { syntax: "typescript", target: "es2022" }) as unknown as Node;
    this.#start = spanOf(this.#module).start;
  }

  read(): TitlePath[] {
    const body = this.#module["body"] as readonly Node[];
    for (const statement of body) if (statement.type === "ImportDeclaration") this.#readImport(statement);
    this.#walk(body, new Map(constants(body)), []);
    return [...this.#found.values()];
  }

  #readImport(declaration: Node): void {
    if ((declaration["source"] as Node)["value"] !== "node:test") return;
    for (const specifier of declaration["specifiers"] as readonly Node[]) {
      const { imported, local } = specifier as unknown as { imported?: Node | null; local: Node };
      if (testFunctions.has((imported ?? local)["value"])) this.#functions.add(variable(local));
    }
  }

  #walk(node: unknown, values: Values, path: TitlePath): void {
    if (Array.isArray(node)) {
      for (const item of node) this.#walk(item, values, path);
    } else if (isNode(node)) {
      if (node.type === "ForOfStatement") {
        for (const row of loopRows(node, values)) this.#walk(node["body"], new Map([...values, ...row]), path);
      } else if (node.type === "CallExpression" && this.#isTest(node["callee"] as Node)) {
        this.#readTest(node, values, path);
      } else {
        // Also where a key holds a plain object without a type, as the arguments of a call do.
        const inner = node.type === "BlockStatement" ? new Map([...values, ...constants(node["stmts"])]) : values;
        for (const value of Object.values(node)) this.#walk(value, inner, path);
      }
    } else if (typeof node === "object" && node !== null) {
      for (const value of Object.values(node)) this.#walk(value, values, path);
    }
  }

  #isTest(callee: Node): boolean {
    if (callee.type === "Identifier") return this.#functions.has(variable(callee));
    if (callee.type !== "MemberExpression") return false;
    const [object, name] = [callee["object"] as Node, (callee["property"] as Node)["value"]];
    if (object.type !== "Identifier") return false;
    return this.#functions.has(variable(object))
      ? name === "only"
      : this.#contexts.has(variable(object)) && name === "test";
  }

  #readTest(call: Node, values: Values, path: TitlePath): void {
    const [title, ...rest] = (call["arguments"] as readonly { expression: Node }[]).map(({ expression }) => expression);
    if (title === undefined || rest.some(isSkipped)) return;
    const text = textOf(title, values);
    const template = title.type === "TemplateLiteral" ? this.#sourceOf(title).slice(1, -1) : undefined;
    for (const name of new Set([text, template])) if (name !== undefined) this.#add([...path, name]);
    const known = text ?? template;
    for (const argument of rest) {
      this.#noteContext(argument);
      // Without a title of its own it cannot be named, but what is in it can.
      this.#walk(argument, values, known === undefined ? path : [...path, known]);
    }
  }

  #add(path: TitlePath): void {
    this.#found.set(JSON.stringify(path), path);
  }

  #noteContext({ params }: Node): void {
    if (!Array.isArray(params)) return;
    const [first] = params as readonly Node[];
    const pattern = first?.type === "Parameter" ? (first["pat"] as Node) : first;
    if (pattern?.type === "Identifier") this.#contexts.add(variable(pattern));
  }

  #sourceOf(node: Node): string {
    const { start, end } = spanOf(node);
    return this.#bytes.subarray(start - this.#start, end - this.#start).toString();
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

function spanOf(node: Node): { start: number; end: number } {
  return node["span"] as { start: number; end: number };
}

function variable(identifier: Node): string {
  return `${String(identifier["value"])}#${String(identifier["ctxt"])}`;
}

/** The values of the `const`s among some statements. */
function constants(statements: unknown): [string, Node][] {
  return (statements as readonly Node[]).flatMap((statement) => {
    const declaration = statement.type === "ExportDeclaration" ? (statement["declaration"] as Node) : statement;
    if (declaration.type !== "VariableDeclaration" || declaration["kind"] !== "const") return [];
    return (declaration["declarations"] as readonly Node[]).flatMap(({ id, init }): [string, Node][] =>
      isNode(id) && id.type === "Identifier" && isNode(init) ? [[variable(id), init]] : [],
    );
  });
}

/** What the variables of a `for … of` are in each of its rounds; one round with nothing known where the table is not written out. */
function loopRows(loop: Node, values: Values): [string, Node][][] {
  const table = resolve(loop["right"] as Node, values);
  const [declarator] = ((loop["left"] as Node)["declarations"] ?? []) as readonly Node[];
  if (table?.type !== "ArrayExpression" || declarator === undefined) return [[]];
  const rows = (table["elements"] as readonly ({ spread: unknown; expression: Node } | null)[]).map((element) =>
    element === null || element.spread !== null ? [] : bind(declarator["id"] as Node, element.expression, values),
  );
  return rows.length === 0 ? [[]] : rows;
}

/** The variables of a pattern, as far as the value says what they are. */
function bind(pattern: Node, value: Node, values: Values): [string, Node][] {
  if (pattern.type === "Identifier") return [[variable(pattern), value]];
  if (pattern.type === "ArrayPattern") {
    return (pattern["elements"] as readonly (Node | null)[]).flatMap((element, at) => {
      const item = element === null ? undefined : member(value, at, values);
      return element === null || item === undefined ? [] : bind(element, item, values);
    });
  }
  if (pattern.type !== "ObjectPattern") return [];
  return (pattern["properties"] as readonly Node[]).flatMap((property) => {
    const key = property["key"] as Node;
    const item = member(value, key["value"], values);
    if (item === undefined) return [];
    if (property.type === "KeyValuePatternProperty") return bind(property["value"] as Node, item, values);
    return [[variable(key), item]]; // `{ title }`, or `{ title = "none" }` where the row has one
  });
}

/** The expression behind a name, a cast or a member of a literal; undefined where the source does not say. */
function resolve(node: Node, values: Values): Node | undefined {
  if (wrappers.has(node.type)) return resolve(node["expression"] as Node, values);
  if (node.type === "Identifier") {
    const value = values.get(variable(node));
    return value === undefined ? undefined : resolve(value, values);
  }
  if (node.type !== "MemberExpression") return node;
  const property = node["property"] as Node;
  const key = property.type === "Computed" ? (property["expression"] as Node)["value"] : property["value"];
  const item = member(node["object"] as Node, key, values);
  return item === undefined ? undefined : resolve(item, values);
}

function member(object: Node, key: unknown, values: Values): Node | undefined {
  const literal = resolve(object, values);
  if (literal?.type === "ArrayExpression") {
    const elements = literal["elements"] as readonly ({ spread: unknown; expression: Node } | null)[];
    const isPlain = elements.every((element) => element !== null && element.spread === null);
    return isPlain && typeof key === "number" ? elements[key]?.expression : undefined;
  }
  if (literal?.type !== "ObjectExpression") return undefined;
  const properties = literal["properties"] as readonly Node[];
  // A spread may bring the same key, and a computed key may be it.
  if (!properties.every(({ key: own }) => isNode(own) && own.type !== "Computed")) return undefined;
  const property = properties.find((candidate) => (candidate["key"] as Node)["value"] === key);
  return property?.type === "KeyValueProperty" ? (property["value"] as Node) : undefined;
}

/** A title as the test runner prints it; undefined where the source does not say. */
function textOf(node: Node, values: Values): string | undefined {
  const found = resolve(node, values);
  switch (found?.type) {
    case "StringLiteral":
    case "NumericLiteral":
    case "BooleanLiteral":
      return String(found["value"]);
    case "TemplateLiteral": {
      const fixed = (found["quasis"] as readonly { cooked: string }[]).map(({ cooked }) => cooked);
      const parts = (found["expressions"] as readonly Node[]).map((expression) => textOf(expression, values));
      if (parts.includes(undefined)) return undefined;
      return fixed.map((text, at) => text + (parts[at] ?? "")).join("");
    }
    case "BinaryExpression": {
      const [left, right] = [textOf(found["left"] as Node, values), textOf(found["right"] as Node, values)];
      return found["operator"] === "+" && left !== undefined && right !== undefined ? left + right : undefined;
    }
    default:
      return undefined;
  }
}

/** `{ skip: true }` or `{ todo: "later" }`; a condition, which may let the test run, is not. */
function isSkipped(options: Node): boolean {
  if (options.type !== "ObjectExpression") return false;
  return (options["properties"] as readonly Node[]).some(({ key, value }) => {
    if (!isNode(key) || !isNode(value) || (key["value"] !== "skip" && key["value"] !== "todo")) return false;
    return value.type === "StringLiteral"
      ? value["value"] !== ""
      : value.type === "BooleanLiteral" && value["value"] === true;
  });
}
