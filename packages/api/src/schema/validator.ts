import { findingCodes } from "../finding-codes.ts";
import type { FindingCode } from "../finding-codes.ts";
import type { PlainValue } from "../yaml/plain-value.ts";
import { describePath } from "./check.ts";
import type { Path } from "./check.ts";
import type { Field, ListSchema, MapSchema, NumberSchema, ObjectSchema, Schema, TextSchema } from "./field-table.ts";
import { nearestName } from "./nearest-name.ts";
import type { TextFormat } from "./text-format.ts";

export interface SchemaProblem {
  readonly code: FindingCode;
  readonly path: Path;
  readonly message: string;
  readonly hint?: string;
}

/** Absent from the result: the value was wrong and has been reported. */
const invalid = Symbol("invalid");
type Outcome = unknown;

/**
 * Holds a value against a table. Every deviation is reported, not only the first; the value that comes back is complete and
 * normalised when there is no error among the problems, and must not be used otherwise.
 */
export class Validator {
  readonly problems: SchemaProblem[] = [];
  readonly #root: ObjectSchema;
  readonly #namespace: string;

  constructor(root: ObjectSchema, namespace: string) {
    this.#root = root;
    this.#namespace = namespace;
  }

  /** `at`: where the value stands in its document. Undefined when anything was reported by a table (rules may still warn). */
  validate(value: PlainValue, at: Path): unknown {
    const outcome = this.#object(this.#root, value, at);
    return outcome === invalid ? undefined : outcome;
  }

  /** Whether what was validated must be rejected. */
  get hasErrors(): boolean {
    return this.problems.some((problem) => findingCodes[problem.code].severity === "error");
  }

  #value(schema: Schema, value: PlainValue, path: Path): Outcome {
    switch (schema.type) {
      case "text":
        return this.#text(schema, value, path);
      case "number":
        return this.#number(schema, value, path);
      case "boolean":
        return this.#boolean(value, path);
      case "list":
        return this.#list(schema, value, path);
      case "map":
        return this.#map(schema, value, path);
      case "object":
        return this.#object(schema, value, path);
      case "opaque":
        return value;
    }
  }

  #text(schema: TextSchema, value: PlainValue, path: Path): Outcome {
    if (typeof value !== "string") {
      return this.#wrongType("text", value, path, describeQuoting(schema, value));
    }
    if (schema.values !== undefined) return this.#word(schema, schema.values, value, path);
    if (value === "" && (schema.minLength ?? 1) > 0)
      return this.#fail("HDL0014", path, `${describePath(path)} is empty.`, "Write a value, or remove the field.");
    if (schema.maxLength !== undefined && value.length > schema.maxLength) {
      return this.#fail(
        "HDL0014",
        path,
        `${describePath(path)} has ${value.length} characters; at most ${schema.maxLength} are allowed.`,
      );
    }
    return this.#format(schema.format, value, path) ? value : invalid;
  }

  #format(format: TextFormat | undefined, value: string, path: Path): boolean {
    if (format === undefined) return true;
    const instead = format.notYet?.(value);
    if (instead !== undefined) {
      this.#fail(
        "HDL0016",
        path,
        `${describePath(path)}: ${quote(value)} is not supported yet.`,
        instead === "" ? undefined : instead,
      );
      return false;
    }
    const problem = format.problem(value);
    if (problem === undefined) return true;
    const detail = problem === "" ? "" : ` (it ${problem})`;
    this.#fail(
      format.code ?? "HDL0017",
      path,
      `${describePath(path)}: ${quote(value)} is not ${format.what}${detail}.`,
      format.hint,
    );
    return false;
  }

  #word(schema: TextSchema, values: readonly string[], value: string, path: Path): Outcome {
    if (values.includes(value)) return value;
    const supported = values.join(", ");
    if (schema.notYetValues?.includes(value) === true) {
      return this.#fail(
        "HDL0016",
        path,
        `${describePath(path)}: the value ${value} is not supported yet.`,
        `Supported so far: ${supported}.`,
      );
    }
    const nearest = nearestName(value, values);
    return this.#fail(
      "HDL0015",
      path,
      `${describePath(path)}: ${quote(value)} is not one of ${supported}.`,
      nearest === undefined ? undefined : `Did you mean ${nearest}?`,
    );
  }

  #number(schema: NumberSchema, value: PlainValue, path: Path): Outcome {
    const what = schema.isInteger ? "a whole number" : "a number";
    if (typeof value !== "number" || !Number.isFinite(value)) {
      const isQuoted = typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value);
      return this.#wrongType(what, value, path, isQuoted ? `Write the number without quotes: ${value}.` : undefined);
    }
    if (schema.isInteger && !Number.isSafeInteger(value)) return this.#wrongType(what, value, path);
    if (value < schema.minimum || value > schema.maximum) {
      return this.#fail(
        "HDL0014",
        path,
        `${describePath(path)} is ${value}; it must be from ${schema.minimum} to ${schema.maximum}.`,
      );
    }
    return value;
  }

  #boolean(value: PlainValue, path: Path): Outcome {
    if (typeof value === "boolean") return value;
    return this.#wrongType("true or false", value, path, "Write true or false, without quotes.");
  }

  #list(schema: ListSchema, value: PlainValue, path: Path): Outcome {
    if (!isList(value)) {
      return this.#wrongType(
        "a list",
        value,
        path,
        value === null ? undefined : "Begin each entry with a dash: `- …`.",
      );
    }
    if (!this.#checkCount(value.length, schema.minItems, schema.maxItems, "entries", path)) return invalid;
    const items = value.map((item, index) => this.#value(schema.items, item, [...path, index]));
    if (items.includes(invalid)) return invalid;
    return this.#areUnique(schema, items, path) ? items : invalid;
  }

  #areUnique(schema: ListSchema, items: readonly Outcome[], path: Path): boolean {
    const uniqueBy = schema.uniqueBy as ((item: Outcome) => string | undefined) | undefined;
    if (uniqueBy === undefined) return true;
    const seen = new Map<string, number>();
    let areUnique = true;
    items.forEach((item, index) => {
      const key = uniqueBy(item);
      if (key === undefined) return;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, index);
      else {
        areUnique = false;
        this.#fail(
          "HDL0023",
          [...path, index],
          `${describePath([...path, index])}: ${quote(key)} stands in ${describePath([...path, first])} already.`,
        );
      }
    });
    return areUnique;
  }

  #map(schema: MapSchema, value: PlainValue, path: Path): Outcome {
    if (!isMapping(value)) return this.#wrongType("a mapping of names to values", value, path);
    const entries = Object.entries(value);
    if (!this.#checkCount(entries.length, schema.minEntries, schema.maxEntries, "entries", path)) return invalid;
    const result = new Map<string, Outcome>();
    let isValid = true;
    for (const [written, child] of entries) {
      const childPath = [...path, written];
      const key = schema.hasLowerCaseKeys === true ? written.toLowerCase() : written;
      if (!this.#mapKey(schema.keys, written, childPath)) isValid = false;
      const outcome = this.#value(schema.values, child, childPath);
      if (outcome === invalid) isValid = false;
      if (result.has(key)) {
        isValid = false;
        this.#fail(
          "HDL0023",
          childPath,
          `${describePath(childPath)}: the name is written twice; upper and lower case mean the same here.`,
        );
      }
      result.set(key, outcome);
    }
    return isValid ? Object.fromEntries(result) : invalid;
  }

  #mapKey(format: TextFormat, key: string, path: Path): boolean {
    const problem = key === "" ? "is empty" : format.problem(key);
    if (problem === undefined) return true;
    const detail = problem === "" ? "" : ` (it ${problem})`;
    this.#fail(
      "HDL0017",
      path,
      `${describePath(path)}: the name ${quote(key)} is not ${format.what}${detail}.`,
      format.hint,
    );
    return false;
  }

  #object(schema: ObjectSchema, value: PlainValue, path: Path): Outcome {
    if (!isMapping(value)) return this.#wrongType("a mapping", value, path);
    const result: [string, Outcome][] = [];
    let isValid = true;
    for (const [name, child] of Object.entries(value)) {
      const entry = Object.hasOwn(schema.fields, name) ? schema.fields[name] : undefined;
      if (entry === undefined) {
        isValid = false;
        this.#strangeField(schema, name, path);
      } else if (child !== null || !entry.isNullable) {
        const outcome = this.#value(entry.schema, child, [...path, name]);
        if (outcome === invalid) isValid = false;
        else result.push([name, outcome]);
      }
    }
    if (!this.#hasRequired(schema, value, path) || !this.#isExclusive(schema, value, path)) isValid = false;
    if (!isValid) return invalid;
    const object = Object.fromEntries(result);
    this.#runChecks(schema, object, path);
    return object;
  }

  #strangeField(schema: ObjectSchema, name: string, path: Path): void {
    const where = describePath([...path, name]);
    if (Object.hasOwn(schema.notYet, name)) {
      this.#fail("HDL0012", [...path, name], `${where} is not supported yet.`, schema.notYet[name] || undefined);
      return;
    }
    const known = [...Object.keys(schema.fields), ...Object.keys(schema.notYet)];
    const nearest = nearestName(name, known);
    const elsewhere = nearest === undefined ? findField(this.#root, name) : undefined;
    const hint =
      nearest !== undefined
        ? `Did you mean ${nearest}?`
        : elsewhere !== undefined
          ? `A field of this name belongs to ${elsewhere}; check the indentation.`
          : `Known here: ${Object.keys(schema.fields).join(", ")}.`;
    this.#fail("HDL0010", [...path, name], `${where} is not a field.`, hint);
  }

  #hasRequired(schema: ObjectSchema, value: Readonly<Record<string, PlainValue>>, path: Path): boolean {
    let isComplete = true;
    for (const [name, entry] of Object.entries(schema.fields)) {
      if (!entry.isRequired || Object.hasOwn(value, name)) continue;
      isComplete = false;
      this.#fail(
        "HDL0013",
        path,
        `${describePath([...path, name])} is missing.`,
        `Add ${name}: ${lowerFirst(entry.doc)}`,
      );
    }
    return isComplete;
  }

  #isExclusive(schema: ObjectSchema, value: Readonly<Record<string, PlainValue>>, path: Path): boolean {
    let isExclusive = true;
    for (const group of schema.exclusive) {
      const set = group.filter((name) => Object.hasOwn(value, name));
      const last = set.at(-1);
      if (last === undefined || set.length < 2) continue;
      isExclusive = false;
      this.#fail(
        "HDL0019",
        [...path, last],
        `${describePath(path)} sets ${set.join(" and ")}, but only one of ${group.join(", ")} may be set.`,
      );
    }
    return isExclusive;
  }

  #runChecks(schema: ObjectSchema, value: object, path: Path): void {
    for (const check of schema.checks) {
      check(value as never, {
        path,
        namespace: this.#namespace,
        report: (code, at, message, hint) => this.#fail(code, [...path, ...at], message, hint),
      });
    }
  }

  #checkCount(
    count: number,
    minimum: number | undefined,
    maximum: number | undefined,
    what: string,
    path: Path,
  ): boolean {
    if (minimum !== undefined && count < minimum) {
      const message =
        count === 0
          ? `${describePath(path)} is empty.`
          : `${describePath(path)} has ${count} ${what}; at least ${minimum} are needed.`;
      this.#fail("HDL0014", path, message, count === 0 ? "Add an entry, or remove the field." : undefined);
      return false;
    }
    if (maximum !== undefined && count > maximum) {
      this.#fail("HDL0014", path, `${describePath(path)} has ${count} ${what}; at most ${maximum} are allowed.`);
      return false;
    }
    return true;
  }

  #wrongType(expected: string, found: PlainValue, path: Path, hint?: string): typeof invalid {
    const emptyHint =
      found === null ? "Write the value after the colon, indented if it is a block, or remove the field." : undefined;
    return this.#fail(
      "HDL0011",
      path,
      `${describePath(path)} must be ${expected}, but is ${describeValue(found)}.`,
      hint ?? emptyHint,
    );
  }

  #fail(code: FindingCode, path: Path, message: string, hint?: string): typeof invalid {
    this.problems.push({ code, path, message, ...(hint === undefined ? {} : { hint }) });
    return invalid;
  }
}

/** Where else in the kind a field of this name lives: a frequent slip of indentation. */
function findField(schema: Schema, name: string, path = "spec"): string | undefined {
  switch (schema.type) {
    case "object": {
      if (Object.hasOwn(schema.fields, name) || Object.hasOwn(schema.notYet, name)) return path;
      return firstDefined(Object.entries(schema.fields), ([key, entry]: [string, Field]) =>
        findField(entry.schema, name, `${path}.${key}`),
      );
    }
    case "list":
      return findField(schema.items, name, `${path}[]`);
    case "map":
      return findField(schema.values, name, `${path}[…]`);
    default:
      return undefined;
  }
}

function firstDefined<Item, Result>(
  items: readonly Item[],
  look: (item: Item) => Result | undefined,
): Result | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function isMapping(value: PlainValue | undefined): value is Readonly<Record<string, PlainValue>> {
  return typeof value === "object" && value !== null && !isList(value);
}

/** Array.isArray does not narrow readonly arrays. */
function isList(value: PlainValue | undefined): value is readonly PlainValue[] {
  return Array.isArray(value);
}

/** A text in quotes, cut when it is long. */
function quote(value: string): string {
  return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}…` : value);
}

/** What to do when a number or a boolean stands where a text belongs: quoting it, unless the text would be wrong as well. */
function describeQuoting(schema: TextSchema, value: PlainValue): string | undefined {
  if (typeof value !== "number" && typeof value !== "boolean") return undefined;
  const written = String(value);
  if (schema.values !== undefined) return `Write one of ${schema.values.join(", ")}.`;
  return schema.format === undefined || schema.format.problem(written) === undefined
    ? `Put the value in quotes: "${written}".`
    : schema.format.hint;
}

function describeValue(value: PlainValue): string {
  if (value === null) return "empty";
  if (isList(value)) return "a list";
  switch (typeof value) {
    case "string":
      return `the text ${quote(value)}`;
    case "number":
      return `the number ${value}`;
    case "boolean":
      return String(value);
    default:
      return "a mapping";
  }
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}
