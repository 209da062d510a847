import { existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { proxyUser } from "./redirect-rules.ts";
import { systemProgram } from "./system-program.ts";

/** Folders that every system has and that hold nothing a proxy needs: one of them is covered while the view is made. */
const stages = ["/mnt", "/media", "/srv", "/opt", "/boot"];

/** Folders above `folder` that the proxies' user may not pass through, the topmost first: homes and temporary folders of one person. */
function barriersAbove(folder: string): string[] {
  const above: string[] = [];
  for (let at = dirname(folder); ; at = dirname(at)) {
    above.unshift(at);
    if (at === dirname(at)) break;
  }
  return above.filter((path) => {
    const { mode, uid } = statSync(path);
    return uid === proxyUser ? (mode & 0o100) === 0 : (mode & 0o001) === 0;
  });
}

/**
 * The command line that runs another with a view of the file system of its own, in which the given folders can be reached: a barrier is
 * covered by an empty folder that anybody may pass through, and they are put back below it. What else is behind the barrier
 * the proxy does not see. Nothing changes for anybody else, and it all ends with the process.
 *
 * @param folders absolute, without symbolic links
 */
export function withView(
  folders: readonly string[],
  argv: readonly string[],
  barriers: (folder: string) => readonly string[] = barriersAbove,
): string[] {
  const restored: string[] = [];
  const covered: string[] = [];
  const kept: string[] = [];
  const steps: string[] = [];
  const args: string[] = [];
  const word = (path: string): string => {
    args.push(path);
    return `"\${${args.length}}"`;
  };
  const stage = stages.find(
    (path) => existsSync(path) && !folders.some((folder) => `${folder}/`.startsWith(`${path}/`)),
  );
  const staged = word(stage ?? "/mnt");
  // What lies in another of the folders comes after it, and meets only the barriers within.
  for (const folder of folders.toSorted((one, other) => one.length - other.length)) {
    const base = restored.findLast((outer) => folder.startsWith(`${outer}/`));
    const barrier = barriers(folder).find((path) => base === undefined || `${path}/`.startsWith(`${base}/`));
    if (barrier === undefined) continue;
    const name = word(folder);
    const aside = `${staged}/${restored.length}`;
    kept.push(`mkdir ${aside}`, `mount --bind ${name} ${aside}`);
    if (!covered.includes(barrier)) {
      covered.push(barrier);
      steps.push(`mount -t tmpfs -o mode=0755,size=1m heddle ${word(barrier)}`);
    }
    restored.push(folder);
    steps.push(`mkdir -p ${name}`, `mount --move ${aside} ${name}`);
  }
  if (steps.length === 0) return [...argv];
  const begin = `mount -t tmpfs -o mode=0755,size=64k heddle ${staged}`;
  const script = ["set -e", begin, ...kept, ...steps, `umount ${staged}`, `shift ${args.length}`, 'exec "$@"'];
  return [
    systemProgram("unshare"),
    "--mount",
    "--",
    systemProgram("sh"),
    "-c",
    script.join("\n"),
    "heddle-view",
    ...args,
    ...argv,
  ];
}
