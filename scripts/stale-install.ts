import { readFileSync } from "node:fs";
import { join } from "node:path";

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>;
}

/**
 * The packages in `root`'s node_modules that are missing or of another version than its package-lock.json says: the lock has moved on since the last
 * `npm ci`, and types and imports fail in ways that do not say so. Optional ones depend on the machine and are left out.
 *
 * @returns places such as `node_modules/esbuild`; empty when all is as it should be
 */
export function staleInstall(root: string): string[] {
  const wanted = readLock(join(root, "package-lock.json"));
  // What npm itself wrote of its last run.
  const installed = readLock(join(root, "node_modules/.package-lock.json"));
  return Object.entries(wanted.packages)
    .filter(([place, { optional }]) => place.startsWith("node_modules/") && optional !== true)
    .filter(
      ([place, { version }]) =>
        installed.packages[place] === undefined || installed.packages[place].version !== version,
    )
    .map(([place]) => place);
}

function readLock(path: string): Lock {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Lock;
  } catch {
    // Nothing was installed.
    return { packages: {} };
  }
}
