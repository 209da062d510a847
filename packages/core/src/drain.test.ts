import assert from "node:assert/strict";
import { test } from "node:test";
import { Drain } from "./drain.ts";

test("waits for the last piece of work", async () => {
  const drain = new Drain();
  drain.enter();
  drain.enter();
  drain.begin();
  const idle = drain.whenIdle();
  drain.leave();
  assert.equal(drain.active, 1);
  drain.leave();
  assert.equal(await idle, "idle");
});

test("is idle at once when nothing is in progress", async () => {
  assert.equal(await new Drain().whenIdle(AbortSignal.abort()), "idle");
});

test("gives up at the deadline and keeps counting", async () => {
  const drain = new Drain();
  drain.enter();
  const deadline = new AbortController();
  const idle = drain.whenIdle(deadline.signal);
  deadline.abort();
  assert.equal(await idle, "deadline");
  assert.equal(await drain.whenIdle(deadline.signal), "deadline");
  drain.leave();
  assert.equal(await drain.whenIdle(), "idle");
});

test("tells each listener once that draining begins, late ones at once, withdrawn ones never", () => {
  const drain = new Drain();
  const heard: string[] = [];
  drain.onBegin(() => heard.push("a"));
  drain.onBegin(() => heard.push("withdrawn"))();
  drain.begin();
  drain.begin();
  drain.onBegin(() => heard.push("late"));
  assert.deepEqual(heard, ["a", "late"]);
  assert.equal(drain.isDraining, true);
});

test("a leave without an enter is a defect and says so", () => {
  assert.throws(() => new Drain().leave(), /without enter/);
});
