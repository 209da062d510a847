import type { CounterHandle, HistogramHandle, MetricWriter } from "./metric-writer.ts";
import type { Labels } from "./series.ts";

/** What Istio's labels say of one workload. A value that is not known is the empty string, printed as `unknown`. */
export interface WorkloadLabels {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
}

export const unknownWorkload: WorkloadLabels = {
  workload: "",
  namespace: "",
  canonicalService: "",
  canonicalRevision: "",
  app: "",
  version: "",
  cluster: "",
};

/** Both ends of a request, and the service that was asked for. */
export interface TrafficEnds {
  readonly source: WorkloadLabels;
  /** The identity by which the caller went on this connection, `spiffe://…`; empty when it showed none. */
  readonly sourcePrincipal: string;
  readonly destination: WorkloadLabels;
  /** Likewise of who was asked. */
  readonly destinationPrincipal: string;
  /** Host of the service (`reviews.default.svc.cluster.local`), its short name and namespace. */
  readonly destinationService: string;
  readonly destinationServiceName: string;
  readonly destinationServiceNamespace: string;
  readonly requestProtocol: "http" | "grpc";
  /** The destination knows whether mutual TLS was used; at the source Istio says `unknown`. */
  readonly connectionSecurityPolicy: "mutual_tls" | "none" | "unknown";
}

const orUnknown = (value: string): string => (value === "" ? "unknown" : value);

/** Istio calls the revision of a workload that has no version `latest`; of a peer that is not known it says `unknown`. */
function revisionOf(workload: WorkloadLabels): string {
  if (workload.canonicalRevision !== "") return workload.canonicalRevision;
  return workload.workload === "" ? "unknown" : "latest";
}

/** Istio's labels in Istio's order (istio.io, reference/config/metrics), up to the protocol. */
function endLabels(reporter: "source" | "destination", ends: TrafficEnds): [string, string][] {
  const { source, destination } = ends;
  return [
    ["reporter", reporter],
    ["source_workload", orUnknown(source.workload)],
    ["source_canonical_service", orUnknown(source.canonicalService)],
    ["source_canonical_revision", revisionOf(source)],
    ["source_workload_namespace", orUnknown(source.namespace)],
    ["source_principal", orUnknown(ends.sourcePrincipal)],
    ["source_app", orUnknown(source.app)],
    ["source_version", orUnknown(source.version)],
    ["source_cluster", orUnknown(source.cluster)],
    ["destination_workload", orUnknown(destination.workload)],
    ["destination_workload_namespace", orUnknown(destination.namespace)],
    ["destination_principal", orUnknown(ends.destinationPrincipal)],
    ["destination_app", orUnknown(destination.app)],
    ["destination_version", orUnknown(destination.version)],
    ["destination_service", orUnknown(ends.destinationService)],
    ["destination_canonical_service", orUnknown(destination.canonicalService)],
    ["destination_canonical_revision", revisionOf(destination)],
    ["destination_service_name", orUnknown(ends.destinationServiceName)],
    ["destination_service_namespace", orUnknown(ends.destinationServiceNamespace)],
    ["destination_cluster", orUnknown(destination.cluster)],
    ["request_protocol", ends.requestProtocol],
  ];
}

interface RequestSeries {
  readonly requests: CounterHandle;
  readonly duration: HistogramHandle;
  readonly requestBytes: HistogramHandle;
  readonly responseBytes: HistogramHandle;
}

/** The series of one pair of ends. Made once, kept by connection or endpoint; `record` finds its cells by status. */
export class TrafficMetrics {
  readonly #writer: MetricWriter;
  readonly #labels: readonly [string, string][];
  readonly #securityPolicy: string;
  /** By status, for HTTP requests without response flags. */
  readonly #plain: (RequestSeries | undefined)[] = [];
  readonly #other = new Map<string, RequestSeries>();

  constructor(writer: MetricWriter, reporter: "source" | "destination", ends: TrafficEnds) {
    this.#writer = writer;
    this.#labels = endLabels(reporter, ends);
    this.#securityPolicy = ends.connectionSecurityPolicy;
  }

  /**
   * Counts one finished request.
   * @param responseCode HTTP status; 0 when the caller left before there was one.
   * @param grpcStatus Of a gRPC call, whose series alone have the label (Istio's `grpc_response_status`); -1: none.
   * @param responseFlags Envoy's flags, comma-separated; empty when there is none (printed `-`).
   */
  record(
    responseCode: number,
    grpcStatus: number,
    responseFlags: string,
    durationMs: number,
    requestBytes: number,
    responseBytes: number,
  ): void {
    const series = this.#find(responseCode, grpcStatus, responseFlags);
    series.requests.add(1);
    series.duration.observe(durationMs);
    series.requestBytes.observe(requestBytes);
    series.responseBytes.observe(responseBytes);
  }

  #find(code: number, grpcStatus: number, flags: string): RequestSeries {
    if (flags === "" && grpcStatus < 0) return (this.#plain[code] ??= this.#make(code, grpcStatus, "-"));
    // A status is the application's word: what is no status of gRPC's makes no series of its own.
    const known = grpcStatus > 16 ? 2 : grpcStatus;
    const key = `${code} ${known} ${flags}`;
    let series = this.#other.get(key);
    if (series === undefined) this.#other.set(key, (series = this.#make(code, known, flags === "" ? "-" : flags)));
    return series;
  }

  #make(code: number, grpcStatus: number, flags: string): RequestSeries {
    const labels: Labels = [
      ...this.#labels,
      ["response_code", String(code)],
      ...(grpcStatus < 0 ? [] : ([["grpc_response_status", String(grpcStatus)]] as const)),
      ["response_flags", flags],
      ["connection_security_policy", this.#securityPolicy],
    ];
    const writer = this.#writer;
    return {
      requests: writer.counter("istio_requests_total", "Requests handled by the proxy.", labels),
      duration: writer.histogram(
        "istio_request_duration_milliseconds",
        "Duration of requests in milliseconds.",
        labels,
      ),
      requestBytes: writer.histogram("istio_request_bytes", "Size of request bodies in bytes.", labels),
      responseBytes: writer.histogram("istio_response_bytes", "Size of response bodies in bytes.", labels),
    };
  }
}

/** Istio's standard metrics of one proxy and one direction; gives out the series for each pair of ends. */
export class StandardMetrics {
  readonly #writer: MetricWriter;
  readonly #reporter: "source" | "destination";
  readonly #known = new Map<string, TrafficMetrics>();

  constructor(writer: MetricWriter, reporter: "source" | "destination") {
    this.#writer = writer;
    this.#reporter = reporter;
  }

  /** The series for these ends. Costs a string of all labels: keep the result for as long as the ends stay. */
  bind(ends: TrafficEnds): TrafficMetrics {
    const key = endLabels(this.#reporter, ends)
      .map(([, value]) => value)
      .concat(ends.connectionSecurityPolicy)
      .join("\0");
    let metrics = this.#known.get(key);
    if (metrics === undefined) this.#known.set(key, (metrics = new TrafficMetrics(this.#writer, this.#reporter, ends)));
    return metrics;
  }
}
