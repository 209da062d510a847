import type { BoundCluster, LiveState } from "@heddle/engine";
import type { InspectionStat } from "@heddle/net";
import {
  type CounterHandle,
  type BlockShape,
  type GaugeHandle,
  type HistogramHandle,
  type MetricBlock,
  type MetricKind,
  type MetricWriter,
  StandardMetrics,
} from "@heddle/telemetry";
import type { CheckCount, LookupOutcome } from "@heddle/upstream";
import type { LoadShedPoint } from "../overload/config.ts";
import { resetStreamsCounter } from "../overload/reset-streams-counter.ts";
import { shedLoadCounter } from "../overload/shed-load-counter.ts";
import { Http2Stats } from "./http2-stats.ts";
import { lostOutcome, requestsEnded, requestsStarted } from "./ledger-names.ts";

/** How a request ended. Every request that began ends in exactly one of these. */
const outcomes = [
  "upstream_response",
  "local_response",
  "upstream_aborted",
  "local_aborted",
  "downstream_closed",
  lostOutcome,
] as const;
export type Outcome = (typeof outcomes)[number];

const classes = ["1", "2", "3", "4", "5"] as const;

/**
 * The promise that no request is lost track of, as two metrics: while nothing is in progress, `started` equals the sum of
 * `ended` over its outcomes.
 */
export class RequestLedger {
  readonly #started: CounterHandle;
  readonly #ended: Readonly<Record<Outcome, CounterHandle>>;

  constructor(writer: MetricWriter) {
    this.#started = writer.counter(
      requestsStarted,
      "Requests whose first byte was read, CONNECTs of carriers included.",
    );
    const ended = (outcome: Outcome): CounterHandle =>
      writer.counter(requestsEnded, "Requests that ended, by how.", [["outcome", outcome]]);
    this.#ended = Object.fromEntries(outcomes.map((outcome) => [outcome, ended(outcome)])) as Record<
      Outcome,
      CounterHandle
    >;
  }

  start(): void {
    this.#started.add(1);
  }

  end(outcome: Outcome): void {
    this.#ended[outcome].add(1);
  }
}

/** Envoy's statistics of one HTTP connection manager: `http.<stat_prefix>.*`. */
export class HttpStats {
  readonly connectionsTotal: CounterHandle;
  readonly http1ConnectionsTotal: CounterHandle;
  readonly http2ConnectionsTotal: CounterHandle;
  readonly connectionsActive: GaugeHandle;
  readonly idleConnections: CounterHandle;
  readonly agedConnections: CounterHandle;
  readonly requestLimitsReached: CounterHandle;
  readonly delayedCloses: CounterHandle;
  readonly requestsTotal: CounterHandle;
  readonly upgradesTotal: CounterHandle;
  readonly upgradesActive: GaugeHandle;
  readonly requestsActive: GaugeHandle;
  readonly requestsShed: CounterHandle;
  readonly routesShed: CounterHandle;
  readonly keepAlivesEnded: CounterHandle;
  readonly requestTimeMs: HistogramHandle;
  readonly requestTimeouts: CounterHandle;
  readonly idleStreams: CounterHandle;
  readonly agedStreams: CounterHandle;
  readonly protocolErrors: CounterHandle;
  readonly pausedReading: CounterHandle;
  readonly resumedReading: CounterHandle;
  readonly remoteDisconnects: CounterHandle;
  readonly tooManyPrematureResets: CounterHandle;
  readonly retriesAbandoned: CounterHandle;
  readonly #byClass: readonly CounterHandle[];

  constructor(writer: MetricWriter, prefix: string) {
    const labels = [["envoy_http_conn_manager_prefix", prefix]] as const;
    const counter = (name: string, help: string): CounterHandle =>
      writer.counter(`envoy_http_${name}`, help, labels, `http.${prefix}.${name}`);
    const gauge = (name: string, help: string): GaugeHandle =>
      writer.gauge(`envoy_http_${name}`, help, labels, `http.${prefix}.${name}`);
    this.connectionsTotal = counter("downstream_cx_total", "Connections accepted.");
    this.http1ConnectionsTotal = counter("downstream_cx_http1_total", "Connections that spoke HTTP/1.");
    this.http2ConnectionsTotal = counter("downstream_cx_http2_total", "Connections that spoke HTTP/2.");
    this.connectionsActive = gauge("downstream_cx_active", "Connections open.");
    this.idleConnections = counter("downstream_cx_idle_timeout", "Connections ended without a request for too long.");
    this.agedConnections = counter("downstream_cx_max_duration_reached", "Connections that had lived their time.");
    this.requestLimitsReached = counter(
      "downstream_cx_max_requests_reached",
      "Connections that had carried as many requests as they may.",
    );
    this.delayedCloses = counter(
      "downstream_cx_delayed_close_timeout",
      "Connections cut off because their client did not close them behind the last word.",
    );
    this.upgradesTotal = counter("downstream_cx_upgrades_total", "Requests that were switched to another protocol.");
    this.upgradesActive = gauge("downstream_cx_upgrades_active", "Requests that carry another protocol now.");
    this.requestsTotal = counter("downstream_rq_total", "Requests begun.");
    this.requestsActive = gauge("downstream_rq_active", "Requests in progress.");
    this.requestTimeouts = counter("downstream_rq_timeout", "Requests that the client did not finish in time.");
    this.idleStreams = counter("downstream_rq_idle_timeout", "Requests on which nothing moved for too long.");
    this.agedStreams = counter("downstream_rq_max_duration_reached", "Requests that had lasted as long as they may.");
    this.protocolErrors = counter("downstream_cx_protocol_error", "Connections with malformed requests.");
    this.pausedReading = counter("downstream_flow_control_paused_reading_total", "Times that a client had to wait.");
    this.resumedReading = counter("downstream_flow_control_resumed_reading_total", "Times that it went on.");
    this.remoteDisconnects = counter("downstream_rq_rx_reset", "Requests whose client went away.");
    this.tooManyPrematureResets = counter(
      "downstream_rq_too_many_premature_resets",
      "Connections closed because most of their requests were reset soon after they came.",
    );
    this.retriesAbandoned = counter(
      "heddle_body_not_replayable",
      "Retries given up because the body was too long to keep.",
    );
    this.requestsShed = counter("downstream_rq_overload_close", "Requests refused by the overload manager.");
    this.routesShed = counter(
      "rq_overload_local_reply",
      "Requests refused by the overload manager where they would have gone to an upstream.",
    );
    this.keepAlivesEnded = counter(
      "downstream_cx_overload_disable_keepalive",
      "Connections ended after a response by the overload manager.",
    );
    this.requestTimeMs = writer.histogram("envoy_http_downstream_rq_time", "Time of requests in milliseconds.", labels);
    this.#byClass = classes.map((digit) =>
      writer.counter(
        "envoy_http_downstream_rq_xx",
        "Responses by the first digit of their status.",
        [...labels, ["envoy_response_code_class", digit]],
        `http.${prefix}.downstream_rq_${digit}xx`,
      ),
    );
  }

  countStatus(status: number): void {
    this.#byClass[Math.trunc(status / 100) - 1]?.add(1);
  }
}

/** Envoy's statistics of one cluster that count responses: `cluster.<name>.upstream_rq_*`. */
export class ClusterStats {
  readonly timeouts: CounterHandle;
  readonly perTryTimeouts: CounterHandle;
  readonly #byClass: readonly CounterHandle[];
  readonly #counter: (name: string, help: string) => CounterHandle;
  readonly #checkCounter: (what: CheckCount) => CounterHandle;
  readonly #checks = new Map<CheckCount, CounterHandle>();
  readonly #updates = new Map<LookupOutcome | "attempt", CounterHandle>();

  constructor(writer: MetricWriter, cluster: string) {
    const labels = [["envoy_cluster_name", cluster]] as const;
    const counter = (name: string, help: string): CounterHandle =>
      writer.counter(`envoy_cluster_${name}`, help, labels, `cluster.${cluster}.${name}`);
    this.#counter = counter;
    this.#checkCounter = (what) =>
      writer.counter(
        `envoy_cluster_health_check_${what}`,
        "Active health checks, by how they went.",
        labels,
        `cluster.${cluster}.health_check.${what}`,
      );
    this.timeouts = counter("upstream_rq_timeout", "Requests that got no response in the route's time.");
    this.perTryTimeouts = counter("upstream_rq_per_try_timeout", "Attempts that got no response in their time.");
    this.#byClass = classes.map((digit) =>
      writer.counter(
        "envoy_cluster_upstream_rq_xx",
        "Responses of endpoints by the first digit of their status.",
        [...labels, ["envoy_response_code_class", digit]],
        `cluster.${cluster}.upstream_rq_${digit}xx`,
      ),
    );
  }

  countStatus(status: number): void {
    this.#byClass[Math.trunc(status / 100) - 1]?.add(1);
  }

  /** A name of the cluster was looked up: `update_attempt`, and how it went. */
  countLookup(outcome: LookupOutcome): void {
    this.#update("attempt").add(1);
    // That there is no address was learnt without failure.
    if (outcome === "empty") this.#update("success").add(1);
    this.#update(outcome).add(1);
  }

  /** `health_check.*`. */
  countCheck(what: CheckCount): void {
    let counter = this.#checks.get(what);
    if (counter === undefined) {
      counter = this.#checkCounter(what);
      this.#checks.set(what, counter);
    }
    counter.add(1);
  }

  #update(name: LookupOutcome | "attempt"): CounterHandle {
    let counter = this.#updates.get(name);
    if (counter === undefined) {
      counter = this.#counter(`update_${name}`, "Look-ups of the cluster's names, by how they went.");
      this.#updates.set(name, counter);
    }
    return counter;
  }
}

/** Envoy's statistics of one TCP proxy: `tcp.<stat_prefix>.*`. */
export class TcpStats {
  readonly connections: CounterHandle;
  readonly noRoute: CounterHandle;
  readonly receivedBytes: CounterHandle;
  readonly sentBytes: CounterHandle;
  readonly idleTimeouts: CounterHandle;
  readonly aged: CounterHandle;
  readonly pausedReading: CounterHandle;
  readonly resumedReading: CounterHandle;
  readonly flushed: CounterHandle;
  readonly flushing: GaugeHandle;

  constructor(writer: MetricWriter, prefix: string) {
    const labels = [["envoy_tcp_prefix", prefix]] as const;
    const counter = (name: string, help: string): CounterHandle =>
      writer.counter(`envoy_tcp_${name}`, help, labels, `tcp.${prefix}.${name}`);
    this.connections = counter("downstream_cx_total", "Connections accepted.");
    this.noRoute = counter("downstream_cx_no_route", "Connections whose cluster there was not.");
    this.idleTimeouts = counter("idle_timeout", "Connections on which nothing moved for too long.");
    this.aged = counter("max_downstream_connection_duration", "Connections that had lived their time.");
    this.pausedReading = counter("downstream_flow_control_paused_reading_total", "Times that a client had to wait.");
    this.resumedReading = counter("downstream_flow_control_resumed_reading_total", "Times that it went on.");
    this.flushed = counter("upstream_flush_total", "Connections whose client was gone before all was written.");
    this.flushing = writer.gauge(
      "envoy_tcp_upstream_flush_active",
      "Such connections now.",
      labels,
      `tcp.${prefix}.upstream_flush_active`,
    );
    this.receivedBytes = counter("downstream_cx_rx_bytes_total", "Bytes received from clients.");
    this.sentBytes = counter("downstream_cx_tx_bytes_total", "Bytes sent to clients.");
  }
}

/** All metrics of one worker. */
export class WorkerMetrics {
  readonly writer: MetricWriter;
  readonly ledger: RequestLedger;
  readonly mirrored: CounterHandle;
  readonly mirrorsSkipped: CounterHandle;
  readonly accessLogLinesLost: CounterHandle;
  readonly #http = new Map<string, HttpStats>();
  readonly #clusters = new Map<string, ClusterStats>();
  /** Of clients' connections. */
  readonly http2: Http2Stats;
  readonly http1ResponseFloods: CounterHandle;
  readonly #clusterHttp2 = new Map<string, Http2Stats>();
  readonly #shedLoad = new Map<LoadShedPoint, CounterHandle>();
  readonly #inspections = new Map<string, CounterHandle>();
  readonly #tcp = new Map<string, TcpStats>();
  readonly #standard = new Map<string, StandardMetrics>();
  readonly #live = new Map<string, PublishedState>();
  readonly #counted = new WeakSet<BoundCluster>();

  constructor(writer: MetricWriter) {
    this.writer = writer;
    this.ledger = new RequestLedger(writer);
    this.http2 = new Http2Stats(writer, undefined);
    this.http1ResponseFloods = writer.counter(
      "envoy_http1_response_flood",
      "Connections closed because their client read none of the answers that it had asked for.",
      [],
      "http1.response_flood",
    );
    this.mirrored = writer.counter("heddle_mirrored_requests_total", "Copies of requests sent to mirrors.");
    this.mirrorsSkipped = writer.counter(
      "heddle_mirrors_skipped_total",
      "Copies not sent: too many at once, or a body too long to keep.",
    );
    this.accessLogLinesLost = writer.counter(
      "heddle_access_log_lines_lost_total",
      "Lines of access logs not written: too many waited, or the log could not be written.",
    );
  }

  http(prefix: string): HttpStats {
    let stats = this.#http.get(prefix);
    if (stats === undefined) this.#http.set(prefix, (stats = new HttpStats(this.writer, prefix)));
    return stats;
  }

  cluster(name: string): ClusterStats {
    let stats = this.#clusters.get(name);
    if (stats === undefined) this.#clusters.set(name, (stats = new ClusterStats(this.writer, name)));
    return stats;
  }

  /** Of connections to the endpoints of a cluster. */
  clusterHttp2(cluster: string): Http2Stats {
    let stats = this.#clusterHttp2.get(cluster);
    if (stats === undefined) this.#clusterHttp2.set(cluster, (stats = new Http2Stats(this.writer, cluster)));
    return stats;
  }

  tcp(prefix: string): TcpStats {
    let stats = this.#tcp.get(prefix);
    if (stats === undefined) this.#tcp.set(prefix, (stats = new TcpStats(this.writer, prefix)));
    return stats;
  }

  /**
   * What the listener filters found, by Envoy's names.
   *
   * @param prefix the filter's `stat_prefix`; empty: none
   */
  inspection(stat: InspectionStat, prefix: string): CounterHandle {
    const name = prefix === "" ? stat : stat.replace(".", `.${prefix}.`);
    let counter = this.#inspections.get(name);
    if (counter === undefined) {
      const labels = prefix === "" ? [] : ([["envoy_proxy_proto_prefix", prefix]] as const);
      const metric = `envoy_${stat.replaceAll(".", "_")}`;
      counter = this.writer.counter(metric, "What the first bytes of connections were found to be.", labels, name);
      this.#inspections.set(name, counter);
    }
    return counter;
  }

  /** `envoy.overload_actions.reset_high_memory_stream.count`. */
  streamsReset(count: number): void {
    resetStreamsCounter(this.writer).add(count);
  }

  /** `overload.<point>.shed_load_count`. */
  shedLoad(point: LoadShedPoint): CounterHandle {
    let counter = this.#shedLoad.get(point);
    if (counter === undefined) this.#shedLoad.set(point, (counter = shedLoadCounter(this.writer, point)));
    return counter;
  }

  /** A connection was closed by the filter `connection_limit`. */
  connectionsLimited(prefix: string): void {
    this.writer
      .counter(
        "envoy_connection_limit_limited_connections",
        "Connections above the limit of their filter chain.",
        [["envoy_connection_limit_prefix", prefix]],
        `connection_limit.${prefix}.limited_connections`,
      )
      .add(1);
  }

  standard(reporter: "source" | "destination"): StandardMetrics {
    let metrics = this.#standard.get(reporter);
    if (metrics === undefined) this.#standard.set(reporter, (metrics = new StandardMetrics(this.writer, reporter)));
    return metrics;
  }

  /**
   * Copies what balancing and pools count into the shared cells; called once a second, not on the request path.
   *
   * @param countsMembers of one worker alone: what all of them know would be summed
   */
  publish(live: LiveState, clusters: Iterable<BoundCluster>, countsMembers: boolean): void {
    for (const cluster of clusters) {
      const state = live.cluster(cluster);
      let published = this.#live.get(cluster.name);
      if (published === undefined) {
        published = new PublishedState(clusterBlock(this.writer, liveShape, cluster.name));
        this.#live.set(cluster.name, published);
      }
      published.update(state);
      if (countsMembers) this.#publishMembership(cluster);
    }
  }

  /** A bound cluster never changes: each is counted once. */
  #publishMembership(cluster: BoundCluster): void {
    if (this.#counted.has(cluster)) return;
    this.#counted.add(cluster);
    const block = clusterBlock(this.writer, membershipShape, cluster.name);
    const { endpoints } = cluster;
    const counts: Readonly<Record<Membership, number>> = {
      total: endpoints.length,
      healthy: endpoints.filter(({ health }) => health === "healthy").length,
      degraded: endpoints.filter(({ health }) => health === "degraded").length,
      excluded: endpoints.filter(({ health, activeHealth }) => health === "draining" || activeHealth === "pending")
        .length,
    };
    for (const [position, [, field]] of memberships.entries()) block.set(position, counts[field]);
  }
}

/** Rows of a cluster's block: kind, what it is in the engine, the last part of its name, help. */
type BlockRows = readonly (readonly [kind: MetricKind, field: string, name: string, help: string])[];

function clusterShape(rows: BlockRows): BlockShape {
  return rows.map(([kind, , name, help]) => ({
    family: { kind, name: `envoy_cluster_${name}`, help, bounds: [] },
    stat: name,
  }));
}

function clusterBlock(writer: MetricWriter, shape: BlockShape, cluster: string): MetricBlock {
  return writer.block(shape, [["envoy_cluster_name", cluster]], `cluster.${cluster}`);
}

const memberships = [
  ["gauge", "total", "membership_total", "Endpoints."],
  ["gauge", "healthy", "membership_healthy", "Endpoints that discovery and health checks call healthy."],
  ["gauge", "degraded", "membership_degraded", "Endpoints that are used when too few are healthy."],
  [
    "gauge",
    "excluded",
    "membership_excluded",
    "Endpoints that take part in nothing: they drain, or have not been checked.",
  ],
] as const;
type Membership = (typeof memberships)[number][1];
const membershipShape = clusterShape(memberships);

const liveNumbers = [
  ["gauge", "activeRequests", "upstream_rq_active", "Requests in progress."],
  ["gauge", "pendingRequests", "upstream_rq_pending_active", "Requests waiting for a connection."],
  ["gauge", "connections", "upstream_cx_active", "Connections open."],
  ["counter", "connectionsMade", "upstream_cx_total", "Connections begun."],
  ["counter", "requests", "upstream_rq_total", "Requests sent, retries included."],
  ["counter", "retries", "upstream_rq_retry", "Retries sent."],
  ["counter", "retryLimitExceeded", "upstream_rq_retry_limit_exceeded", "Requests whose attempts were used up."],
  ["counter", "requestOverflows", "upstream_rq_overflow", "Requests turned away by the limit of requests."],
  ["counter", "pendingOverflows", "upstream_rq_pending_overflow", "Requests turned away by the limit of waiting ones."],
  ["counter", "retryOverflows", "upstream_rq_retry_overflow", "Retries turned away by the limit of retries."],
  ["counter", "connectionOverflows", "upstream_cx_overflow", "Times that the limit of connections was met."],
  ["counter", "connectTimeouts", "upstream_cx_connect_timeout", "Connections that were not made in time."],
  ["counter", "readingPaused", "upstream_flow_control_paused_reading_total", "Times that an endpoint had to wait."],
  ["counter", "readingResumed", "upstream_flow_control_resumed_reading_total", "Times that it went on."],
  ["counter", "protocolErrors", "upstream_cx_protocol_error", "Answers that are no HTTP, or break a limit."],
] as const;
type LiveNumber = (typeof liveNumbers)[number][1];
const liveShape = clusterShape(liveNumbers);

/** How much of a cluster's live state its block holds. */
class PublishedState {
  readonly #block: MetricBlock;
  /** By position; of most clusters none has ever been anything but zero. */
  #numbers: number[] | undefined;

  constructor(block: MetricBlock) {
    this.#block = block;
  }

  update(state: Readonly<Record<LiveNumber, number>>): void {
    for (const [position, [kind, field]] of liveNumbers.entries()) {
      const value = state[field];
      const before = this.#numbers?.[position] ?? 0;
      if (value === before) continue;
      if (kind === "gauge") this.#block.set(position, value);
      // A cluster that was gone and is there again counts from zero.
      else this.#block.add(position, value < before ? value : value - before);
      this.#numbers ??= liveNumbers.map(() => 0);
      this.#numbers[position] = value;
    }
  }
}
