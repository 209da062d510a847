import { readdir, readFile } from "node:fs/promises";
import { basename } from "node:path";
import { isSameProcess } from "@heddle/state";
import { holderName } from "./network-namespace.ts";

/**
 * Ends the namespaces of runs that are gone. Holders end by themselves when their `heddle` does; one that could not (it was stopped, or
 * the system was too busy to run it) is found by its command line, which names its `heddle`.
 *
 * @returns how many there were
 */
export async function reclaimNamespaces(): Promise<number> {
  let count = 0;
  for (const name of await readdir("/proc")) {
    const owner = /^\d+$/.test(name) ? await ownerOf(name) : undefined;
    if (owner === undefined || (await isSameProcess(owner.pid, owner.startedAt))) continue;
    try {
      process.kill(Number(name), "SIGKILL");
      count += 1;
    } catch {
      // It ended in the meantime, as it should.
    }
  }
  return count;
}

/** The `heddle` that a process holds a namespace for; undefined: it does not hold one. */
async function ownerOf(pid: string): Promise<{ pid: number; startedAt: string } | undefined> {
  let words: string[];
  try {
    words = (await readFile(`/proc/${pid}/cmdline`, "latin1")).split("\0");
  } catch {
    // Ended while we looked.
    return undefined;
  }
  const at = words.indexOf(holderName);
  if (basename(words[0] ?? "") !== "sh" || at < 0) return undefined;
  return { pid: Number(words[at + 1]), startedAt: words[at + 2] ?? "" };
}
