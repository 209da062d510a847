import type { ProtocolDecision } from "@heddle/net";
import type { CounterHandle, GaugeHandle } from "@heddle/telemetry";
import type { WorkerMetrics } from "./metrics.ts";

/** Envoy's statistics of one listener: `listener.<address>.*`. */
export class ListenerStats {
  readonly total: CounterHandle;
  readonly active: GaugeHandle;
  readonly #workerTotal: CounterHandle;
  readonly #workerActive: GaugeHandle;
  readonly inFilters: GaugeHandle;
  readonly filtersTimedOut: CounterHandle;
  readonly filtersFailed: CounterHandle;
  readonly closedInFilters: CounterHandle;
  readonly overflow: CounterHandle;
  readonly globalOverflow: CounterHandle;
  readonly overloadRejects: CounterHandle;
  readonly noFilterChain: CounterHandle;
  readonly sslErrors: CounterHandle;
  readonly handshakesTimedOut: CounterHandle;
  readonly denied: CounterHandle;

  readonly #metrics: WorkerMetrics;
  readonly #name: string;
  readonly #decided = new Map<ProtocolDecision | "declared", CounterHandle>();

  /** @param worker the number of this thread, for Envoy's `listener.<address>.worker_<id>.*` */
  constructor(metrics: WorkerMetrics, name: string, worker: number) {
    this.#metrics = metrics;
    this.#name = name;
    const labels = [["envoy_listener_address", name]] as const;
    const counter = (stat: string, help: string): CounterHandle =>
      metrics.writer.counter(`envoy_listener_${stat}`, help, labels, `listener.${name}.${stat}`);
    const gauge = (stat: string, help: string): GaugeHandle =>
      metrics.writer.gauge(`envoy_listener_${stat}`, help, labels, `listener.${name}.${stat}`);
    this.total = counter("downstream_cx_total", "Connections that passed the listener filters.");
    this.active = gauge("downstream_cx_active", "Connections open.");
    const ofWorker = [
      ["envoy_listener_address", name],
      ["envoy_worker_id", String(worker)],
    ] as const;
    const dotted = `listener.${name}.worker_${worker}`;
    this.#workerTotal = metrics.writer.counter(
      "envoy_listener_worker_downstream_cx_total",
      "Connections that one worker has served.",
      ofWorker,
      `${dotted}.downstream_cx_total`,
    );
    this.#workerActive = metrics.writer.gauge(
      "envoy_listener_worker_downstream_cx_active",
      "Connections open at one worker.",
      ofWorker,
      `${dotted}.downstream_cx_active`,
    );
    this.inFilters = gauge("downstream_pre_cx_active", "Accepted connections that are in the listener filters.");
    this.filtersTimedOut = counter("downstream_pre_cx_timeout", "Connections that said too little in time.");
    this.filtersFailed = counter("downstream_listener_filter_error", "Connections that a listener filter turned away.");
    this.closedInFilters = counter(
      "downstream_listener_filter_remote_close",
      "Connections that ended in the listener filters.",
    );
    this.overflow = counter("downstream_cx_overflow", "Connections refused because too many were open.");
    this.globalOverflow = counter(
      "downstream_global_cx_overflow",
      "Connections refused because too many were open on all listeners.",
    );
    this.overloadRejects = counter("downstream_cx_overload_reject", "Connections refused by the overload manager.");
    this.noFilterChain = counter("no_filter_chain_match", "Connections that no filter chain wanted.");
    this.sslErrors = counter("ssl_connection_error", "TLS handshakes that failed.");
    this.handshakesTimedOut = counter(
      "downstream_cx_transport_socket_connect_timeout",
      "TLS handshakes that did not end in time.",
    );
    this.denied = counter("rbac_denied", "Connections that policy denied.");
  }
  /** A connection has left the listener filters and is this listener's to serve. */
  countConnection(decision: ProtocolDecision | "declared"): void {
    let decided = this.#decided.get(decision);
    if (decided === undefined) {
      const help = "Connections, by what decided what they carry: configuration, or their first bytes.";
      const labels = [
        ["envoy_listener_address", this.#name],
        ["decision", decision],
      ] as const;
      decided = this.#metrics.writer.counter("heddle_listener_protocol_decisions_total", help, labels);
      this.#decided.set(decision, decided);
    }
    decided.add(1);
    this.inFilters.add(-1);
    this.total.add(1);
    this.active.add(1);
    this.#workerTotal.add(1);
    this.#workerActive.add(1);
  }

  /** A connection that was counted is gone. */
  countEnd(): void {
    this.active.add(-1);
    this.#workerActive.add(-1);
  }
}
