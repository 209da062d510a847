import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/**
 * Where the runtime keeps compiled modules: a cache of the user (XDG base directories), not the temporary folder. A run leaves nothing there, and
 * nobody else could have put code in.
 *
 * @returns undefined: this user has no folder, as those have that only run services. Then everything is compiled anew
 */
export function compileCacheFolder(env: NodeJS.ProcessEnv, homeFolder: () => string = homedir): string | undefined {
  const named = env["XDG_CACHE_HOME"] ?? "";
  // A relative one is invalid and to be ignored.
  if (isAbsolute(named)) return join(named, "heddle", "compiled");
  const home = env["HOME"] ?? accountsHome(homeFolder);
  return isAbsolute(home) && home !== "/" ? join(home, ".cache", "heddle", "compiled") : undefined;
}

function accountsHome(homeFolder: () => string): string {
  try {
    return homeFolder();
  } catch {
    // In a container a user may have a number and no account.
    return "";
  }
}

/** For the whole start of a process, threads included. What the user set stays. */
export function compileCacheEnvironment(env: NodeJS.ProcessEnv): { NODE_COMPILE_CACHE?: string } {
  const folder = env["NODE_COMPILE_CACHE"] ?? compileCacheFolder(env);
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}
