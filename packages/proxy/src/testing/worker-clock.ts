import { once } from "node:events";
import { BroadcastChannel } from "node:worker_threads";

/** Pass it as `workerEntry`: its clock is moved by {@link moveWorkerClock}. One proxy of a test file may have such workers, one worker. */
export const clockWorkerEntry = new URL("./clock-worker.ts", import.meta.url);

/** Resolves when the worker's clock is so far ahead of what it was, and the worker has seen it. */
export async function moveWorkerClock(ms: number): Promise<void> {
  const orders = new BroadcastChannel("heddle-test-clock");
  const answers = new BroadcastChannel("heddle-test-clock-moved");
  try {
    const moved = once(answers as unknown as EventTarget, "message");
    orders.postMessage(ms);
    await moved;
  } finally {
    orders.close();
    answers.close();
  }
}
