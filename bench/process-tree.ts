import { readdirSync, readFileSync } from "node:fs";

/** What a process and its descendants have used. */
export interface Usage {
  /** User and system time of all threads, in microseconds. The kernel counts in ticks of 10,000. */
  readonly cpuUs: number;
  /** Resident memory in bytes; pages that several processes share count once for each. */
  readonly rssBytes: number;
  /** Proportional memory in bytes: shared pages are divided among their owners. */
  readonly pssBytes: number;
}

const tickUs = 10_000;

/** Process ids of `root` and all that descend from it, by /proc. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const fields = readStat(Number(name));
    if (fields === undefined) continue;
    const parent = Number(fields[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const visit = (pid: number): void => {
    found.push(pid);
    for (const child of children.get(pid) ?? []) visit(child);
  };
  visit(root);
  return found;
}

/** Sums what the processes have used since they began; one that has ended counts nothing. */
export function usageOf(pids: readonly number[]): Usage {
  let cpuUs = 0;
  let rssBytes = 0;
  let pssBytes = 0;
  for (const pid of pids) {
    const fields = readStat(pid);
    if (fields === undefined) continue;
    // proc(5): fields 14 and 15, utime and stime; here the list begins at field 3.
    cpuUs += (Number(fields[11]) + Number(fields[12])) * tickUs;
    const memory = readText(`/proc/${pid}/smaps_rollup`);
    rssBytes += kilobytes(memory, "Rss");
    pssBytes += kilobytes(memory, "Pss");
  }
  return { cpuUs, rssBytes, pssBytes };
}

/** Fields of /proc/<pid>/stat from the third on: the second, the name, may hold spaces and parentheses. */
function readStat(pid: number): string[] | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === "" ? undefined : text.slice(text.lastIndexOf(")") + 2).split(" ");
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // The process has ended since it was listed.
    return "";
  }
}

function kilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
}
