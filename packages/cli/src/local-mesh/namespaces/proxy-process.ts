import { chownSync, mkdirSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { compileCacheFolder } from "@heddle/state/compile-cache";
import { hiddenDescriptor } from "../guarded-process.ts";
import type { Caller } from "./caller.ts";
import { withView } from "./proxy-view.ts";
import { proxyUser } from "./redirect-rules.ts";
import { quoted } from "./shell-word.ts";
import { systemProgram } from "./system-program.ts";

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
function proxyCacheFolder(): string | undefined {
  const callers = compileCacheFolder(process.env);
  if (callers === undefined) return undefined;
  const folder = `${callers}-proxies`;
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
  const own = cache === undefined ? "--unset=NODE_COMPILE_CACHE" : `NODE_COMPILE_CACHE=${cache}`;
  const command = [systemProgram("env"), own, systemProgram("setpriv"), ...user, ...powers, "--", ...argv];
  const seen = [...proxyFolders(), realpathSync(stateFolder), ...(cache === undefined ? [] : [cache])];
  return withView(seen, command);
}

/** What an application could do with the namespace itself, if it is run as root. */
const withheld = "-net_admin,-sys_admin,-sys_module,-sys_ptrace";

/**
 * What runs as the caller, behind everything that needs root: takes its variables from descriptor 5, enters its folder, and becomes the
 * application. Only here does anything follow what a workload's `env` says. The folder comes last, so that PWD is its name.
 */
const entry = `
variables=$("$1" <&${hiddenDescriptor}) && eval "$variables" && cd "$2" && shift 2 && exec "$@" ${hiddenDescriptor}<&-
`;

/** The command line that runs an application in its folder, as the caller, with the variables that `shellExports` was given. */
export function applicationCommandLine({ uid, gid, account }: Caller, cwd: string, argv: readonly string[]): string[] {
  const groups = account === undefined ? "--clear-groups" : "--init-groups";
  const user = [`--reuid=${uid}`, `--regid=${gid}`, groups, `--bounding-set=${withheld}`];
  const enter = [systemProgram("env"), "-i", systemProgram("sh"), "-c", entry, "heddle-application"];
  return [systemProgram("setpriv"), ...user, "--", ...enter, systemProgram("cat"), cwd, ...argv];
}

/**
 * Variables as commands of a shell. Names that a shell cannot have are left out, as the guard of an application does with those that
 * it finds in its environment; of names that a shell keeps to itself (UID of bash) its own value stays.
 */
export function shellExports(variables: NodeJS.ProcessEnv): string {
  return Object.entries(variables)
    .filter((entry): entry is [string, string] => entry[1] !== undefined && /^[A-Za-z_]\w*$/.test(entry[0]))
    .map(([name, value]) => `command export ${name}=${quoted(value)} 2>/dev/null || :\n`)
    .join("");
}
