import { readFileSync } from "node:fs";

/**
 * Whether a process still runs, by /proc. One that has ended and waits for its parent to notice (a zombie) does not: an orphan's new
 * parent may take its time.
 */
export function isRunning(pid: number): boolean {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // No such process.
    return false;
  }
  // proc(5): the state follows the name, which is in parentheses and may hold some itself.
  const state = stat.charAt(stat.lastIndexOf(")") + 2);
  return state !== "Z" && state !== "X";
}
