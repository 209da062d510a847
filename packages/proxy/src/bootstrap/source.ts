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

/**
 * Reads JSON as `JSON.stringify` with an indent of 2 writes it, which is how Heddle writes a bootstrap. Undefined: the text is anything else, other
 * JSON too, of which only a parser that keeps places can say where something stands, and whether a key comes twice.
 */
export function readCanonicalJson(text: string): BootstrapSource | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (JSON.stringify(value, null, 2) !== text.trimEnd()) return undefined;
  return { value, lineOf: (path) => lineIn(value, path) };
}

function lineIn(root: unknown, path: DocumentPath): number {
  let value = root;
  let line = 1;
  for (const segment of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, segment)) break;
    const entries: readonly (readonly [string, unknown])[] = Object.entries(value);
    const index = entries.findIndex(([key]) => key === String(segment));
    for (const [, before] of entries.slice(0, index)) line += JSON.stringify(before, null, 2).split("\n").length;
    line += 1;
    value = entries[index]?.[1];
  }
  return line;
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
