/** Label names and values in the order in which they are printed. */
export type Labels = readonly (readonly [name: string, value: string])[];

export type MetricKind = "counter" | "gauge" | "histogram";

/** What all series of one metric share. */
export interface MetricFamily {
  readonly kind: MetricKind;
  /** Prometheus name: `[a-zA-Z_:][a-zA-Z0-9_:]*`. */
  readonly name: string;
  readonly help: string;
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. Empty for other kinds. */
  readonly bounds: readonly number[];
}

/**
 * Tells a reader where the values of a new series are. It is a structured-clonable record, so that a worker can
 * post it to the main thread; the buffer is shared, not copied.
 *
 * Cells from `offset`: a counter and a gauge have one; a histogram has one for each bound, one for +Inf (each the
 * count of that bucket alone, not cumulative), then the sum.
 */
export interface SeriesAnnouncement {
  readonly family: MetricFamily;
  readonly labels: Labels;
  /** Envoy's dotted name (`cluster.web.upstream_rq_total`) for `/stats`; empty when the metric has none. */
  readonly dotted: string;
  readonly buffer: SharedArrayBuffer;
  readonly offset: number;
}

/** One metric of a {@link BlockShape}: a counter or a gauge, which take one cell each. */
export interface BlockMetric {
  readonly family: MetricFamily;
  /** Last part of Envoy's dotted name. */
  readonly stat: string;
}

/** The metrics that each thing of one kind has, say each cluster. A metric is of one shape at most, and of a shape or by itself, never both. */
export type BlockShape = readonly BlockMetric[];

/** As {@link SeriesAnnouncement}, of the series of one thing, which all have its labels. One cell each from `offset`, in the order of the shape. */
export interface BlockAnnouncement {
  readonly shape: BlockShape;
  readonly labels: Labels;
  /** Envoy's dotted names are this, a dot and each metric's `stat`. */
  readonly prefix: string;
  readonly buffer: SharedArrayBuffer;
  readonly offset: number;
}

export type MetricAnnouncement = SeriesAnnouncement | BlockAnnouncement;

/** Number of Float64 cells that one series of the family takes. */
export function cellsOf(family: MetricFamily): number {
  return family.kind === "histogram" ? family.bounds.length + 2 : 1;
}

/**
 * Envoy's default histogram buckets (stats.proto `HistogramBucketSettings`), which Istio's metrics use for
 * milliseconds and bytes alike.
 */
export const defaultBounds: readonly number[] = [
  0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
  3_600_000,
];
