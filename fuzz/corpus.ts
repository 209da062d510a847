import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./targets.ts";

const folderOf = (target: string): string => join(root, "fuzz", "corpus", target);

/** Inputs that are checked in for a target, in a fixed order. */
export function readCorpus(target: string): Buffer[] {
  const folder = folderOf(target);
  let names: string[];
  try {
    names = readdirSync(folder).sort();
  } catch {
    return []; // nothing was kept yet
  }
  return names.map((name) => readFileSync(join(folder, name)));
}

export function keepInCorpus(target: string, inputs: readonly Buffer[]): void {
  const folder = folderOf(target);
  mkdirSync(folder, { recursive: true });
  for (const input of inputs)
    writeFileSync(join(folder, createHash("sha256").update(input).digest("hex").slice(0, 16)), input);
}
