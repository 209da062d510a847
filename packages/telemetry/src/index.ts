export { compileAccessLogFormat, istioJsonFormat, istioTextFormat } from "./access-log/format.ts";
export type { AccessLogFormat, AccessLogFormatConfig, CompiledFormat, JsonFormat } from "./access-log/format.ts";
export { emptyAccessLogRecord } from "./access-log/record.ts";
export type { AccessLogRecord, HeaderLookup } from "./access-log/record.ts";
export { grpcStatusOf } from "./grpc-status.ts";
export { CarriedMetrics } from "./metrics/carried-series.ts";
export type { CarriedSeries } from "./metrics/carried-series.ts";
export { envoyStats, formatEnvoyStats, formatEnvoyStatsJson } from "./metrics/envoy-stats-text.ts";
export type { EnvoyStat } from "./metrics/envoy-stats-text.ts";
export { MetricReader } from "./metrics/metric-reader.ts";
export type { SeriesValues } from "./metrics/metric-reader.ts";
export { CounterHandle, GaugeHandle, HistogramHandle, MetricBlock, MetricWriter } from "./metrics/metric-writer.ts";
export type { MetricWriterOptions } from "./metrics/metric-writer.ts";
export { formatPrometheus, prometheusContentType } from "./metrics/prometheus-text.ts";
export { cellsOf, defaultBounds } from "./metrics/series.ts";
export type {
  BlockAnnouncement,
  BlockShape,
  Labels,
  MetricAnnouncement,
  MetricFamily,
  MetricKind,
} from "./metrics/series.ts";
export { StandardMetrics, TrafficMetrics, unknownWorkload } from "./metrics/standard-metrics.ts";
export type { TrafficEnds, WorkloadLabels } from "./metrics/standard-metrics.ts";
export { plainOperators } from "./access-log/operators.ts";
export { readTapConfig } from "./tap/config.ts";
export type { TapConfig, TapDirection } from "./tap/config.ts";
export { formatTapEvent, shownHeaders, shownText } from "./tap/event.ts";
export type { TapEndReason, TapEvent, TapPeer, TapRequest } from "./tap/event.ts";
export { matchesTap } from "./tap/match.ts";
