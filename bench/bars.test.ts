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

test("a bar may be of another figure than the headline, or of the figure itself without a peer", () => {
  const rate: ScenarioResult = {
    scenario: { name: "rate", title: "", headline: "p99Ms" },
    peers: [
      { peer: "heddle", rounds: [{ p50Ms: 3, p99Ms: 5, rssMb: 91 }] },
      { peer: "envoy", rounds: [{ p50Ms: 2, p99Ms: 10, rssMb: 60 }] },
    ],
    failures: [],
  };
  const wanted = [
    { scenario: "rate", peer: "envoy", atMost: 1 },
    { scenario: "rate", peer: "envoy", of: "p50Ms", atMost: 1 },
    { scenario: "rate", of: "rssMb", atMost: 90 },
    { scenario: "rate", of: "readyMs", atMost: 300 },
  ] as const;
  assert.deepEqual(judgeBars([rate], wanted), [
    { text: "√ rate: at most 1 × envoy: 0.50", holds: true },
    { text: "× rate p50Ms: at most 1 × envoy: 1.50", holds: false },
    { text: "× rate rssMb: at most 90: 91.00", holds: false },
    { text: "? rate readyMs: at most 300: NOT JUDGED, heddle was not measured", holds: undefined },
  ]);
});
