import type { CounterHandle, MetricWriter } from "@heddle/telemetry";
import { dnsType } from "@heddle/http";

/** Envoy's statistics of a DNS filter: `dns_filter.<prefix>.*`; the last one is our own, as Envoy answers no TCP. */
export class DnsStats {
  readonly queries: CounterHandle;
  readonly invalid: CounterHandle;
  readonly known: CounterHandle;
  readonly unanswered: CounterHandle;
  readonly bufferOverflow: CounterHandle;
  readonly tcpOverflow: CounterHandle;
  readonly #byType: Readonly<Record<"queries" | "local" | "external", readonly CounterHandle[]>>;

  constructor(writer: MetricWriter, prefix: string) {
    const counter = (stat: string, help: string): CounterHandle =>
      writer.counter(`envoy_dns_filter_${stat}`, help, [["envoy_dns_filter", prefix]], `dns_filter.${prefix}.${stat}`);
    this.queries = counter("downstream_rx_queries", "Questions for names that came in.");
    this.invalid = counter("downstream_rx_invalid_queries", "Messages that were no question that can be answered.");
    this.known = counter("known_domain_queries", "Questions for names of the table.");
    this.unanswered = counter("unanswered_queries", "Questions to which no resolver gave an answer.");
    this.bufferOverflow = counter("query_buffer_overflow", "Questions refused because too many waited for resolvers.");
    this.tcpOverflow = counter("downstream_cx_overflow", "Connections refused because too many were open.");
    const kinds = ["a_record", "aaaa_record", "unsupported"];
    this.#byType = {
      queries: kinds.map((kind) => counter(`${kind}_queries`, "Questions by the type that they ask for.")),
      local: kinds.map((kind) => counter(`local_${kind}_answers`, "Answers out of the table.")),
      external: kinds.map((kind) => counter(`external_${kind}_queries`, "Questions passed on to resolvers.")),
    };
  }

  count(what: "queries" | "local" | "external", type: number): void {
    const index = type === dnsType.a ? 0 : type === dnsType.aaaa ? 1 : 2;
    this.#byType[what][index]?.add(1);
  }
}
