import { globSync } from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { FuzzTarget } from "@heddle/testkit";

export const root: string = join(import.meta.dirname, "..");

/** Target → file. */
export function findTargets(): ReadonlyMap<string, string> {
  const files = globSync("packages/*/src/testing/fuzz/*.ts", { cwd: root }).map((file) => join(root, file));
  return new Map(
    files
      .filter((file) => basename(file) !== "splits.ts")
      .map((file) => [basename(file, ".ts"), file] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

export async function loadTarget(file: string): Promise<FuzzTarget> {
  const module = (await import(pathToFileURL(file).href)) as { target: FuzzTarget };
  return module.target;
}
