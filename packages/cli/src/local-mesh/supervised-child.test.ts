import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { test } from "node:test";
import type { SupervisedChildOptions } from "./supervised-child.ts";
import { SupervisedChild } from "./supervised-child.ts";

/** A child with a list of what happened to it, and a promise for each start. */
function supervise(script: string, options: Partial<SupervisedChildOptions> = {}) {
  const events: string[] = [];
  const starts: ((child: ChildProcess) => void)[] = [];
  const pending: ChildProcess[] = [];
  const child = new SupervisedChild({
    name: "test",
    start: () => spawn("/bin/sh", ["-c", script], { stdio: "ignore" }),
    signal: (process, signal) => process.kill(signal),
    onStarted: (process) => {
      events.push("started");
      const waiter = starts.shift();
      if (waiter === undefined) pending.push(process);
      else waiter(process);
    },
    onEnded: () => events.push("ended"),
    onCrash: (how) => events.push(`crash: ${how}`),
    ...options,
  });
  const started = (): Promise<ChildProcess> => {
    const known = pending.shift();
    return known === undefined ? new Promise((resolve) => starts.push(resolve)) : Promise.resolve(known);
  };
  return { child, events, started };
}

test("what ends unasked is started again", { timeout: 20_000 }, async () => {
  const { child, events, started } = supervise("exec sleep 1000");
  child.start();
  const first = await started();
  child.kill();
  const second = await started();
  assert.notEqual(first.pid, second.pid);
  await child.stop(1000);
  assert.deepEqual(events, ["started", "ended", "crash: SIGKILL", "started", "ended"]);
  assert.equal(child.pid, undefined);
});

test("a program that cannot be started is tried again, and stop ends that", { timeout: 20_000 }, async () => {
  const { child, events, started } = supervise("", { start: () => spawn("/no/such/program") });
  child.start();
  await started();
  await started();
  await child.stop(1000);
  assert.deepEqual(events.slice(0, 4), ["started", "ended", "crash: spawn /no/such/program ENOENT", "started"]);
});

test("killed and held it stays away until it is released", { timeout: 20_000 }, async () => {
  const { child, events, started } = supervise("exec sleep 1000");
  child.start();
  await started();
  await child.killAndHold();
  assert.deepEqual(events, ["started", "ended"]);
  assert.equal(child.pid, undefined);
  child.release();
  await started();
  await child.stop(1000);
});

test("who does not end on SIGTERM is killed when the grace is over", { timeout: 20_000 }, async () => {
  const { child, started } = supervise("trap '' TERM; while :; do sleep 0.1; done");
  child.start();
  const process = await started();
  await child.stop(50);
  assert.notEqual(process.signalCode ?? process.exitCode, null);
});

test("nothing is started after stop", async () => {
  const { child, events } = supervise("exec sleep 1000");
  await child.stop(10);
  child.start();
  assert.deepEqual(events, []);
});
