import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLParseError } from "yaml";
import { yamlErrors } from "@heddle/core";

/** A path into a document: field names and list indexes. */
export type DocumentPath = readonly (string | number)[];
/** Tells what cannot be served, and what to do about it. */
export type Report = (path: DocumentPath, message: string, hint: string) => void;

/** A bootstrap file as read: its value and where in the file each part stands. */
export interface BootstrapSource {
  readonly value: unknown;
  /** 1-based line of the value at `path`, or of the nearest thing around it that is in the file. */
  lineOf(path: DocumentPath): number;
}

export interface SyntaxProblem {
  readonly line: number;
  readonly message: string;
  readonly hint: string;
}

/** Reads YAML, of which JSON is a part. One document; keys must be unique. */
export function readSource(
  text: string,
): { source: BootstrapSource; problems: [] } | { source: undefined; problems: SyntaxProblem[] } {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, merge: true });
  // Only the first: what the parser says after losing its way helps nobody.
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lineCounter.linePos(error.pos[0]);
    return { source: undefined, problems: [{ line, ...describeYaml(error) }] };
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 1000 });
  } catch (error) {
    // The library's guard against documents that aliases blow up.
    return { source: undefined, problems: [{ line: 1, message: (error as Error).message, hint: correctYaml }] };
  }
  return {
    source: { value, lineOf: (path) => lineCounter.linePos(offsetOf(document.contents, path)).line },
    problems: [],
  };
}

const correctYaml = "Correct the YAML.";

/** The library's words where a person understands them, else ours. */
function describeYaml({ code, message }: YAMLParseError): Pick<SyntaxProblem, "message" | "hint"> {
  const closing = / end with an? ([\]}])/.exec(message)?.[1];
  if (closing !== undefined)
    return {
      message: `a "${closing === "]" ? "[" : "{"}" further up is not closed before this line`,
      hint: `Add the missing "${closing}", or quote the value if the bracket is part of it.`,
    };
  return yamlErrors[code] ?? { message, hint: correctYaml };
}

function offsetOf(root: unknown, path: DocumentPath): number {
  let node = root;
  let offset = isNode(root) ? startOf(root) : 0;
  for (const segment of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(segment));
      if (pair === undefined) return offset;
      if (isNode(pair.key)) offset = startOf(pair.key);
      node = pair.value;
    } else if (isSeq(node) && typeof segment === "number") {
      node = node.items[segment];
      if (isNode(node)) offset = startOf(node);
    } else return offset;
  }
  return offset;
}

function startOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** `static_resources.listeners[0].name`, as the engine's loader writes paths, back into segments. */
export function parsePath(text: string): DocumentPath {
  const path: (string | number)[] = [];
  for (const match of text.matchAll(/\[(\d+)\]|\["([^"]*)"\]|([^.[\]]+)/g)) {
    if (match[1] !== undefined) path.push(Number(match[1]));
    else path.push(match[2] ?? match[3] ?? "");
  }
  return path;
}

export function formatPath(path: DocumentPath): string {
  let text = "";
  for (const segment of path) {
    if (typeof segment === "number") text += `[${segment}]`;
    else if (/^[\w@-]+$/.test(segment)) text += text === "" ? segment : `.${segment}`;
    else text += `["${segment}"]`;
  }
  return text;
}
