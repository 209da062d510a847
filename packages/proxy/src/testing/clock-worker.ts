// A traffic worker whose clock a test moves on: what takes a minute is seen at once, and what must not happen before is seen not to.
import { BroadcastChannel } from "node:worker_threads";

let aheadMs = 0;
const now = performance.now.bind(performance);
performance.now = () => now() + aheadMs;

const orders = new BroadcastChannel("heddle-test-clock");
(orders as unknown as EventTarget).addEventListener("message", (event) => {
  aheadMs += (event as unknown as { data: number }).data;
  // The worker reads its clock at each tick: behind the next one, which while anything is in progress is due in 10 ms.
  setTimeout(() => answers.postMessage(aheadMs), 20);
});
orders.unref();
const answers = new BroadcastChannel("heddle-test-clock-moved");
answers.unref();

await import("../worker/entry.ts");
