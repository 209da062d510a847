import type { Sample } from "./prometheus-text.ts";

/** What one service did within a window, from the metrics of the proxies beside its replicas. */
export interface ServiceFigures {
  readonly service: string;
  readonly requestsPerSecond: number;
  /** Share of answers that are no server's error; NaN without requests. */
  readonly successRate: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

/** Totals of one service since its proxies were started. */
export interface ServiceTotals {
  requests: number;
  errors: number;
  /** Upper bound in milliseconds → requests that took at most that long. */
  readonly buckets: Map<number, number>;
}

export const requestsMetric = "istio_requests_total";
export const durationMetric = "istio_request_duration_milliseconds_bucket";

export function emptyTotals(): ServiceTotals {
  return { requests: 0, errors: 0, buckets: new Map() };
}

/** Adds the samples that a proxy reports as the server's side. */
export function addSamples(totals: Map<string, ServiceTotals>, samples: readonly Sample[]): void {
  for (const { name, labels, value } of samples) {
    if (labels["reporter"] !== "destination") continue;
    const service = labels["destination_canonical_service"] ?? labels["destination_service_name"] ?? "unknown";
    let own = totals.get(service);
    if (own === undefined) totals.set(service, (own = emptyTotals()));
    if (name === requestsMetric) {
      own.requests += value;
      if (labels["response_code"]?.startsWith("5") === true || labels["response_code"] === "0") own.errors += value;
    } else if (name === durationMetric) {
      const bound = labels["le"] === "+Inf" ? Infinity : Number(labels["le"]);
      own.buckets.set(bound, (own.buckets.get(bound) ?? 0) + value);
    }
  }
}

/** What happened between two sums. A proxy that was started again counts from zero: what is missing then is not made up. */
export function figuresBetween(
  service: string,
  before: ServiceTotals,
  after: ServiceTotals,
  seconds: number,
): ServiceFigures {
  const requests = Math.max(0, after.requests - before.requests);
  const errors = Math.max(0, after.errors - before.errors);
  const buckets = [...after.buckets]
    .map(([bound, count]) => ({ bound, count: Math.max(0, count - (before.buckets.get(bound) ?? 0)) }))
    .sort((a, b) => a.bound - b.bound);
  return {
    service,
    requestsPerSecond: requests / seconds,
    successRate: (requests - errors) / requests,
    p50Ms: quantile(buckets, 0.5),
    p95Ms: quantile(buckets, 0.95),
    p99Ms: quantile(buckets, 0.99),
  };
}

/** As Prometheus' histogram_quantile: linear within a bucket, the highest finite bound for what lies above it. */
export function quantile(buckets: readonly { readonly bound: number; readonly count: number }[], rank: number): number {
  const total = buckets.at(-1)?.count ?? 0;
  if (total === 0) return Number.NaN;
  let lower = 0;
  let below = 0;
  for (const { bound, count } of buckets) {
    if (count >= rank * total) {
      return bound === Infinity ? lower : lower + ((bound - lower) * (rank * total - below)) / (count - below);
    }
    lower = bound;
    below = count;
  }
  return lower;
}
