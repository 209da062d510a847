import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FuzzTarget } from "@heddle/testkit";

/** Makes a crashing input smaller as long as it crashes: pieces are left out, halves first. */
export function minimise(target: FuzzTarget, input: Buffer): Buffer {
  let smallest = input;
  for (let size = Math.ceil(input.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < smallest.length; ) {
      const smaller = Buffer.concat([smallest.subarray(0, at), smallest.subarray(at + size)]);
      if (errorOf(target, smaller) === undefined) at += size;
      else smallest = smaller;
    }
  }
  return smallest;
}

/** @returns undefined when what must hold does */
export function errorOf(target: FuzzTarget, input: Buffer): unknown {
  try {
    target.run(Buffer.from(input));
    return undefined;
  } catch (error) {
    return error;
  }
}

/** @returns where it was written */
export function writeCrash(folder: string, name: string, input: Buffer): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}-${createHash("sha256").update(input).digest("hex").slice(0, 12)}.bin`);
  writeFileSync(path, input);
  return path;
}
