import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject } from "@heddle/xds/api";
import type { ClusterConfig } from "../config/cluster.ts";
import { clusterJson, configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadCluster } from "./cluster.ts";

const parse = (json: JsonObject) => loadCluster(fromEnvoyJson(ClusterSchema, json));
const load = (cluster: JsonObject = {}): ClusterConfig => configOf(parse(clusterJson("c", [{}], cluster)));
const refused = (cluster: JsonObject): string[] => problemsOf(parse(clusterJson("c", [{}], cluster)));

const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const withHttp = (options: JsonObject): JsonObject => ({
  typed_extension_protocol_options: { [httpOptions]: { "@type": `type.googleapis.com/${httpOptions}`, ...options } },
});
const http1 = { explicit_http_config: { http_protocol_options: {} } };

test("a cluster's discovery, timeouts, limits and options arrive", () => {
  const { inlineEndpoints, ...plain } = load();
  assert.equal(inlineEndpoints?.localities[0]?.endpoints.length, 1);
  assert.deepEqual(plain, {
    name: "c",
    type: "static",
    edsServiceName: "c",
    lb: "round_robin",
    leastRequestChoices: 2,
    leastRequestBias: 1,
    healthyPanicThreshold: 50,
    connectTimeoutMs: 5000,
    perConnectionBufferBytes: 32_768,
    limits: { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3 },
    maxRequestsPerConnection: 0,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    preconnectRatio: 1,
    enableTrailers: false,
    headerKeyFormat: "lower",
    serverName: undefined,
    tunnel: undefined,
    tcpKeepalive: undefined,
    bindAddresses: [],
    happyEyeballs: { firstFamily: "listed", firstFamilyCount: 1 },
    transport: { default: undefined, proxyProtocol: undefined, matches: [] },
    dns: {
      refreshMs: 5000,
      failureBaseMs: 5000,
      failureMaxMs: 5000,
      respectTtl: false,
      family: "auto",
      resolver: { kind: "default" },
    },
    originalDestination: { header: "", portOverride: 0, cleanupMs: 5000 },
    healthCheck: undefined,
    ignoreHealthOnHostRemoval: false,
    services: [],
    protocol: "http1",
    http2: {
      maxConcurrentStreams: 100,
      streamWindowBytes: 65_536,
      connectionWindowBytes: 1_048_576,
      headerTableBytes: 4096,
      allowConnect: false,
      maxOutboundFrames: 10_000,
      maxOutboundControlFrames: 1000,
      maxConsecutiveEmptyFrames: 1,
      maxPriorityFramesPerStream: 100,
      maxWindowUpdatesPerDataFrame: 10,
      keepAlive: { intervalMs: 0, timeoutMs: 0, jitterPercent: 15 },
    },
    provenance: undefined,
  });
  const full = load({
    connect_timeout: "1s",
    preconnect_policy: { per_upstream_preconnect_ratio: 1.5 },
    ignore_health_on_host_removal: true,
    per_connection_buffer_limit_bytes: 4096,
    common_lb_config: { healthy_panic_threshold: { value: 20 } },
    circuit_breakers: {
      thresholds: [{ max_connections: 1, max_pending_requests: 2, max_requests: 3, max_retries: 4 }],
    },
    upstream_connection_options: { tcp_keepalive: { keepalive_probes: 3, keepalive_time: 60, keepalive_interval: 5 } },
    ...withHttp({
      common_http_protocol_options: {
        idle_timeout: "30s",
        max_connection_duration: "60s",
        max_requests_per_connection: 7,
      },
      explicit_http_config: { http_protocol_options: { enable_trailers: true } },
    }),
  });
  assert.deepEqual(
    [full.connectTimeoutMs, full.perConnectionBufferBytes, full.healthyPanicThreshold, full.limits],
    [1000, 4096, 20, { maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, maxRetries: 4 }],
  );
  assert.equal(full.preconnectRatio, 1.5);
  assert.equal(full.ignoreHealthOnHostRemoval, true);
  assert.deepEqual(full.tcpKeepalive, { probes: 3, timeSeconds: 60, intervalSeconds: 5 });
  assert.deepEqual(
    [full.idleTimeoutMs, full.maxConnectionDurationMs, full.maxRequestsPerConnection, full.enableTrailers],
    [30_000, 60_000, 7, true],
  );
  const http2 = load(
    withHttp({ explicit_http_config: { http2_protocol_options: { max_concurrent_streams: 7, hpack_table_size: 0 } } }),
  );
  assert.deepEqual([http2.protocol, http2.http2.maxConcurrentStreams, http2.http2.headerTableBytes], ["http2", 7, 0]);
  const auto = load(withHttp({ auto_config: { http2_protocol_options: { initial_connection_window_size: 70_000 } } }));
  assert.deepEqual([auto.protocol, auto.http2.connectionWindowBytes], ["auto", 70_000]);
  const autoWithTrailers = load(withHttp({ auto_config: { http_protocol_options: { enable_trailers: true } } }));
  assert.equal(autoWithTrailers.enableTrailers, true);
  const eds = (own: JsonObject) =>
    configOf(parse({ name: "c", type: "EDS", eds_cluster_config: { eds_config: { ads: {} }, ...own } }));
  assert.deepEqual(
    [eds({}).type, eds({}).edsServiceName, eds({ service_name: "s" }).edsServiceName, eds({}).inlineEndpoints],
    ["eds", "c", "s", undefined],
  );
  const dns = configOf(
    parse({
      name: "c",
      type: "STRICT_DNS",
      dns_refresh_rate: "60s",
      dns_failure_refresh_rate: { base_interval: "1s", max_interval: "9s" },
      respect_dns_ttl: true,
      dns_lookup_family: "V4_ONLY",
      load_assignment: {
        cluster_name: "c",
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: { socket_address: { address: "db.example", port_value: 1 } } } }] },
        ],
      },
    }),
  );
  assert.deepEqual(
    [dns.type, dns.dns],
    [
      "strict_dns",
      {
        refreshMs: 60_000,
        failureBaseMs: 1000,
        failureMaxMs: 9000,
        respectTtl: true,
        family: "v4-only",
        resolver: { kind: "default" },
      },
    ],
  );
  assert.equal(dns.inlineEndpoints?.localities[0]?.endpoints[0]?.address.host, "db.example");
  assert.equal(load({ type: "LOGICAL_DNS" }).type, "logical_dns");
  for (const [name, family] of [
    ["AUTO", "auto"],
    ["V6_ONLY", "v6-only"],
    ["V4_PREFERRED", "v4-preferred"],
    ["ALL", "all"],
  ] as const)
    assert.equal(load({ dns_lookup_family: name }).dns.family, family);
});

test("the limits of HTTP/2 floods arrive", () => {
  const limits = {
    max_outbound_frames: 11,
    max_outbound_control_frames: 12,
    max_consecutive_inbound_frames_with_empty_payload: 0,
    max_inbound_priority_frames_per_stream: 0,
    max_inbound_window_update_frames_per_data_frame_sent: 13,
  };
  const options = (http2_protocol_options: JsonObject): JsonObject =>
    withHttp({ explicit_http_config: { http2_protocol_options } });
  const { http2 } = load(options(limits));
  assert.deepEqual(
    [
      http2.maxOutboundFrames,
      http2.maxOutboundControlFrames,
      http2.maxConsecutiveEmptyFrames,
      http2.maxPriorityFramesPerStream,
      http2.maxWindowUpdatesPerDataFrame,
    ],
    [11, 12, 0, 0, 13],
  );
  for (const name of Object.keys(limits).filter((field) => !/empty|priority/.test(field)))
    assert.match(refused(options({ ...limits, [name]: 0 })).join(), new RegExp(`${name}: `));
});

test("PING keep-alive arrives, with Envoy's jitter, and needs both times", () => {
  const options = (connection_keepalive: JsonObject) =>
    withHttp({ explicit_http_config: { http2_protocol_options: { connection_keepalive } } });
  const times = { interval: "30s", timeout: "5s" };
  assert.deepEqual(load(options(times)).http2.keepAlive, { intervalMs: 30_000, timeoutMs: 5000, jitterPercent: 15 });
  assert.equal(load(options({ ...times, interval_jitter: { value: 40 } })).http2.keepAlive.jitterPercent, 40);
  for (const name of ["interval", "timeout"])
    assert.match(refused(options({ ...times, [name]: "0s" })).join(), new RegExp(`connection_keepalive\\.${name}: `));
});

test("the load balancer comes from lb_policy or from load_balancing_policy", () => {
  const balancing = ({ lb, leastRequestChoices, leastRequestBias }: ClusterConfig) => [
    lb,
    leastRequestChoices,
    leastRequestBias,
  ];
  assert.deepEqual(balancing(load({ lb_policy: "RANDOM" })), ["random", 2, 1]);
  assert.deepEqual(balancing(load({ lb_policy: "ROUND_ROBIN", round_robin_lb_config: {} })), ["round_robin", 2, 1]);
  const bias = { default_value: 0.5 };
  assert.deepEqual(
    balancing(
      load({ lb_policy: "LEAST_REQUEST", least_request_lb_config: { choice_count: 4, active_request_bias: bias } }),
    ),
    ["least_request", 4, 0.5],
  );
  const typed = (kind: string, own: JsonObject = {}): JsonObject => ({
    load_balancing_policy: {
      policies: [
        {
          typed_extension_config: {
            name: kind,
            typed_config: { "@type": `type.googleapis.com/envoy.extensions.load_balancing_policies.${kind}`, ...own },
          },
        },
      ],
    },
  });
  assert.deepEqual(balancing(load(typed("round_robin.v3.RoundRobin"))), ["round_robin", 2, 1]);
  assert.deepEqual(balancing(load(typed("random.v3.Random"))), ["random", 2, 1]);
  assert.deepEqual(
    balancing(load(typed("least_request.v3.LeastRequest", { choice_count: 3, active_request_bias: bias }))),
    ["least_request", 3, 0.5],
  );
  assert.deepEqual(refused({ lb_policy: "RING_HASH" }), ["lb_policy: the value RING_HASH is not supported"]);
  assert.deepEqual(refused({ lb_policy: "RANDOM", least_request_lb_config: {} }), [
    "least_request_lb_config: the cluster's load balancer is another one",
  ]);
  assert.deepEqual(refused({ ...typed("random.v3.Random"), round_robin_lb_config: {} }), [
    "round_robin_lb_config: the cluster's load balancer is another one",
  ]);
  assert.deepEqual(refused({ lb_policy: "LEAST_REQUEST", least_request_lb_config: { choice_count: 1 } }), [
    "least_request_lb_config.choice_count: 1 is not between 2 and 1000",
  ]);
  assert.deepEqual(refused({ load_balancing_policy: { policies: [] } }), [
    "load_balancing_policy.policies[0].typed_extension_config.typed_config: typed_config is missing",
  ]);
});

test("the services behind a cluster come from Istio's metadata", () => {
  const services = [{ host: "web.shop.svc.cluster.local", name: "web", namespace: "shop" }];
  const metadata = (list: unknown): JsonObject => ({
    metadata: {
      filter_metadata: {
        istio: { services: list as JsonObject[] },
        "heddle.dev": { kind: "DestinationRule", namespace: "shop", name: "web" },
      },
    },
  });
  const config = load(metadata(services));
  assert.deepEqual(config.services, services);
  assert.equal(config.provenance?.kind, "DestinationRule");
  assert.deepEqual(load(metadata([...services, "x", { host: "y" }, null])).services, services);
  assert.deepEqual(load(metadata("none")).services, []);
});

test("clusters that contradict themselves are refused", () => {
  assert.deepEqual(problemsOf(parse({ name: "", type: "STATIC" })), [
    "name: the field is empty",
    "load_assignment: there are no endpoints",
  ]);
  assert.deepEqual(refused({ type: "EDS" }), [
    "eds_cluster_config.eds_config: endpoints come from ADS",
    "load_assignment: the cluster's type is EDS",
  ]);
  assert.deepEqual(refused({ eds_cluster_config: { eds_config: { ads: {} } } }), [
    "eds_cluster_config: the cluster's type is not EDS",
  ]);
  assert.deepEqual(refused({ type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED" }), [
    "load_assignment: the cluster's type is ORIGINAL_DST",
  ]);
  assert.deepEqual(problemsOf(parse(clusterJson("c", [{}, {}], { type: "LOGICAL_DNS" }))), [
    "load_assignment: a LOGICAL_DNS cluster has exactly one endpoint",
  ]);
  assert.deepEqual(refused({ connect_timeout: "0s" }), ["connect_timeout: the timeout is zero"]);
  assert.deepEqual(refused({ circuit_breakers: { thresholds: [{ priority: "HIGH" }] } }), [
    "circuit_breakers.thresholds[0].priority: the value HIGH is not supported",
  ]);
  assert.deepEqual(refused({ circuit_breakers: { thresholds: [{}, {}] } }), [
    "circuit_breakers.thresholds: there are several thresholds of one priority",
  ]);
  assert.deepEqual(refused({ dns_failure_refresh_rate: { base_interval: "2s", max_interval: "1s" } }), [
    "dns_failure_refresh_rate.max_interval: it is below the base interval",
  ]);
  assert.deepEqual(refused({ transport_socket_matches: [{ name: "", match: { a: 1 } }] }), [
    'transport_socket_matches[0].match["a"]: the value is not a string',
    "transport_socket_matches[0].name: the field is empty",
  ]);
  assert.deepEqual(refused({ max_requests_per_connection: 1 }), [
    "max_requests_per_connection: envoy.config.cluster.v3.Cluster.max_requests_per_connection is not supported",
  ]);
});

test("HTTP options say a protocol, under their own name, and nothing that only listeners have", () => {
  const at = `typed_extension_protocol_options["${httpOptions}"]`;
  const options = (own: JsonObject): string[] => refused(withHttp(own)).map((problem) => problem.replace(`${at}.`, ""));
  assert.deepEqual(options({}), ["explicit_http_config: the protocol must be said"]);
  assert.deepEqual(options({ use_downstream_protocol_config: {} }), [
    "use_downstream_protocol_config: envoy.extensions.upstreams.http.v3.HttpProtocolOptions.use_downstream_protocol_config is not supported",
    "explicit_http_config: the protocol must be said",
  ]);
  assert.deepEqual(options({ explicit_http_config: { http2_protocol_options: { initial_stream_window_size: 1 } } }), [
    "explicit_http_config.http2_protocol_options.initial_stream_window_size: 1 is not between 65535 and 2147483647",
  ]);
  assert.deepEqual(
    options({
      ...http1,
      common_http_protocol_options: {
        max_headers_count: 1,
        max_stream_duration: "1s",
        headers_with_underscores_action: "REJECT_REQUEST",
      },
    }),
    [
      "common_http_protocol_options.max_headers_count: it is not supported on a cluster",
      "common_http_protocol_options.max_stream_duration: it is not supported on a cluster",
      "common_http_protocol_options.headers_with_underscores_action: it is not supported on a cluster",
    ],
  );
  assert.deepEqual(
    options({
      explicit_http_config: {
        http_protocol_options: { accept_http_10: true, allow_absolute_url: true, default_host_for_http_10: "x" },
      },
    }),
    [
      "explicit_http_config.http_protocol_options.allow_absolute_url: it is not supported on a cluster",
      "explicit_http_config.http_protocol_options.accept_http_10: it is not supported on a cluster",
      "explicit_http_config.http_protocol_options.default_host_for_http_10: it is not supported on a cluster",
    ],
  );
  const misnamed = {
    typed_extension_protocol_options: { other: { "@type": `type.googleapis.com/${httpOptions}`, ...http1 } },
  };
  assert.deepEqual(refused(misnamed), [
    `typed_extension_protocol_options["other"]: "${httpOptions}" is not supported here`,
  ]);
});

test("what TLS connections take from requests arrives, and demands that certificates are verified", () => {
  const taking = (options: JsonObject, tls: JsonObject = {}): JsonObject => ({
    ...withHttp({ ...http1, upstream_http_protocol_options: options }),
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: tls,
      },
    },
  });
  const judged = { validation_context: { system_root_certs: {} } };
  assert.equal(load(taking({})).serverName, undefined);
  assert.equal(load(taking({ override_auto_sni_header: "x-host" })).serverName, undefined);
  assert.deepEqual(load(taking({ auto_sni: true })).serverName, { isSent: true, isDemanded: false, header: "" });
  assert.deepEqual(load(taking({ auto_san_validation: true, override_auto_sni_header: "X-Host" }, judged)).serverName, {
    isSent: false,
    isDemanded: true,
    header: "x-host",
  });
  const where = `typed_extension_protocol_options["${httpOptions}"].upstream_http_protocol_options`;
  assert.deepEqual(refused(taking({ auto_san_validation: true })), [
    `${where}: auto_san_validation has nobody's certificates to look at`,
  ]);
  // In plaintext there is nobody to name.
  const plain = load(withHttp({ ...http1, upstream_http_protocol_options: { auto_san_validation: true } }));
  assert.equal(plain.serverName?.isDemanded, true);
  const named = taking({ auto_sni: true });
  const extensions = named["typed_extension_protocol_options"] as JsonObject;
  const tunnel = { "@type": "type.googleapis.com/heddle.v1.TunnelOptions", transport_socket_match: "tunnel" };
  const carried = {
    ...named,
    transport_socket_matches: [{ name: "tunnel", match: {}, transport_socket: named["transport_socket"]! }],
    typed_extension_protocol_options: { ...extensions, "heddle.v1.TunnelOptions": tunnel },
  };
  assert.deepEqual(refused(carried), [
    'typed_extension_protocol_options["heddle.v1.TunnelOptions"]: a carrier is for no host that requests ask for',
  ]);
});
