import { realpathSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Holds `heddle-node`. */
const ownPrograms = fileURLToPath(new URL("../../programs", import.meta.url));

/**
 * The environment that applications are started in, before anything of their own is added. `node` in it is the user's, however
 * `heddle` was called: npx and npm put Heddle's own runtime in front of the PATH, and it goes behind. `heddle-node` is that
 * runtime (docs/adr/0004-which-node.md).
 */
export function applicationVariables(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const path = env["PATH"] ?? "";
  const entries = path === "" ? [] : path.split(delimiter);
  const own = entries.filter(bringsHeddlesNode);
  const users = entries.filter((entry) => !own.includes(entry));
  // The folder goes behind and not away: what else npm has linked there is still found.
  return { ...env, PATH: [...users, ...own, ownPrograms].join(delimiter), HEDDLE_NODE: process.execPath };
}

/** Only npm links programs into `node_modules/.bin`. Called by npx or npm, Heddle itself runs on the `node` that is linked there. */
function bringsHeddlesNode(entry: string): boolean {
  if (basename(entry) !== ".bin" || basename(dirname(entry)) !== "node_modules") return false;
  try {
    return realpathSync(join(entry, "node")) === realpathSync(process.execPath);
  } catch {
    // It holds no `node`.
    return false;
  }
}
