import { exitCodes } from "@heddle/core";
import { isSameProcess } from "@heddle/state";
import { readSupervisorState } from "./supervisor-file.ts";

const lookMs = 50;

/**
 * `heddle proxy --restart`: asks the proxy of a state directory to hand over to a new generation, and waits until that one serves or
 * has failed to.
 *
 * @returns the exit code: 0 the new generation serves; 1 it does not, and the old one goes on if it can; 4 no proxy runs there
 */
export async function restartProxy(stateDir: string): Promise<number> {
  const before = await readSupervisorState(stateDir);
  if (before === undefined || !(await isSameProcess(before.pid, before.startedAt))) {
    say(
      `no proxy runs with the state directory ${stateDir}: start one with heddle proxy -c <bootstrap> --state-dir ${stateDir}`,
    );
    return exitCodes.unreachable;
  }
  try {
    process.kill(before.pid, "SIGHUP");
  } catch (error) {
    say(`the proxy (process ${before.pid}) cannot be told: ${(error as Error).message}`);
    return exitCodes.unreachable;
  }
  // The supervisor counts what it is asked: an answer to ours also answers whoever asked before.
  for (;;) {
    const now = await readSupervisorState(stateDir);
    if (now !== undefined && now.pid === before.pid && now.answered > before.requested && now.last !== undefined) {
      if (now.last.isReady) {
        say("a new proxy serves; the old one finishes what it has begun");
        return exitCodes.fine;
      }
      say(`the new proxy does not serve; ${now.last.reason}`);
      return exitCodes.negative;
    }
    if (!(await isSameProcess(before.pid, before.startedAt))) {
      say(`the proxy (process ${before.pid}) ended meanwhile`);
      return exitCodes.negative;
    }
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
}

function say(text: string): void {
  process.stderr.write(`heddle: ${text}\n`);
}
