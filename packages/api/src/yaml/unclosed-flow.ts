import { Parser } from "yaml";
import type { CST } from "yaml";

/** Where a `[` or `{` stands that is never closed. */
export interface UnclosedFlow {
  readonly offset: number;
  readonly bracket: "[" | "{";
}

/**
 * The innermost bracket of a text that is never closed, by its last one. The parser itself complains only of the line on which it
 * lost its way, which may be far below.
 */
export function findUnclosedFlow(text: string): UnclosedFlow | undefined {
  let found: UnclosedFlow | undefined;
  // A list, not recursion: input may nest as deep as it likes.
  const waiting: (CST.Token | null | undefined)[] = [...new Parser().parse(text)];
  while (waiting.length > 0) {
    const token = waiting.pop();
    if (token === null || token === undefined) continue;
    if (token.type === "document") waiting.push(token.value);
    if (!("items" in token)) continue;
    if (token.type === "flow-collection" && (found === undefined || token.offset > found.offset)) {
      const isMap = token.start.type === "flow-map-start";
      const closing = isMap ? "flow-map-end" : "flow-seq-end";
      if (!token.end.some(({ type }) => type === closing)) found = { offset: token.offset, bracket: isMap ? "{" : "[" };
    }
    for (const { key, value } of token.items) waiting.push(key, value);
  }
  return found;
}
