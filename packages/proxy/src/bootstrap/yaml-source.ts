import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Node, type YAMLParseError } from "yaml";
import { yamlErrors } from "@heddle/core";
import type { BootstrapSource, DocumentPath } from "./source.ts";

interface SyntaxProblem {
  readonly line: number;
  readonly message: string;
  readonly hint: string;
}

/** Reads YAML, of which JSON is a part. One document; keys must be unique. */
export function readYaml(
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
