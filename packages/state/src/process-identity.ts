import { readFile } from "node:fs/promises";

/**
 * When a process was started, in the kernel's own words (proc_pid_stat(5), field 22); "" where there is no /proc and a process id
 * alone has to do.
 */
export async function startedAt(pid: number): Promise<string> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The name, in brackets, may hold anything; counting begins behind it, at field 3.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  } catch {
    return "";
  }
}

/** Whether there is a process with this id, whoever's it is. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives, and is somebody else's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Whether `pid` is still the process that was started then. */
export async function isSameProcess(pid: number, started: string): Promise<boolean> {
  return isAlive(pid) && (await startedAt(pid)) === started;
}
