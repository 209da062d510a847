import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, ListenerSchema } from "@heddle/xds/api";
import { configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadListener } from "./listener.ts";

const socket = { address: "127.0.0.1", port_value: 15_053, protocol: "UDP" };
const domain = { name: "Reviews.", endpoint: { address_list: { address: ["240.240.0.1", "2001:2::01"] } } };
const table = { stat_prefix: "names", server_config: { inline_dns_table: { virtual_domains: [domain] } } };

function json(filter: JsonObject, parts: JsonObject = {}): JsonObject {
  const type = "type.googleapis.com/envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig";
  const typed_config = { "@type": type, ...filter };
  const listener_filters = [{ name: "envoy.filters.udp.dns_filter", typed_config }];
  return { name: "dns", address: { socket_address: socket }, listener_filters, ...parts };
}

const load = (parts: JsonObject) => loadListener(fromEnvoyJson(ListenerSchema, parts));

test("a DNS filter's table and limits arrive", () => {
  const listener = configOf(
    load(
      json(
        { ...table, client_config: { resolver_timeout: "3s", max_pending_lookups: 7 } },
        { additional_addresses: [{ address: { socket_address: { ...socket, address: "::1" } } }] },
      ),
    ),
  );
  assert.deepEqual(listener.dns, {
    addresses: [
      { host: "127.0.0.1", port: 15_053 },
      { host: "::1", port: 15_053 },
    ],
    statPrefix: "names",
    domains: [{ name: "reviews", addresses: ["240.240.0.1", "2001:2::1"], ttlSeconds: 300 }],
    forwarding: { timeoutMs: 3000, maxPending: 7 },
  });
  // Nothing of it is for the workers, which serve connections.
  assert.deepEqual([listener.addresses, listener.filterChains, listener.listenerFilters], [[], [], []]);
  const brief = { ...domain, answer_ttl: "30s" };
  const closed = { ...table, server_config: { inline_dns_table: { virtual_domains: [brief] } } };
  const { dns } = configOf(load(json(closed)));
  assert.deepEqual([dns?.domains[0]?.ttlSeconds, dns?.forwarding], [30, undefined]);
});

test("what a UDP port cannot do is refused with its path", () => {
  const at = "listener_filters[0].typed_config";
  const names = `${at}.server_config.inline_dns_table.virtual_domains`;
  const of = (...domains: JsonObject[]): JsonObject => ({
    stat_prefix: "names",
    server_config: { inline_dns_table: { virtual_domains: domains } },
  });
  const cases: readonly [JsonObject, string][] = [
    [json(of(domain, domain)), `${names}[1].name: "reviews" is there twice`],
    [json(of({ name: "a" })), `${names}[0].endpoint.address_list.address: there are no addresses`],
    [
      json(of({ name: "a", endpoint: { address_list: { address: ["b.c"] } } })),
      `${names}[0].endpoint.address_list.address[0]: "b.c" is not an IP address`,
    ],
    [json({ ...table, client_config: {} }), `${at}.client_config.max_pending_lookups: 0 is not between 1 and 65535`],
    [json(table, { listener_filters: [] }), "listener_filters: a listener on a UDP port has exactly one filter"],
    [
      json(table, { additional_addresses: [{ address: { socket_address: { ...socket, protocol: "TCP" } } }] }),
      "additional_addresses[0].address.socket_address.protocol: it has to be UDP here",
    ],
  ];
  for (const [message, problem] of cases) assert.deepEqual(problemsOf(load(message)), [problem]);
  const connected = json(table, { filter_chains: [{ filters: [] }] });
  assert.ok(problemsOf(load(connected)).includes("filter_chains: a listener on a UDP port has no connections"));
});
