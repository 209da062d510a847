import { homedir } from "node:os";
import { join } from "node:path";

/** For children whose entry is not `main.ts` and so does not switch the cache on itself. What the user set stays. */
export function runtimeEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  return { NODE_COMPILE_CACHE: env["NODE_COMPILE_CACHE"] ?? compileCacheFolder(env) };
}

/**
 * Where the runtime keeps compiled modules: a cache of the user (XDG base directories), not the temporary folder, so that a run
 * leaves nothing there.
 */
export function compileCacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env["XDG_CACHE_HOME"];
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "heddle", "compiled");
}
