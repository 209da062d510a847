import assert from "node:assert/strict";
import { test } from "node:test";
import type { Closeable } from "./lifecycle.ts";
import { Lifecycle } from "./lifecycle.ts";

const noDeadline = new AbortController().signal;

function part(events: string[], name: string): Closeable {
  return {
    drain: () => void events.push(`drain ${name}`),
    close: () => void events.push(`close ${name}`),
  };
}

test("drains and closes in reverse order, one after the other", async () => {
  const events: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.onDraining(() => events.push(`listener while ${lifecycle.state}`));
  for (const name of ["pool", "listener"]) lifecycle.register(name, part(events, name));
  const report = await lifecycle.drain(noDeadline);
  assert.deepEqual(events, ["listener while draining", "drain listener", "close listener", "drain pool", "close pool"]);
  assert.deepEqual(report, { late: [], failures: [] });
  assert.equal(lifecycle.state, "closed");
});

test("a part that never finishes draining is closed at the deadline, and named", async () => {
  const events: string[] = [];
  const deadline = new AbortController();
  const lifecycle = new Lifecycle();
  lifecycle.register("pool", part(events, "pool"));
  lifecycle.register("listener", {
    drain: () => new Promise(() => deadline.abort()),
    close: () => void events.push("close listener"),
  });
  const report = await lifecycle.drain(deadline.signal);
  assert.deepEqual(report.late, ["listener"]);
  assert.deepEqual(events, ["close listener", "close pool"]);
});

test("a part that throws is reported and the others are closed all the same", async () => {
  const events: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.register("pool", part(events, "pool"));
  lifecycle.register("broken", {
    drain: () => Promise.reject(new Error("drain failed")),
    close: () => {
      throw new Error("close failed");
    },
  });
  const report = await lifecycle.drain(noDeadline);
  assert.deepEqual(
    report.failures.map(({ name, error }) => `${name}: ${String(error)}`),
    ["broken: Error: drain failed", "broken: Error: close failed"],
  );
  assert.deepEqual(events, ["drain pool", "close pool"]);
});

test("what is given back is not closed", async () => {
  const events: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.register("a", part(events, "a"));
  lifecycle.register("b", part(events, "b"))();
  assert.deepEqual(lifecycle.names, ["a"]);
  await lifecycle.drain(noDeadline);
  assert.deepEqual(events, ["drain a", "close a"]);
});

test("draining twice is one drain", async () => {
  const events: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.register("a", part(events, "a"));
  const [first, second] = await Promise.all([lifecycle.drain(noDeadline), lifecycle.drain(noDeadline)]);
  assert.equal(first, second);
  assert.deepEqual(events, ["drain a", "close a"]);
});

test("what starts while draining is closed too; what starts after is refused", async () => {
  const events: string[] = [];
  const lifecycle = new Lifecycle();
  lifecycle.register("a", {
    drain: () => void lifecycle.register("newcomer", part(events, "newcomer")),
    close: () => void events.push("close a"),
  });
  await lifecycle.drain(noDeadline);
  assert.deepEqual(events, ["close a", "drain newcomer", "close newcomer"]);
  assert.throws(() => lifecycle.register("too late", part(events, "too late")), /already closed/);
});
