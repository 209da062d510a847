import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseDescriptors } from "@heddle/testkit";
import { MetricReader, MetricWriter } from "@heddle/telemetry";
import { defaultOverload } from "./config.ts";
import { OverloadMonitor, sampleMemory } from "./monitor.ts";
import { SharedLoad } from "./shared-load.ts";

test("memory is looked at without a descriptor to read it with: the most that was ever in use stands for what is", () => {
  const load = SharedLoad.create(1);
  const before = sampleMemory(load);
  const giveBack = refuseDescriptors(process.pid);
  try {
    const without = sampleMemory(load);
    // The kernel counts in batches: about as much, and not nothing.
    assert.ok(without.residentBytes > before.residentBytes / 2);
    assert.equal(without.availableBytes, before.availableBytes);
  } finally {
    giveBack();
  }
});

test("triggers of one timer say how much it is reduced, whatever the action says", () => {
  const load = SharedLoad.create(1);
  const reader = new MetricReader();
  const writer = new MetricWriter({ announce: (series) => reader.add(series) });
  const monitor = "crowd";
  const when = (saturation: number) => [{ monitor, kind: "scaled" as const, scaling: 0, saturation }];
  const timerMinimums = [
    { timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE" as const, minMs: 0, minShare: 0, triggers: when(1) },
    { timer: "TRANSPORT_SOCKET_CONNECT" as const, minMs: 0, minShare: 0, triggers: [] },
  ];
  const overload = new OverloadMonitor(
    {
      ...defaultOverload,
      monitors: [{ kind: "connections", name: monitor, max: 4 }],
      actions: [{ action: "envoy.overload_actions.reduce_timeouts", triggers: when(0.5) }],
      timerMinimums,
    },
    load,
    writer,
    undefined,
  );
  load.addConnections(0, 1);
  overload.refresh();
  overload.stop();
  const left = timerMinimums.map(({ timer }) => 1_000 - load.reductionMs(timer, 1_000));
  assert.deepEqual(left, [750, 500]);
});
