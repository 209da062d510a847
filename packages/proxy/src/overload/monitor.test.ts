import assert from "node:assert/strict";
import { test } from "node:test";
import { refuseDescriptors } from "@heddle/testkit";
import { sampleMemory } from "./monitor.ts";
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
