import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeBars } from "./bars.ts";
import type { ScenarioResult } from "./report.ts";

const bar = [{ scenario: "http1-64", peer: "nginx", atMost: 2 }];

function measured(figures: Readonly<Record<string, readonly number[]>>): ScenarioResult[] {
  return [
    {
      scenario: { name: "http1-64", title: "", headline: "cpuUsPerRequest" },
      peers: Object.entries(figures).map(([peer, values]) => ({
        peer,
        rounds: values.map((cpuUsPerRequest) => ({ cpuUsPerRequest })),
      })),
      failures: [],
    },
  ];
}

test("a bar is judged by the ratio of medians, and one that cannot be judged says so", () => {
  const verdicts = (figures: Readonly<Record<string, readonly number[]>>) => judgeBars(measured(figures), bar);
  assert.deepEqual(verdicts({ heddle: [90, 20, 19], nginx: [10, 10, 1] }), [
    { text: "√ http1-64: at most 2 × nginx: 2.00", holds: true },
  ]);
  assert.deepEqual(verdicts({ heddle: [21], nginx: [10] }), [
    { text: "× http1-64: at most 2 × nginx: 2.10", holds: false },
  ]);
  for (const figures of [{ heddle: [1] }, { heddle: [1], nginx: [] }, { heddle: [], nginx: [1] }]) {
    assert.deepEqual(verdicts(figures), [
      { text: "? http1-64: at most 2 × nginx: NOT JUDGED, nginx was not measured", holds: undefined },
    ]);
  }
  assert.deepEqual(judgeBars([], bar), []);
});
