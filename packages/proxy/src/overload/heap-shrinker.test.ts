import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricWriter } from "@heddle/telemetry";
import { HeapShrinker } from "./heap-shrinker.ts";
import { SharedLoad } from "./shared-load.ts";

test("the heap is collected while the action is fully active, once in its interval", () => {
  const load = SharedLoad.create(1);
  load.setShrinkInterval(30_000);
  const shrinker = new HeapShrinker(new MetricWriter({ announce: () => undefined }));
  const runs = (activity: number, atMs: number): boolean => {
    load.setActivity("envoy.overload_actions.shrink_heap", activity);
    return shrinker.run(load, atMs);
  };
  assert.deepEqual(
    [runs(0.9, 0), runs(1, 0), runs(1, 29_999), runs(0, 30_000), runs(1, 30_000), runs(1, 59_999)],
    [false, true, false, false, true, false],
  );
});
