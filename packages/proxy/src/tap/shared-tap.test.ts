import assert from "node:assert/strict";
import { test } from "node:test";
import { maxWaitingCharacters, SharedTap } from "./shared-tap.ts";

test("a second has its requests, whichever worker takes them, and the next has its own", () => {
  const one = SharedTap.create();
  const other = new SharedTap(one.buffer);
  const at = Date.UTC(2026, 0, 2, 3, 4, 5);
  assert.deepEqual(
    [one, other, one, other].map((tap) => tap.takeRequest(3, at)),
    [true, true, true, false],
  );
  assert.equal(one.takeRequest(3, at + 999), false);
  assert.equal(other.takeRequest(3, at + 1_000), true);
  assert.equal(one.omittedRequests, 2);
});

test("the most that may be asked for fits into a second", () => {
  const tap = SharedTap.create();
  for (let count = 0; count < 10_000; count += 1) assert.ok(tap.takeRequest(10_000, 5_000));
  assert.equal(tap.takeRequest(10_000, 5_000), false);
});

test("what is on its way has a bound for all workers together, and what is left out is counted", () => {
  const one = SharedTap.create();
  const other = new SharedTap(one.buffer);
  assert.ok(one.reserve(maxWaitingCharacters - 10));
  assert.equal(other.reserve(11), false);
  assert.ok(other.reserve(10));
  assert.equal(one.omittedEvents, 1);
  one.release(5);
  assert.ok(other.reserve(5));
  assert.equal(other.omittedEvents, 1);
});
