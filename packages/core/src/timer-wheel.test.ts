import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { TimerHandle } from "./timer-wheel.ts";
import { TimerWheel } from "./timer-wheel.ts";

function recorder(fired: string[], name: string, also: () => void = () => {}): { onTimer(): void } {
  return {
    onTimer() {
      fired.push(name);
      also();
    },
  };
}

test("a timer fires once, not before its delay, and at most two ticks late", () => {
  const fired: string[] = [];
  const wheel = new TimerWheel(10, 1000);
  wheel.schedule(25, recorder(fired, "a"));
  for (const now of [1010, 1020, 1024.9]) wheel.advance(now);
  assert.deepEqual(fired, []);
  wheel.advance(1045);
  wheel.advance(2000);
  assert.deepEqual(fired, ["a"]);
  assert.equal(wheel.size, 0);
});

test("timers fire in the order of their expiry after a long pause", () => {
  const fired: string[] = [];
  const wheel = new TimerWheel(10, 0);
  wheel.schedule(60_000, recorder(fired, "late"));
  wheel.schedule(11_000, recorder(fired, "middle"));
  wheel.schedule(30, recorder(fired, "early"));
  wheel.schedule(7_200_000, recorder(fired, "tomorrow"));
  wheel.advance(3_600_000);
  assert.deepEqual(fired, ["early", "middle", "late"]);
  assert.equal(wheel.size, 1);
});

test("a cancelled timer does not fire, and cancelling twice is harmless", () => {
  const fired: string[] = [];
  const wheel = new TimerWheel(10, 0);
  const handle = wheel.schedule(10, recorder(fired, "a"));
  wheel.cancel(handle);
  wheel.cancel(handle);
  wheel.advance(1000);
  assert.deepEqual(fired, []);
  assert.equal(wheel.size, 0);
});

test("a target may cancel a neighbour that is due in the same call", () => {
  const fired: string[] = [];
  const wheel = new TimerWheel(10, 0);
  const handles: TimerHandle[] = [];
  handles.push(
    wheel.schedule(
      10,
      recorder(fired, "first", () => handles.forEach((handle) => wheel.cancel(handle))),
    ),
  );
  handles.push(wheel.schedule(10, recorder(fired, "second")));
  wheel.advance(100);
  assert.deepEqual(fired, ["first"]);
  assert.equal(wheel.size, 0);
});

test("a target may arm its timer again; it fires in a later call", () => {
  const fired: string[] = [];
  const wheel = new TimerWheel(10, 0);
  const again = recorder(fired, "again");
  wheel.schedule(
    0,
    recorder(fired, "first", () => wheel.schedule(0, again)),
  );
  wheel.advance(10);
  assert.deepEqual(fired, ["first"]);
  wheel.advance(20);
  assert.deepEqual(fired, ["first", "again"]);
});

test("a target that throws does not take the timers behind it with it", () => {
  const fired: string[] = [];
  const wheel = new TimerWheel(10, 0);
  wheel.schedule(10, {
    onTimer: () => {
      throw new Error("broken target");
    },
  });
  wheel.schedule(10, recorder(fired, "second"));
  assert.throws(() => wheel.advance(100), /broken target/);
  assert.deepEqual(fired, []);
  wheel.advance(100);
  assert.deepEqual(fired, ["second"]);
});

test("time that goes back is ignored", () => {
  const fired: string[] = [];
  const wheel = new TimerWheel(10, 0);
  wheel.advance(500);
  wheel.schedule(10, recorder(fired, "a"));
  wheel.advance(100);
  assert.deepEqual(fired, []);
  wheel.advance(520);
  assert.deepEqual(fired, ["a"]);
});

test("any mix of arming, cancelling and advancing fires each timer once, in time", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("schedule" as const), delay: fc.nat({ max: 30_000 }) }),
    fc.record({ kind: fc.constant("cancel" as const), index: fc.nat({ max: 50 }) }),
    fc.record({ kind: fc.constant("advance" as const), by: fc.oneof(fc.nat({ max: 40 }), fc.nat({ max: 40_000 })) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const wheel = new TimerWheel(10, 0);
      const timers: { due: number; handle: TimerHandle; state: "armed" | "fired" | "cancelled" }[] = [];
      let now = 0;
      for (const step of steps) {
        if (step.kind === "schedule") {
          const due = now + step.delay;
          const target = {
            onTimer() {
              assert.equal(timer.state, "armed");
              assert.ok(now >= due, "fired early");
              timer.state = "fired";
            },
          };
          const timer = {
            due,
            handle: wheel.schedule(step.delay, target),
            state: "armed" as "armed" | "fired" | "cancelled",
          };
          timers.push(timer);
        } else if (step.kind === "cancel") {
          const timer = timers[step.index];
          if (timer === undefined) continue;
          wheel.cancel(timer.handle);
          if (timer.state === "armed") timer.state = "cancelled";
        } else {
          now += step.by;
          wheel.advance(now);
          for (const timer of timers) assert.ok(timer.state !== "armed" || timer.due + 20 > now, "fired late");
        }
        assert.equal(wheel.size, timers.filter((timer) => timer.state === "armed").length);
      }
    }),
  );
});
