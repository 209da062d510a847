import type { Http2Rule } from "@heddle/http";
import type { CounterHandle, MetricWriter } from "@heddle/telemetry";

/** What ends an HTTP/2 connection or stream: a rule that the peer broke, windows that it hardly opened, a PING that it did not answer. */
export type Http2Fault = Http2Rule | "stalledStream" | "keepAliveTimeout";

const names = {
  header_overflow: "Connections and streams with header fields beyond the limits.",
  inbound_empty_frames_flood: "Connections closed for frames without content in a row.",
  inbound_priority_frames_flood: "Connections closed for PRIORITY frames beyond the limit.",
  inbound_window_update_frames_flood: "Connections closed for WINDOW_UPDATE frames beyond the limit.",
  keepalive_timeout: "Connections closed because no answer to a PING came.",
  outbound_control_flood: "Connections closed for control frames beyond the limit that wait to be sent.",
  outbound_flood: "Connections closed for frames beyond the limit that wait to be sent.",
  rx_messaging_error: "Connections and streams with frames that break the rules of HTTP/2.",
  stream_refused_errors: "Streams refused because too many were open.",
  tx_flush_timeout: "Streams ended because the peer did not open its window for what waited.",
} as const;
type Name = keyof typeof names;

/** The rest is counted as `rx_messaging_error`. */
const nameOf: Partial<Record<Http2Fault, Name>> = {
  headersTooLarge: "header_overflow",
  headerBlockTooLarge: "header_overflow",
  emptyFrameFlood: "inbound_empty_frames_flood",
  priorityFlood: "inbound_priority_frames_flood",
  windowUpdateFlood: "inbound_window_update_frames_flood",
  keepAliveTimeout: "keepalive_timeout",
  outboundControlFlood: "outbound_control_flood",
  outboundFlood: "outbound_flood",
  refusedStream: "stream_refused_errors",
  stalledStream: "tx_flush_timeout",
};

/**
 * Envoy's statistics of its HTTP/2 codec, `http2.*` for clients and `cluster.<name>.http2.*` for upstreams, and beside them our own count by the exact
 * rule.
 */
export class Http2Stats {
  readonly #writer: MetricWriter;
  readonly #cluster: string | undefined;
  readonly #byName = new Map<Name, CounterHandle>();
  readonly #byFault = new Map<Http2Fault, CounterHandle>();

  constructor(writer: MetricWriter, cluster: string | undefined) {
    this.#writer = writer;
    this.#cluster = cluster;
    const labels = this.#labels();
    const scope = cluster === undefined ? "" : "cluster_";
    const statScope = cluster === undefined ? "" : `cluster.${cluster}.`;
    for (const [name, help] of Object.entries(names) as [Name, string][]) {
      const counter = writer.counter(`envoy_${scope}http2_${name}`, help, labels, `${statScope}http2.${name}`);
      this.#byName.set(name, counter);
    }
  }

  count(fault: Http2Fault): void {
    this.#byName.get(nameOf[fault] ?? "rx_messaging_error")?.add(1);
    let counter = this.#byFault.get(fault);
    if (counter === undefined) {
      const help = "HTTP/2 connections and streams that a peer lost by breaking a rule or a limit.";
      const name = `heddle_${this.#cluster === undefined ? "" : "cluster_"}http2_violations_total`;
      counter = this.#writer.counter(name, help, [...this.#labels(), ["rule", fault]]);
      this.#byFault.set(fault, counter);
    }
    counter.add(1);
  }

  #labels(): readonly (readonly [string, string])[] {
    return this.#cluster === undefined ? [] : [["envoy_cluster_name", this.#cluster]];
  }
}
