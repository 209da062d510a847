import type { CounterHandle, GaugeHandle } from "@heddle/telemetry";
import type { WorkerMetrics } from "./metrics.ts";

/** Envoy's statistics of one listener: `listener.<address>.*`. */
export class ListenerStats {
  readonly total: CounterHandle;
  readonly active: GaugeHandle;
  readonly overflow: CounterHandle;
  readonly noFilterChain: CounterHandle;
  readonly sslErrors: CounterHandle;
  readonly denied: CounterHandle;

  constructor(metrics: WorkerMetrics, name: string) {
    const labels = [["envoy_listener_address", name]] as const;
    const counter = (stat: string, help: string): CounterHandle =>
      metrics.writer.counter(`envoy_listener_${stat}`, help, labels, `listener.${name}.${stat}`);
    this.total = counter("downstream_cx_total", "Connections accepted.");
    this.active = metrics.writer.gauge(
      "envoy_listener_downstream_cx_active",
      "Connections open.",
      labels,
      `listener.${name}.downstream_cx_active`,
    );
    this.overflow = counter("downstream_cx_overflow", "Connections refused because too many were open.");
    this.noFilterChain = counter("no_filter_chain_match", "Connections that no filter chain wanted.");
    this.sslErrors = counter("ssl_connection_error", "TLS handshakes that failed.");
    this.denied = counter("rbac_denied", "Connections that policy denied.");
  }
}
