import assert from "node:assert/strict";
import { test } from "node:test";
import { growOutputBuffer, releaseOutputBuffer, takeOutputBuffer, widenOutputBuffer } from "./output-buffer.ts";

test("what is given back is empty and used again", () => {
  const first = takeOutputBuffer(10);
  first.used = 5;
  releaseOutputBuffer(first);
  const second = takeOutputBuffer(first.bytes.length);
  assert.equal(second, first);
  assert.equal(second.used, 0);
});

test("no buffer of the pool is larger than a whole read; who splits gets that one", () => {
  const largest = takeOutputBuffer(1 << 20);
  assert.equal(largest.bytes.length, 262_144 + 4_096);
  assert.equal(growOutputBuffer(largest, 1 << 20), largest);
});

test("content moves to a larger buffer, and the smaller one is free", () => {
  const small = takeOutputBuffer(3);
  small.used = small.bytes.write("abc");
  const larger = growOutputBuffer(small, 20_000);
  assert.ok(larger.bytes.length >= 20_003);
  assert.equal(larger.bytes.toString("latin1", 0, larger.used), "abc");
  assert.equal(takeOutputBuffer(1), small);
});

test("who cannot split gets memory of its own beyond the largest, which no pool keeps", () => {
  const small = takeOutputBuffer(3);
  small.used = small.bytes.write("abc");
  const huge = widenOutputBuffer(small, 1 << 20);
  assert.ok(huge.bytes.length >= (1 << 20) + 3);
  assert.equal(huge.bytes.toString("latin1", 0, huge.used), "abc");
  releaseOutputBuffer(huge);
  assert.notEqual(takeOutputBuffer(1 << 20), huge);
});
