import { chownSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compileCacheFolder } from "../../compile-cache.ts";
import type { Caller } from "./caller.ts";
import { withView } from "./proxy-view.ts";
import { proxyUser } from "./redirect-rules.ts";

const main = fileURLToPath(new URL("../../main.ts", import.meta.url));

/** The tree that holds the code and what it needs: that of all packages, or, bundled, the one above `lib/`. */
const codeFolder = resolve(dirname(main), main.endsWith(".ts") ? "../../.." : "..");

/** Where the proxies' code and runtime lie. */
export function proxyFolders(): string[] {
  const code = realpathSync(codeFolder);
  const runtime = dirname(realpathSync(process.execPath));
  return runtime.startsWith(`${code}/`) ? [code] : [code, runtime];
}

/**
 * Compiled modules of the proxies: another cache than the caller's, which their user must neither read nor write. Without one every
 * start compiles everything anew.
 */
function proxyCacheFolder(): string {
  const folder = `${compileCacheFolder()}-proxies`;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chownSync(folder, proxyUser, proxyUser);
  return realpathSync(folder);
}

/**
 * The command line that runs a proxy inside a namespace: as its own user, without a single capability, seeing its code, its runtime
 * and its own state.
 */
export function proxyCommandLine(stateFolder: string, argv: readonly string[]): string[] {
  const user = [`--reuid=${proxyUser}`, `--regid=${proxyUser}`, "--clear-groups"];
  const powers = ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
  const cache = proxyCacheFolder();
  const command = ["env", `NODE_COMPILE_CACHE=${cache}`, "setpriv", ...user, ...powers, "--", ...argv];
  return withView([...proxyFolders(), realpathSync(stateFolder), cache], command);
}

/** What an application could do with the namespace itself, if it is run as root. */
const withheld = "-net_admin,-sys_admin,-sys_module,-sys_ptrace";

/** The command line that runs an application in its folder, as the caller. */
export function applicationCommandLine({ uid, gid, account }: Caller, cwd: string, argv: readonly string[]): string[] {
  const groups = account === undefined ? "--clear-groups" : "--init-groups";
  const user = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, groups, `--bounding-set=${withheld}`, "--", ...argv];
  // Who enters another view of the files begins at its root.
  return ["sh", "-c", 'cd "$1" && shift && exec "$@"', "heddle-application", cwd, ...user];
}
