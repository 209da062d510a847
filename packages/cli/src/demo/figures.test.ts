import assert from "node:assert/strict";
import { test } from "node:test";
import { readSamples } from "./prometheus-text.ts";
import { addSamples, emptyTotals, figuresBetween, quantile } from "./service-figures.ts";
import type { ServiceTotals } from "./service-figures.ts";

const text = `# HELP istio_requests_total requests
# TYPE istio_requests_total counter
istio_requests_total{reporter="destination",response_code="200",destination_canonical_service="books"} 90
istio_requests_total{reporter="destination",response_code="503",destination_canonical_service="books"} 10
istio_requests_total{reporter="destination",response_code="403",destination_canonical_service="books"} 5
istio_requests_total{reporter="source",response_code="200",destination_canonical_service="books"} 1000
istio_request_duration_milliseconds_bucket{reporter="destination",destination_canonical_service="books",le="1"} 50
istio_request_duration_milliseconds_bucket{reporter="destination",destination_canonical_service="books",le="5"} 100
istio_request_duration_milliseconds_bucket{reporter="destination",destination_canonical_service="books",le="+Inf"} 105
odd{label="a \\"quoted\\" \\\\ back\\nslash"} 1e3 1700000000
`;

test("samples are read with their labels unescaped; comments and unwanted names are passed over", () => {
  assert.deepEqual(
    readSamples(text, (name) => name === "odd"),
    [{ name: "odd", labels: { label: 'a "quoted" \\ back\nslash' }, value: 1000 }],
  );
});

test("rate, success and latency come from what the server's side counted in the window", () => {
  const totals = new Map<string, ServiceTotals>();
  addSamples(
    totals,
    readSamples(text, () => true),
  );
  const after = totals.get("books");
  assert.ok(after !== undefined);
  const figures = figuresBetween("books", emptyTotals(), after, 10);
  assert.deepEqual([figures.requestsPerSecond, figures.successRate.toFixed(3)], [10.5, (95 / 105).toFixed(3)]);
  assert.deepEqual([figures.p99Ms, Math.round(figures.p50Ms * 100) / 100], [5, 1.2]);
  assert.equal(figuresBetween("books", after, after, 10).requestsPerSecond, 0);
});

test("a proxy that counts from zero again takes nothing away", () => {
  const before: ServiceTotals = { requests: 100, errors: 5, buckets: new Map([[1, 100]]) };
  const after: ServiceTotals = { requests: 3, errors: 0, buckets: new Map([[1, 3]]) };
  assert.equal(figuresBetween("books", before, after, 1).requestsPerSecond, 0);
});

const quantiles: readonly {
  title: string;
  buckets: readonly (readonly [number, number])[];
  rank: number;
  expected: number;
}[] = [
  {
    title: "within a bucket it is linear",
    buckets: [
      [10, 10],
      [20, 20],
    ],
    rank: 0.75,
    expected: 15,
  },
  { title: "in the first bucket it begins at zero", buckets: [[10, 10]], rank: 0.5, expected: 5 },
  {
    title: "above the highest bound it is that bound",
    buckets: [
      [10, 5],
      [Infinity, 10],
    ],
    rank: 0.99,
    expected: 10,
  },
  { title: "without observations there is none", buckets: [], rank: 0.5, expected: Number.NaN },
];

for (const { title, buckets, rank, expected } of quantiles) {
  test(`of a quantile: ${title}`, () => {
    assert.equal(
      quantile(
        buckets.map(([bound, count]) => ({ bound, count })),
        rank,
      ),
      expected,
    );
  });
}
