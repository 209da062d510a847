import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import type { Stream, Writable } from "node:stream";

/**
 * What runs between `heddle` and an application. Descriptor 3 is a pipe from `heddle`: when `heddle` ends, however it ends,
 * the read returns and the whole process group is killed. Signals are for the application; the guard waits for it.
 * The first trap is a command and not '' so that the application does not inherit it (POSIX: ignored signals stay ignored).
 * Standard error is the application's alone: a shell would say there how its children end ("Terminated").
 */
const guard = `
exec 4>&2 2>/dev/null
trap : TERM INT HUP
"$@" 2>&4 3<&- 4>&- &
application=$!
( trap '' TERM INT HUP; exec 4>&-; read -r line <&3; kill -KILL 0 ) &
watcher=$!
while :; do
  wait "$application"; status=$?
  kill -0 "$application" 2>/dev/null || break
done
kill -KILL "$watcher" 2>/dev/null
exit "$status"
`;

export const hiddenDescriptor = 5;

export interface GuardedCommand {
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** What the command can read, to its end, from `hiddenDescriptor`: nobody sees it in a list of processes. */
  readonly hidden?: string;
}

/**
 * Starts an application in a process group of its own that dies with this process, even by SIGKILL. Standard output and
 * error are pipes. A program that is not found ends with 127, as a shell says it.
 */
export function spawnGuarded(command: GuardedCommand): ChildProcess {
  const child = spawn("/bin/sh", ["-c", guard, "heddle-guard", ...command.command], {
    cwd: command.cwd,
    env: command.env,
    detached: true,
    // The guard has 4 for itself.
    stdio: ["ignore", "pipe", "pipe", "pipe", ...(command.hidden === undefined ? [] : (["ignore", "pipe"] as const))],
  });
  const hidden = (child.stdio as readonly (Stream | null | undefined)[])[hiddenDescriptor] as
    | Writable
    | null
    | undefined;
  // It may have ended before it read.
  hidden?.on("error", () => hidden.destroy());
  hidden?.end(command.hidden);
  return child;
}

/** Ends what is left of a group whose guard has ended: an application whose guard was killed would keep its port. */
export function endGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // Nothing is left, as it should be.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Sends a signal to a guarded process's whole group. */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // The group has ended in the meantime.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
