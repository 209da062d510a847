import type { ParsedBootstrap } from "./bootstrap.ts";
import { readBootstrap } from "./read.ts";
import { readYaml } from "./yaml-source.ts";

/** `readBootstrap` of a text: YAML, of which JSON is a part. */
export function parseBootstrap(text: string): ParsedBootstrap {
  const { source, problems } = readYaml(text);
  if (source !== undefined) return readBootstrap(source);
  return { config: undefined, problems: problems.map((problem) => ({ path: "", ...problem })) };
}
