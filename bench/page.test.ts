import assert from "node:assert/strict";
import { test } from "node:test";
import { keep, pageWith } from "./page.ts";
import type { Report } from "./report.ts";

function report(date: string, figures: Readonly<Record<string, number>>): Report {
  return {
    date,
    machine: "a machine",
    rounds: 1,
    secondsPerRound: 4,
    versions: { heddle: "1" },
    missing: {},
    results: Object.entries(figures).map(([name, cpuUsPerRequest]) => ({
      scenario: { name, title: `title of ${name}`, headline: "cpuUsPerRequest" },
      peers: [
        { peer: "heddle", rounds: [{ cpuUsPerRequest }] },
        { peer: "nginx", rounds: [{ cpuUsPerRequest: 10 }] },
      ],
      failures: [],
    })),
  };
}

test("a new measurement takes the place of the older one of its scenario, in the order of the scenarios", () => {
  const first = keep([], report("2026-11-01", { "mtls-64": 1, "http1-64": 30, "no-scenario-any-more": 3 }));
  const second = keep(first, report("2026-11-02", { "http1-64": 15 }));
  assert.deepEqual(
    second.map(({ date, result }) => [result.scenario.name, date]),
    [
      ["http1-64", "2026-11-02"],
      ["mtls-64", "2026-11-01"],
    ],
  );
});

test("what failed is kept without the paths of the machine that it failed on", () => {
  const reason =
    "/root/.pyenv/shims/envoy did not become ready:\n[source/server/server.cc:1] error in '/tmp/bench-x/in.json' at file:///root/main.ts:1: http://127.0.0.1:1/a/b";
  const expected =
    "envoy did not become ready:\n[source/server/server.cc:1] error in 'in.json' at main.ts:1: http://127.0.0.1:1/a/b";
  const { results, ...rest } = report("2026-11-01", { "http1-64": 15 });
  const failed = { ...rest, results: results.map((result) => ({ ...result, failures: [{ peer: "envoy", reason }] })) };
  const kept = keep([], failed);
  assert.equal(kept[0]?.result.failures[0]?.reason, expected);
  // Of what was kept before, too.
  const again = keep([{ ...rest, result: failed.results[0]! }], report("2026-11-02", {}));
  assert.equal(again[0]?.result.failures[0]?.reason, expected);
});

test("the page says of each bar whether it holds and of each table when it was measured, and keeps the words around", () => {
  const kept = keep([], report("2026-11-01", { "http1-64": 15 }));
  const page = pageWith("before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n", kept);
  assert.match(page, /^before\n<!-- bench:begin -->\n\n## The bars\n\n- √ http1-64: at most 2 × nginx: 1\.50\n/);
  assert.match(page, /\n### title of http1-64 \(`http1-64`\)\n/);
  assert.match(page, /\nMeasured 2026-11-01 on a machine; 1 alternating rounds of 4 s/);
  assert.match(page, /\n<!-- bench:end -->\nafter\n$/);
  assert.doesNotMatch(page, /old/);
  assert.throws(() => pageWith("no marks", kept), /needs the lines <!-- bench:begin -->/);
});
