import type { CounterHandle, GaugeHandle } from "@heddle/telemetry";
import type { WorkerMetrics } from "./metrics.ts";

/** Envoy's statistics of one listener: `listener.<address>.*`. */
export class ListenerStats {
  readonly total: CounterHandle;
  readonly active: GaugeHandle;
  readonly inFilters: GaugeHandle;
  readonly overflow: CounterHandle;
  readonly noFilterChain: CounterHandle;
  readonly sslErrors: CounterHandle;
  readonly denied: CounterHandle;

  constructor(metrics: WorkerMetrics, name: string) {
    const labels = [["envoy_listener_address", name]] as const;
    const counter = (stat: string, help: string): CounterHandle =>
      metrics.writer.counter(`envoy_listener_${stat}`, help, labels, `listener.${name}.${stat}`);
    const gauge = (stat: string, help: string): GaugeHandle =>
      metrics.writer.gauge(`envoy_listener_${stat}`, help, labels, `listener.${name}.${stat}`);
    this.total = counter("downstream_cx_total", "Connections that passed the listener filters.");
    this.active = gauge("downstream_cx_active", "Connections open.");
    this.inFilters = gauge("downstream_pre_cx_active", "Accepted connections that are in the listener filters.");
    this.overflow = counter("downstream_cx_overflow", "Connections refused because too many were open.");
    this.noFilterChain = counter("no_filter_chain_match", "Connections that no filter chain wanted.");
    this.sslErrors = counter("ssl_connection_error", "TLS handshakes that failed.");
    this.denied = counter("rbac_denied", "Connections that policy denied.");
  }
  /** A connection has left the listener filters and is this listener's to serve. */
  countConnection(): void {
    this.inFilters.add(-1);
    this.total.add(1);
    this.active.add(1);
  }
}
