import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject } from "@heddle/xds/api";
import type { EndpointConfig, EndpointsConfig } from "../config/endpoints.ts";
import { loadCluster } from "../load/cluster.ts";
import { clusterJson, configOf, fromEnvoyJson, typeUrls } from "../testing/harness.ts";
import { bindCluster, type CheckedHealth } from "./cluster.ts";
import type { BoundCluster } from "./types.ts";

function tls(sni: string): JsonObject {
  return { name: "tls", typed_config: { "@type": typeUrls.upstreamTls, sni } };
}

function bound(members: readonly JsonObject[], cluster: JsonObject = {}): BoundCluster {
  return bindCluster(
    configOf(loadCluster(fromEnvoyJson(ClusterSchema, clusterJson("c", members, cluster)))),
    undefined,
    undefined,
  );
}

function withMetadata(filter: string, values: JsonObject): JsonObject {
  return { metadata: { filter_metadata: { [filter]: values } } };
}

test("an endpoint's metadata selects its transport", () => {
  const raw = {
    name: "raw",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer" },
  };
  const cluster = {
    transport_socket: tls("default"),
    transport_socket_matches: [
      { name: "mesh", match: { tlsMode: "istio" }, transport_socket: tls("mesh") },
      { name: "plain", match: { tlsMode: "disabled", zone: "a" }, transport_socket: raw },
      { name: "rest", match: {}, transport_socket: tls("rest") },
    ],
  };
  const match = (values: JsonObject): JsonObject => withMetadata("envoy.transport_socket_match", values);
  const { endpoints } = bound(
    [
      match({ tlsMode: "istio", more: "x" }),
      match({ tlsMode: "disabled", zone: "a" }),
      match({ tlsMode: "disabled" }),
      {},
    ],
    cluster,
  );
  assert.deepEqual(
    endpoints.map((endpoint) => endpoint.tls?.sni),
    ["mesh", undefined, "rest", "rest"],
  );
  const first = { ...cluster, transport_socket_matches: cluster.transport_socket_matches.slice(0, 1) };
  assert.deepEqual(
    bound([match({ tlsMode: "other" }), {}], first).endpoints.map((endpoint) => endpoint.tls?.sni),
    ["default", "default"],
  );
});

test("Istio's workload metadata names who is behind an endpoint", () => {
  const { endpoints } = bound([withMetadata("istio", { workload: "web-v1;shop;web;v1;Kubernetes" }), {}]);
  assert.deepEqual(endpoints[0]?.workload, {
    workload: "web-v1",
    namespace: "shop",
    canonicalService: "web",
    canonicalRevision: "v1",
    cluster: "Kubernetes",
  });
  assert.equal(endpoints[1]?.workload, undefined);
});

test("of two endpoints with one address the first counts", () => {
  const at = (weight: number): JsonObject => ({
    endpoint: { address: { socket_address: { address: "10.7.7.7", port_value: 1 } } },
    load_balancing_weight: weight,
  });
  assert.deepEqual(
    bound([at(5), at(9)]).endpoints.map(({ key, weight }) => [key, weight]),
    [["10.7.7.7:1", 5]],
  );
});

function discovered(options: JsonObject = {}) {
  const eds = { name: "c", type: "EDS", eds_cluster_config: { eds_config: { ads: {} } }, ...options };
  return configOf(loadCluster(fromEnvoyJson(ClusterSchema, eds)));
}

function endpoint(host: string, weight = 1): EndpointConfig {
  return {
    address: { host, port: 1 },
    hostname: "",
    weight,
    additionalAddresses: [],
    identity: "",
    healthCheck: { port: 0, hostname: "", isDisabled: false },
    health: "healthy",
    metadata: { istio: { workload: "a;b;c;d;e" } },
  };
}

function assignment(...endpoints: EndpointConfig[]): EndpointsConfig {
  const locality = { region: "", zone: "", subZone: "" };
  return {
    clusterName: "c",
    overprovisioningFactor: 140,
    localities: [{ priority: 0, weight: 0, locality, endpoints }],
  };
}

const checks = {
  health_checks: [
    { timeout: "1s", interval: "1s", unhealthy_threshold: 1, healthy_threshold: 1, tcp_health_check: {} },
  ],
};

test("endpoints that did not change stay the same objects, also across new assignments", () => {
  const config = discovered();
  const before = bindCluster(config, assignment(endpoint("10.0.0.1"), endpoint("10.0.0.2")), undefined);
  const after = bindCluster(
    config,
    assignment(endpoint("10.0.0.3"), endpoint("10.0.0.2", 7), endpoint("10.0.0.1")),
    before,
  );
  assert.equal(after.endpoints[2], before.endpoints[0]);
  assert.notEqual(after.endpoints[1], before.endpoints[1]);
  assert.equal(after.endpoints[1]?.weight, 7);
});

test("an endpoint that is kept only because its check succeeds has the health that the check finds now", () => {
  const config = discovered(checks);
  const finds = (health: "healthy" | "degraded" | "failed"): CheckedHealth => new Map([["10.0.0.1:1", health]]);
  const present = bindCluster(config, assignment(endpoint("10.0.0.1")), undefined, finds("healthy"));
  const shape = ({ endpoints, levels }: BoundCluster) => [
    endpoints.map(({ isRemoved, activeHealth, health }) => [isRemoved, activeHealth, health]),
    levels.map(({ healthy, degraded }) => [healthy.endpoints.length, degraded.endpoints.length]),
  ];
  const kept = bindCluster(config, assignment(), present, finds("healthy"));
  assert.deepEqual(shape(kept), [[[true, "healthy", "healthy"]], [[1, 0]]]);
  const degraded = bindCluster(config, assignment(), kept, finds("degraded"));
  assert.deepEqual(shape(degraded), [[[true, "degraded", "degraded"]], [[0, 1]]]);
  const again = bindCluster(config, assignment(), degraded, finds("degraded"));
  assert.equal(again.endpoints[0], degraded.endpoints[0]);
  const healthy = bindCluster(config, assignment(), again, finds("healthy"));
  assert.deepEqual(shape(healthy), shape(kept));
  assert.deepEqual(shape(bindCluster(config, assignment(), healthy, finds("failed"))), [[], []]);
});

test("an endpoint that discovery had found unhealthy goes at once, whatever its check finds", () => {
  const config = discovered(checks);
  const checked: CheckedHealth = new Map([["10.0.0.1:1", "healthy"]]);
  const known = assignment({ ...endpoint("10.0.0.1"), health: "unhealthy" });
  const present = bindCluster(config, known, undefined, checked);
  assert.equal(present.endpoints.length, 1);
  assert.deepEqual(bindCluster(config, assignment(), present, checked).endpoints, []);
});

test("an endpoint's addresses are tried by turns of the families, beginning as happy_eyeballs_config says", () => {
  const at = (address: string): JsonObject => ({ socket_address: { address, port_value: 80 } });
  const endpoint = {
    address: at("10.0.0.1"),
    additional_addresses: ["10.0.0.2", "10.0.0.3", "::1", "::2"].map((host) => ({ address: at(host) })),
  };
  const order = (happy?: JsonObject): string[] => {
    const options = happy === undefined ? {} : { upstream_connection_options: { happy_eyeballs_config: happy } };
    const cluster = {
      name: "c",
      ...options,
      load_assignment: { cluster_name: "c", endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    };
    const config = configOf(loadCluster(fromEnvoyJson(ClusterSchema, cluster)));
    const [only] = bindCluster(config, undefined, undefined).endpoints;
    assert.equal(only?.key, "10.0.0.1:80");
    return only.addresses.map(({ host }) => host);
  };
  assert.deepEqual(order(), ["10.0.0.1", "::1", "10.0.0.2", "::2", "10.0.0.3"]);
  assert.deepEqual(order({ first_address_family_version: "V6" }), ["::1", "10.0.0.1", "::2", "10.0.0.2", "10.0.0.3"]);
  assert.deepEqual(order({ first_address_family_count: 2 }), ["10.0.0.1", "10.0.0.2", "::1", "10.0.0.3", "::2"]);
});
