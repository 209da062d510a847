import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { DebouncedTask } from "./debounced-task.ts";

/** A task on timers that the test moves on; `runs` counts how often it ran. */
function start(
  t: TestContext,
  run: () => Promise<void> = async () => {},
): { task: DebouncedTask; runs: () => number; pass: (ms: number) => Promise<void>; errors: unknown[] } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let nowMs = 0;
  let runs = 0;
  const errors: unknown[] = [];
  const task = new DebouncedTask({
    quietMs: 10,
    longestWaitMs: 100,
    clock: { wallMs: () => nowMs, monotonicMs: () => nowMs },
    run: () => {
      runs += 1;
      return run();
    },
    onError: (error) => errors.push(error),
  });
  const pass = async (ms: number): Promise<void> => {
    nowMs += ms;
    t.mock.timers.tick(ms);
    // Whatever the timers began has come to its end once the queue of microtasks is empty.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { task, runs: () => runs, pass, errors };
}

test("a burst of changes leads to one run, after the quiet time", async (t) => {
  const { task, runs, pass } = start(t);
  for (let count = 0; count < 5; count++) {
    task.touch();
    await pass(9);
  }
  assert.equal(runs(), 0);
  assert.equal(task.isPending, true);
  await pass(1);
  assert.equal(runs(), 1);
  assert.equal(task.isPending, false);
});

test("changes that never stop are taken all the same", async (t) => {
  const { task, runs, pass } = start(t);
  for (let ms = 0; ms < 300; ms += 5) {
    task.touch();
    await pass(5);
  }
  assert.equal(runs(), 3);
});

test("a change during a run leads to another run, after it", async (t) => {
  const first = Promise.withResolvers<void>();
  const { task, runs, pass } = start(t, () => (runs() === 1 ? first.promise : Promise.resolve()));
  task.touch();
  await pass(10);
  task.touch();
  await pass(10);
  assert.equal(runs(), 1, "runs follow each other");
  first.resolve();
  await pass(0);
  assert.equal(runs(), 2);
});

test("a run that fails is reported, and the next change runs", async (t) => {
  const { task, runs, pass, errors } = start(t, () =>
    runs() === 1 ? Promise.reject(new Error("no")) : Promise.resolve(),
  );
  task.touch();
  await pass(10);
  assert.match(String(errors[0]), /no/);
  task.touch();
  await pass(10);
  assert.equal(runs(), 2);
  assert.equal(errors.length, 1);
});

test("a run without waiting tells its caller how it ended, and nobody else", async (t) => {
  const { task, errors } = start(t, () => Promise.reject(new Error("no")));
  await assert.rejects(task.runNow(), /no/);
  assert.deepEqual(errors, []);
});

test("after the close nothing runs", async (t) => {
  const { task, runs, pass } = start(t);
  task.touch();
  task.close();
  task.touch();
  await pass(1000);
  await task.runNow();
  assert.equal(runs(), 0);
});
