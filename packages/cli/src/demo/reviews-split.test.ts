import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outcome } from "./edge-client.ts";
import { hadBegun, hasFailed } from "./edge-client.ts";
import { countSplit, deviations, isSplit } from "./reviews-split.ts";

function outcome(parts: Partial<Outcome>): Outcome {
  return {
    method: "GET",
    path: "/api/reviews/1",
    startedMs: 0,
    endedMs: 1,
    status: 200,
    body: "",
    error: "",
    ...parts,
  };
}

test("versions are counted from bodies of reviews alone", () => {
  const outcomes = [
    outcome({ body: '{"version":"v1"}' }),
    outcome({ body: '{"version":"v2"}' }),
    outcome({ body: '{"version":"v3"}' }),
    outcome({ body: "not json" }),
    outcome({ status: 503, body: '{"version":"v2"}' }),
    outcome({ path: "/api/books/1", body: '{"version":"v2"}' }),
  ];
  assert.deepEqual(countSplit(outcomes), { total: 3, v2: 1, others: 1 });
});

const splits: readonly {
  title: string;
  total: number;
  v2: number;
  others?: number;
  share: number;
  expected: boolean;
}[] = [
  { title: "what is expected", total: 2000, v2: 200, share: 0.1, expected: true },
  { title: "just within 5σ", total: 2000, v2: 200 + 67, share: 0.1, expected: true },
  { title: "just outside 5σ", total: 2000, v2: 200 + 68, share: 0.1, expected: false },
  { title: "too few", total: 2000, v2: 200 - 68, share: 0.1, expected: false },
  { title: "a stranger among the answers", total: 2000, v2: 200, others: 1, share: 0.1, expected: false },
  { title: "no answers at all", total: 0, v2: 0, share: 0.1, expected: false },
  { title: "all of them, when all are wanted", total: 100, v2: 100, share: 1, expected: true },
  { title: "all but one, when all are wanted", total: 100, v2: 99, share: 1, expected: false },
];

for (const { title, total, v2, others = 0, share, expected } of splits) {
  test(`a split of ${share}: ${title} ${expected ? "holds" : "does not hold"}`, () => {
    assert.equal(isSplit({ total, v2, others }, share), expected);
  });
}

test("σ is the binomial distribution's", () => {
  assert.equal(deviations({ total: 100, v2: 60, others: 0 }, 0.5), 2);
});

const failures: readonly { title: string; parts: Partial<Outcome>; expected: boolean; begun?: boolean }[] = [
  { title: "no response has failed", parts: { status: 0, error: "socket hang up" }, expected: true },
  { title: "a server's error has failed", parts: { status: 503 }, expected: true },
  { title: "half a response has failed", parts: { status: 200, error: "aborted" }, expected: true, begun: true },
  {
    title: "a refusal has failed: what is asked for exists and is allowed",
    parts: { status: 403 },
    expected: true,
    begun: false,
  },
];

for (const { title, parts, expected, begun = false } of failures) {
  test(title, () => {
    assert.equal(hasFailed(outcome(parts)), expected);
    assert.equal(hadBegun(outcome(parts)), begun);
  });
}
