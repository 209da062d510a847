import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { SharedQueues } from "./shared-queues.ts";

function taken(queues: SharedQueues, worker: number): [descriptor: number, listener: number][] {
  const found: [number, number][] = [];
  queues.take(worker, (descriptor, listener) => found.push([descriptor, listener]));
  return found;
}

test("what is put into a queue is taken from it once, by its worker alone", () => {
  const queues = SharedQueues.create(2);
  queues.open(1);
  assert.ok(queues.put(1, 0, 7));
  assert.ok(queues.put(1, 33, 8));
  assert.equal(queues.waiting(1), 2);
  assert.deepEqual(taken(queues, 0), []);
  assert.deepEqual(taken(queues, 1), [
    [0, 7],
    [33, 8],
  ]);
  assert.deepEqual(taken(queues, 1), []);
  assert.equal(queues.waiting(1), 0);
});

test("a queue that is closed takes nothing, and keeps what it has for the next worker", () => {
  const queues = SharedQueues.create(1);
  assert.equal(queues.put(0, 5, 7), false);
  queues.open(0);
  assert.ok(queues.put(0, 5, 7));
  queues.close(0);
  assert.equal(queues.put(0, 6, 7), false);
  assert.deepEqual(taken(queues, 0), [[5, 7]]);
});

test("a full queue takes no more", () => {
  const queues = SharedQueues.create(1);
  queues.open(0);
  let count = 0;
  while (queues.put(0, count, 7)) count += 1;
  assert.equal(count, 256);
  assert.equal(queues.isOpen(0), false);
  assert.equal(taken(queues, 0).length, 256);
  assert.ok(queues.isOpen(0));
});

test("another thread wakes who watches a queue", async (t) => {
  const queues = SharedQueues.create(1);
  queues.open(0);
  const woken = new Promise<[number, number][]>((resolve) => {
    queues.watch(0, () => {
      const found = taken(queues, 0);
      if (found.length > 0) resolve(found);
    });
  });
  const worker = new Worker(
    `const { workerData } = require("node:worker_threads");
     import(workerData.module).then(({ SharedQueues }) => new SharedQueues(workerData.buffer).put(0, 3, 4));`,
    { eval: true, workerData: { buffer: queues.buffer, module: new URL("shared-queues.ts", import.meta.url).href } },
  );
  t.after(() => worker.terminate());
  assert.deepEqual(await woken, [[3, 4]]);
});
