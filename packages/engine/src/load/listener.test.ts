import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, ListenerSchema, RouteConfigurationSchema } from "@heddle/xds/api";
import type { FilterChainConfig, ListenerConfig } from "../config/listener.ts";
import {
  configOf,
  fromEnvoyJson,
  listenerJson,
  problemsOf,
  routerFilter,
  routesJson,
  routeTo,
  typeUrls,
} from "../testing/harness.ts";
import { loadListener } from "./listener.ts";
import { loadRouteConfiguration } from "./route-table.ts";

const http = {
  name: "hcm",
  typed_config: {
    "@type": typeUrls.manager,
    stat_prefix: "s",
    route_config: routesJson([]),
    http_filters: [routerFilter],
  },
};
const tcp = { name: "tcp", typed_config: { "@type": typeUrls.tcpProxy, stat_prefix: "t", cluster: "a" } };
const rbac = {
  name: "rbac",
  typed_config: { "@type": typeUrls.networkRbac, stat_prefix: "r", rules: { action: "DENY" } },
};

function json(parts: JsonObject = {}): JsonObject {
  return {
    name: "l",
    address: { socket_address: { address: "127.0.0.1", port_value: 8080 } },
    filter_chains: [{ filters: [tcp] }],
    ...parts,
  };
}

function load(parts: JsonObject = {}): ListenerConfig {
  return configOf(loadListener(fromEnvoyJson(ListenerSchema, json(parts))));
}

function refused(parts: JsonObject): string[] {
  return problemsOf(loadListener(fromEnvoyJson(ListenerSchema, json(parts))));
}

test("a listener's names, addresses, direction and limits arrive", () => {
  const plain = load();
  assert.deepEqual(
    { ...plain, filterChains: [] },
    {
      name: "l",
      addresses: [{ host: "127.0.0.1", port: 8080 }],
      direction: "unspecified",
      statPrefix: "",
      bindToPort: true,
      tcpBacklog: undefined,
      ignoresGlobalLimit: false,
      perConnectionBufferBytes: 32_768,
      listenerFilters: [],
      handsOffByDestination: false,
      listenerFiltersTimeoutMs: 15_000,
      continueOnListenerFiltersTimeout: false,
      filterChains: [],
      defaultFilterChain: undefined,
      dns: undefined,
      accessLogs: [],
      provenance: undefined,
    },
  );
  const full = load({
    additional_addresses: [{ address: { socket_address: { address: "::1", port_value: 8081 } } }],
    stat_prefix: "inbound",
    traffic_direction: "INBOUND",
    bind_to_port: false,
    tcp_backlog_size: 17,
    per_connection_buffer_limit_bytes: 32_768,
    listener_filters_timeout: "0s",
    continue_on_listener_filters_timeout: true,
  });
  assert.deepEqual(full.addresses, [
    { host: "127.0.0.1", port: 8080 },
    { host: "::1", port: 8081 },
  ]);
  assert.deepEqual(
    [
      full.statPrefix,
      full.direction,
      full.bindToPort,
      full.tcpBacklog,
      full.perConnectionBufferBytes,
      full.listenerFiltersTimeoutMs,
      full.continueOnListenerFiltersTimeout,
    ],
    ["inbound", "inbound", false, 17, 32_768, 0, true],
  );
  assert.equal(load({ traffic_direction: "OUTBOUND" }).direction, "outbound");
});

test("a configuration can cross a thread", () => {
  const config = load({ filter_chains: [{ filters: [rbac, http] }] });
  assert.deepEqual(structuredClone(config), config);
});

test("listener filters are known by their type", () => {
  const filter = (kind: string): JsonObject => ({
    name: "any name",
    typed_config: { "@type": `type.googleapis.com/envoy.extensions.filters.listener.${kind}` },
  });
  const kinds = ["original_dst.v3.OriginalDst", "tls_inspector.v3.TlsInspector", "http_inspector.v3.HttpInspector"];
  const kindsOf = ({ listenerFilters }: ListenerConfig): string[] => listenerFilters.map(({ kind }) => kind);
  const all = ["original_dst", "tls_inspector", "http_inspector"];
  assert.deepEqual(kindsOf(load({ listener_filters: kinds.map(filter) })), all);
  const own = load({ use_original_dst: true, listener_filters: [filter("tls_inspector.v3.TlsInspector")] });
  assert.deepEqual(kindsOf(own), ["tls_inspector", "original_dst"]);
  assert.equal(own.handsOffByDestination, true);
  assert.deepEqual(kindsOf(load({ use_original_dst: true, listener_filters: kinds.map(filter) })), all);
  assert.deepEqual(refused({ listener_filters: [tcp] }), [
    'listener_filters[0].typed_config: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy" is not supported here',
  ]);
  assert.deepEqual(refused({ listener_filters: [{ name: "nothing" }] }), [
    "listener_filters[0].typed_config: typed_config is missing",
  ]);
});

test("network RBAC filters come before the one terminal filter", () => {
  const chains = load({
    filter_chains: [
      { name: "named", filters: [rbac, rbac, http] },
      { filters: [tcp], filter_chain_match: { destination_port: 1 } },
    ],
    default_filter_chain: { filters: [tcp] },
  });
  assert.deepEqual(
    chains.filterChains.map(({ name, networkRbac, terminal }) => [name, networkRbac.length, terminal.kind]),
    [
      ["named", 2, "http"],
      ["l#1", 0, "tcp"],
    ],
  );
  assert.deepEqual([chains.defaultFilterChain?.name, chains.defaultFilterChain?.terminal.kind], ["l#default", "tcp"]);
  assert.deepEqual(refused({ filter_chains: [{ filters: [rbac] }] }), [
    "filter_chains[0].filters[0]: the last filter is not a terminal one",
  ]);
  assert.deepEqual(refused({ filter_chains: [{ filters: [tcp, rbac] }] }), [
    "filter_chains[0].filters[0]: a terminal filter is followed by others",
    "filter_chains[0].filters[1]: the last filter is not a terminal one",
  ]);
  assert.deepEqual(refused({ filter_chains: [{ filters: [] }] }), ["filter_chains[0].filters: the list is empty"]);
  assert.deepEqual(refused({ filter_chains: [] }), ["filter_chains: the list is empty"]);
});

test("a chain's match is checked, and chains that take the same connections are refused", () => {
  const match = (own: JsonObject): string[] =>
    refused({ filter_chains: [{ filters: [tcp], filter_chain_match: own }] });
  const at = "filter_chains[0].filter_chain_match";
  assert.deepEqual(match({ destination_port: 0 }), [`${at}.destination_port: 0 is not between 1 and 65535`]);
  assert.deepEqual(match({ transport_protocol: "quic" }), [`${at}.transport_protocol: "quic" is not supported`]);
  assert.deepEqual(match({ server_names: ["*a.example"] }), [
    `${at}.server_names[0]: "*a.example" is not a server name`,
  ]);
  assert.deepEqual(match({ prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 33 }] }), [
    `${at}.prefix_ranges[0]: the prefix length 33 is not between 0 and 32`,
  ]);
  assert.deepEqual(match({ source_ports: [70_000] }), [`${at}.source_ports[0]: 70000 is not between 1 and 65535`]);
  assert.deepEqual(refused({ filter_chains: [{ filters: [tcp] }, { filters: [http] }] }), [
    "filter_chains[1].filter_chain_match: it takes the same connections as filter chain 0",
  ]);
  assert.deepEqual(
    refused({
      filter_chains: [
        { name: "x", filters: [tcp] },
        { name: "x", filters: [tcp], filter_chain_match: { destination_port: 1 } },
      ],
    }),
    ['filter_chains[1].name: "x" is used twice'],
  );
});

test("a chain's match arrives field by field", () => {
  const chain = load({
    filter_chains: [
      {
        filters: [tcp],
        filter_chain_match: {
          destination_port: 443,
          prefix_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }],
          server_names: ["A.example", "*.b.example"],
          transport_protocol: "tls",
          application_protocols: ["istio"],
          direct_source_prefix_ranges: [{ address_prefix: "::", prefix_len: 0 }],
          source_type: "EXTERNAL",
          source_prefix_ranges: [{ address_prefix: "192.0.2.0", prefix_len: 24 }],
          source_ports: [1, 2],
        },
      },
    ],
  }).filterChains[0];
  assert.deepEqual(chain?.match, {
    destinationPort: 443,
    prefixRanges: [{ address: "10.0.0.0", prefixLength: 8 }],
    serverNames: ["a.example", "*.b.example"],
    transportProtocol: "tls",
    applicationProtocols: ["istio"],
    directSourcePrefixRanges: [{ address: "::", prefixLength: 0 }],
    sourceType: "external",
    sourcePrefixRanges: [{ address: "192.0.2.0", prefixLength: 24 }],
    sourcePorts: [1, 2],
  });
});

function tcpConfig(parts: JsonObject): FilterChainConfig["terminal"] | undefined {
  return load({
    filter_chains: [
      { filters: [{ name: "t", typed_config: { "@type": typeUrls.tcpProxy, stat_prefix: "t", ...parts } }] },
    ],
  }).filterChains[0]?.terminal;
}

test("a TCP proxy's clusters, timeouts and attempts arrive", () => {
  assert.deepEqual(tcpConfig({ cluster: "a" }), {
    kind: "tcp",
    tcp: {
      statPrefix: "t",
      clusters: [{ name: "a", weight: 1 }],
      idleTimeoutMs: 3_600_000,
      maxConnectAttempts: 1,
      maxDownstreamConnectionDurationMs: 0,
      accessLogs: [],
    },
  });
  const full = tcpConfig({
    weighted_clusters: {
      clusters: [
        { name: "a", weight: 3 },
        { name: "b", weight: 1 },
      ],
    },
    idle_timeout: "0s",
    max_connect_attempts: 4,
    max_downstream_connection_duration: "60s",
  });
  assert.deepEqual(full, {
    kind: "tcp",
    tcp: {
      statPrefix: "t",
      clusters: [
        { name: "a", weight: 3 },
        { name: "b", weight: 1 },
      ],
      idleTimeoutMs: 0,
      maxConnectAttempts: 4,
      maxDownstreamConnectionDurationMs: 60_000,
      accessLogs: [],
    },
  });
  const wrong = refused({
    filter_chains: [
      {
        filters: [
          {
            name: "t",
            typed_config: { "@type": typeUrls.tcpProxy, weighted_clusters: { clusters: [{ name: "", weight: 0 }] } },
          },
        ],
      },
    ],
  });
  const at = "filter_chains[0].filters[0].typed_config";
  assert.deepEqual(wrong, [
    `${at}.stat_prefix: the field is empty`,
    `${at}.weighted_clusters.clusters[0].name: the field is empty`,
    `${at}.weighted_clusters.clusters[0].weight: 0 is not between 1 and 4294967295`,
  ]);
});

test("provenance comes from the metadata of heddle.dev", () => {
  const metadata = {
    filter_metadata: {
      "heddle.dev": { kind: "VirtualService", namespace: "shop", name: "web", rule: "http[0]", generation: 7 },
      other: { ignored: true },
    },
  };
  const expected = { kind: "VirtualService", namespace: "shop", name: "web", rule: "http[0]", generation: "7" };
  const config = load({ metadata, filter_chains: [{ filters: [tcp], metadata }] });
  assert.deepEqual([config.provenance, config.filterChains[0]?.provenance], [expected, expected]);
  const table = configOf(
    loadRouteConfiguration(
      fromEnvoyJson(RouteConfigurationSchema, routesJson([routeTo("a", {}, { metadata })], { metadata }, { metadata })),
    ),
  );
  const host = table.virtualHosts[0];
  assert.deepEqual([table.provenance, host?.provenance, host?.routes[0]?.provenance], [expected, expected, expected]);
  assert.equal(load({ metadata: { filter_metadata: { other: {} } } }).provenance, undefined);
});

test("every problem of a listener is told at once, with its path", () => {
  const broken = json({
    name: "",
    address: { pipe: { path: "/run/socket" } },
    listener_filters_timeout: "-1s",
    transparent: true,
    filter_chains: [
      {
        filters: [
          {
            name: "x",
            typed_config: {
              "@type": typeUrls.manager,
              stat_prefix: "s",
              route_config: {},
              http_filters: [routerFilter],
              tracing: {},
            },
          },
        ],
      },
    ],
  });
  assert.deepEqual(
    problemsOf(loadListener(fromEnvoyJson(ListenerSchema, broken), { path: "static_resources.listeners[0]" })).sort(),
    [
      "static_resources.listeners[0].address.pipe: envoy.config.core.v3.Address.pipe is not supported",
      "static_resources.listeners[0].address: a socket address is required",
      "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.tracing: envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.tracing is not supported",
      "static_resources.listeners[0].listener_filters_timeout: the duration is negative",
      "static_resources.listeners[0].name: the field is empty",
      "static_resources.listeners[0].transparent: envoy.config.listener.v3.Listener.transparent is not supported",
    ],
  );
});

test("an extension of an unknown type is refused by its path", () => {
  const message = fromEnvoyJson(ListenerSchema, listenerJson({ route_config: routesJson([]) }));
  const filter = message.filterChains[0]?.filters[0];
  assert.ok(filter?.configType.case === "typedConfig");
  filter.configType.value.typeUrl = "type.googleapis.com/envoy.extensions.filters.network.redis_proxy.v3.RedisProxy";
  assert.deepEqual(problemsOf(loadListener(message)), [
    'filter_chains[0].filters[0].typed_config: the type "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy" is not supported',
  ]);
  const [problem] = loadListener(message).problems;
  assert.match(problem?.hint ?? "", /^supported here: .*http_connection_manager, .*tcp_proxy/);
  const garbled = fromEnvoyJson(ListenerSchema, listenerJson({ route_config: routesJson([]) }));
  const second = garbled.filterChains[0]?.filters[0];
  assert.ok(second?.configType.case === "typedConfig");
  second.configType.value.value = new Uint8Array([0xff]);
  assert.match(
    problemsOf(loadListener(garbled))[0] ?? "",
    /^filter_chains\[0\]\.filters\[0\]\.typed_config: the bytes are not a message of type/,
  );
});

const connectionLimit = {
  name: "limit",
  typed_config: {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
    stat_prefix: "c",
    max_connections: 5,
    delay: "1s",
  },
};

test("a connection limit stands first in its chain, and arrives", () => {
  const { filterChains } = load({ filter_chains: [{ filters: [connectionLimit, rbac, tcp] }] });
  assert.deepEqual(filterChains[0]?.connectionLimit, { statPrefix: "c", maxConnections: 5, delayMs: 1000 });
  assert.match(refused({ filter_chains: [{ filters: [rbac, connectionLimit, tcp] }] }).join(), /behind another filter/);
  assert.match(refused({ filter_chains: [{ filters: [connectionLimit] }] }).join(), /not a terminal one/);
  const none = { ...connectionLimit, typed_config: { ...connectionLimit.typed_config, max_connections: 0 } };
  assert.match(refused({ filter_chains: [{ filters: [none, tcp] }] }).join(), /max_connections: must be at least 1/);
});
