import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultOverload, type ResourceMonitor, type Trigger } from "./config.ts";
import { activityOf, type MemorySample, pressureOf } from "./pressure.ts";

const GiB = 1024 ** 3;

function sample(more: Partial<MemorySample>): MemorySample {
  return { heaps: [], externalBytes: 0, residentBytes: 0, availableBytes: 8 * GiB, ...more };
}

const pressures: [title: string, monitor: ResourceMonitor, memory: MemorySample, connections: number, want: number][] =
  [
    ["connections", { kind: "connections", name: "c", max: 200 }, sample({}), 50, 0.25],
    [
      "a fixed heap counts all heaps, and what lies beside them",
      { kind: "fixed-heap", name: "h", maxBytes: 4 * GiB },
      sample({
        heaps: [
          { usedBytes: GiB, limitBytes: 4 * GiB },
          { usedBytes: GiB, limitBytes: 4 * GiB },
        ],
        externalBytes: GiB,
      }),
      0,
      0.75,
    ],
    [
      "memory is as full as the fullest heap",
      { kind: "memory", name: "m" },
      sample({
        heaps: [
          { usedBytes: GiB, limitBytes: 4 * GiB },
          { usedBytes: 2 * GiB, limitBytes: 4 * GiB },
        ],
        residentBytes: GiB,
      }),
      0,
      0.5,
    ],
    [
      "memory is as full as the process, whose buffers are in no heap",
      { kind: "memory", name: "m" },
      sample({ heaps: [{ usedBytes: GiB, limitBytes: 4 * GiB }], residentBytes: 6 * GiB }),
      0,
      0.75,
    ],
  ];
for (const [title, monitor, memory, connections, want] of pressures) {
  test(`the pressure of a resource: ${title}`, () => {
    assert.equal(pressureOf(monitor, memory, connections), want);
  });
}

test("a threshold is crossed at once; a scaled trigger grows between its two; the most active trigger counts", () => {
  const triggers: Trigger[] = [
    { monitor: "a", kind: "threshold", value: 0.9 },
    { monitor: "b", kind: "scaled", scaling: 0.5, saturation: 0.9 },
  ];
  const activity = (a: number, b: number): number =>
    activityOf(
      triggers,
      new Map([
        ["a", a],
        ["b", b],
      ]),
    );
  assert.deepEqual([activity(0.89, 0), activity(0.9, 0)], [0, 1]);
  assert.deepEqual([activity(0, 0.5), activity(0, 0.9)], [0, 1]);
  assert.ok(Math.abs(activity(0, 0.7) - 0.5) < 1e-9);
  assert.equal(activity(0.9, 0.7), 1);
  assert.equal(activityOf(triggers, new Map()), 0);
});

test("a proxy that nobody configured collects garbage and ends keep-alive at 95 % of its memory, and sheds requests at 98 %", () => {
  const active = (pressure: number): string[] =>
    defaultOverload.actions
      .filter(({ triggers }) => activityOf(triggers, new Map([["memory", pressure]])) === 1)
      .map(({ action }) => action.replace("envoy.overload_actions.", ""));
  assert.deepEqual(active(0.94), []);
  assert.deepEqual(active(0.95), ["shrink_heap", "disable_http_keepalive"]);
  assert.deepEqual(active(0.98), ["shrink_heap", "disable_http_keepalive", "stop_accepting_requests"]);
});
