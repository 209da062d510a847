import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isSameProcess } from "@heddle/state";
import { holderName } from "./network-namespace.ts";

/** Killed processes are gone after a moment, and who was just starting another leaves that. */
const patience = 100;
const roundMs = 10;

export interface Reclaimed {
  /** How many namespaces were ended. */
  readonly ended: number;
  /** Who is still in one: ids of processes that SIGKILL does not end, such as those that wait for a disk. */
  readonly remaining: readonly number[];
}

/**
 * Ends the namespaces of runs that are gone, with whoever is in them. Holders end them by themselves when their `heddle` does; one that
 * could not (it was stopped, or the system was too busy to run it) is found by its command line, which names its `heddle`. One that
 * is at it just now is ended last, since what it has not ended would stay. Meshes in other PID namespaces (containers) are left
 * alone: the number of their `heddle` says nothing here.
 *
 * @param rounds after which it gives a namespace up
 */
export async function reclaimNamespaces(rounds = patience): Promise<Reclaimed> {
  const own = { network: await namespaceOf("self", "net"), processes: await namespaceOf("self", "pid") };
  const left = new Set<string>();
  for (const pid of await processIds()) {
    const owner = await ownerOf(pid);
    if (owner === undefined || (await namespaceOf(pid, "pid")) !== own.processes) continue;
    if (await isSameProcess(owner.pid, owner.startedAt)) continue;
    const network = await namespaceOf(pid, "net");
    // Whatever calls itself a holder: this machine's own network is none.
    if (network !== undefined && network !== own.network) left.add(network);
  }
  let ended = 0;
  const remaining: number[] = [];
  for (const network of left) {
    const members = await endNamespace(network, rounds);
    if (members.length === 0) ended += 1;
    remaining.push(...members);
  }
  return { ended, remaining };
}

/** @returns who is still there */
async function endNamespace(network: string, rounds: number): Promise<number[]> {
  for (let round = 0; ; round++) {
    const members: { readonly pid: string; readonly isHolder: boolean }[] = [];
    for (const pid of await processIds())
      if ((await namespaceOf(pid, "net")) === network)
        members.push({ pid, isHolder: (await ownerOf(pid)) !== undefined });
    if (members.length === 0 || round === rounds) return members.map(({ pid }) => Number(pid));
    const others = members.filter(({ isHolder }) => !isHolder);
    for (const { pid } of others.length > 0 ? others : members) kill(Number(pid));
    await delay(roundMs);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended in the meantime, as it should.
  }
}

async function processIds(): Promise<string[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
}

/** Undefined: the process has ended. */
async function namespaceOf(pid: string, kind: "net" | "pid"): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/${kind}`).catch(() => undefined);
}

/** The `heddle` that a process of this user holds a namespace for; undefined: it does not hold one, or has ended. */
async function ownerOf(pid: string): Promise<{ pid: number; startedAt: string } | undefined> {
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, "latin1")).split("\0");
    const [shell = "", , , name, owner, startedAt = ""] = words;
    if (basename(shell) !== "sh" || name !== holderName) return undefined;
    if ((await stat(`/proc/${pid}`)).uid !== process.getuid?.()) return undefined;
    return { pid: Number(owner), startedAt };
  } catch {
    // Ended while we looked.
    return undefined;
  }
}
