import assert from "node:assert/strict";
import { test } from "node:test";
import { RestartBackOff } from "./restart-back-off.ts";

test("restarts wait nothing at first, then twice as long each time up to ten seconds", () => {
  const backOff = new RestartBackOff(() => 1);
  const delays = Array.from({ length: 10 }, () => backOff.nextDelayMs(5));
  assert.deepEqual(delays, [0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
});

test("half of a delay is random", () => {
  const backOff = new RestartBackOff(() => 0);
  backOff.nextDelayMs(0);
  assert.equal(backOff.nextDelayMs(0), 50);
});

test("what lived long is restarted at once, and its crashes begin to count anew", () => {
  const backOff = new RestartBackOff(() => 1);
  for (let i = 0; i < 5; i++) backOff.nextDelayMs(5);
  assert.equal(backOff.nextDelayMs(60_000), 0);
  assert.equal(backOff.nextDelayMs(5), 100);
});
