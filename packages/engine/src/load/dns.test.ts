import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject } from "@heddle/xds/api";
import { clusterJson, configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadCluster } from "./cluster.ts";

const extensions = "type.googleapis.com/envoy.extensions.network.dns_resolver";
const parse = (typed?: JsonObject) =>
  loadCluster(
    fromEnvoyJson(
      ClusterSchema,
      clusterJson("c", [{}], typed && { typed_dns_resolver_config: { name: "r", typed_config: typed } }),
    ),
  );
const servers = (own: JsonObject): JsonObject => ({
  "@type": `${extensions}.cares.v3.CaresDnsResolverConfig`,
  resolvers: [
    { socket_address: { address: "10.0.0.53", port_value: 5353 } },
    { socket_address: { address: "::1", port_value: 0 } },
  ],
  ...own,
});

test("a cluster's resolver is the host's, its DNS servers, or those that are named", () => {
  assert.deepEqual(configOf(parse()).dns.resolver, { kind: "default" });
  assert.deepEqual(
    configOf(parse({ "@type": `${extensions}.getaddrinfo.v3.GetAddrInfoDnsResolverConfig` })).dns.resolver,
    { kind: "getaddrinfo" },
  );
  const named = [
    { host: "10.0.0.53", port: 5353 },
    { host: "::1", port: 53 },
  ];
  assert.deepEqual(configOf(parse(servers({}))).dns.resolver, { kind: "dns", servers: named, usesSearchDomains: true });
  assert.deepEqual(
    configOf(parse(servers({ dns_resolver_options: { no_default_search_domain: true } }))).dns.resolver,
    { kind: "dns", servers: named, usesSearchDomains: false },
  );
});

test("what a resolver cannot do is refused with its path", () => {
  const at = "typed_dns_resolver_config.typed_config";
  const refused = (own: JsonObject) => problemsOf(parse(servers(own))).map((problem) => problem.split(": ")[0]);
  assert.deepEqual(refused({ dns_resolver_options: { use_tcp_for_dns_lookups: true } }), [
    `${at}.dns_resolver_options.use_tcp_for_dns_lookups`,
  ]);
  assert.deepEqual(refused({ filter_unroutable_families: true }), [`${at}.filter_unroutable_families`]);
  assert.deepEqual(refused({ use_resolvers_as_fallback: true }), [`${at}.use_resolvers_as_fallback`]);
  assert.deepEqual(refused({ resolvers: [{ socket_address: { address: "ns.example", port_value: 53 } }] }), [
    `${at}.resolvers[0].socket_address.address`,
  ]);
});
