import assert from "node:assert/strict";
import { test } from "node:test";
import { matchesSource } from "./match.ts";

test("4.4 a match that names gateways holds for a workload only when mesh is among them", () => {
  const source = { labels: {}, namespace: "default" };
  // `api` accepts only mesh so far.
  const named = (...gateways: string[]) => matchesSource({ gateways: gateways as "mesh"[] }, source);
  assert.deepEqual([named("edge"), named("edge", "mesh"), named("mesh"), named()], [false, true, true, true]);
});
