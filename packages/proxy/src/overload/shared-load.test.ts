import assert from "node:assert/strict";
import { test } from "node:test";
import { SharedLoad } from "./shared-load.ts";

const timer = "HTTP_DOWNSTREAM_CONNECTION_IDLE";
const half = { timer, minMs: 0, minShare: 0.5 } as const;
const twoSeconds = { timer, minMs: 2_000, minShare: 0 } as const;

// As Envoy's manual has it for 600 s with a minimum of 2 s: at three tenths from saturation 181.4 s are left.
const reductions: [title: string, minimum: typeof half | typeof twoSeconds, activity: number, left: number][] = [
  ["nothing while the action is not active", twoSeconds, 0, 600_000],
  ["in between, by how active it is", twoSeconds, 0.7, 181_400],
  ["all but the least time when it is fully active", twoSeconds, 1, 2_000],
  ["all but the least share when it is fully active", half, 1, 300_000],
];
for (const [title, minimum, activity, left] of reductions) {
  test(`reduce_timeouts takes away from a timer: ${title}`, () => {
    const load = SharedLoad.create(1);
    load.setTimerMinimum(minimum);
    load.setActivity("envoy.overload_actions.reduce_timeouts", activity);
    assert.equal(Math.round(600_000 - load.reductionMs(timer, 600_000)), left);
  });
}

test("reduce_timeouts leaves a timer alone that is not named, or has less than its minimum", () => {
  const load = SharedLoad.create(1);
  load.setTimerMinimum(twoSeconds);
  load.setActivity("envoy.overload_actions.reduce_timeouts", 1);
  assert.equal(load.reductionMs(timer, 1_000), 0);
  assert.equal(load.reductionMs("TRANSPORT_SOCKET_CONNECT", 600_000), 0);
});

test("a timer with triggers of its own is reduced as they say, and the others as the action says", () => {
  const load = SharedLoad.create(1);
  load.setTimerMinimum(half);
  load.setTimerMinimum({ ...half, timer: "TRANSPORT_SOCKET_CONNECT" });
  assert.equal(load.reducesTimeouts, false);
  load.setTimerActivity(timer, 0.5);
  assert.equal(load.reducesTimeouts, true);
  assert.deepEqual([load.reductionMs(timer, 1_000), load.reductionMs("TRANSPORT_SOCKET_CONNECT", 1_000)], [250, 0]);
  load.setTimerActivity(timer, 0);
  load.setActivity("envoy.overload_actions.reduce_timeouts", 1);
  assert.deepEqual([load.reductionMs(timer, 1_000), load.reductionMs("TRANSPORT_SOCKET_CONNECT", 1_000)], [0, 500]);
});
