import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject } from "@heddle/xds/api";
import type { HealthCheckConfig } from "../config/health-check.ts";
import { clusterJson, configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadCluster } from "./cluster.ts";

const least: JsonObject = {
  timeout: "1s",
  interval: "5s",
  unhealthy_threshold: 3,
  healthy_threshold: 2,
  tcp_health_check: {},
};
const parse = (...checks: readonly JsonObject[]) =>
  loadCluster(fromEnvoyJson(ClusterSchema, clusterJson("c", [{}], { health_checks: [...checks] })));
const load = (own: JsonObject): HealthCheckConfig => {
  const { healthCheck } = configOf(parse({ ...least, ...own }));
  assert.ok(healthCheck);
  return healthCheck;
};
const refused = (own: JsonObject): string[] =>
  problemsOf(parse({ ...least, ...own })).map((problem) => problem.replace("health_checks[0].", ""));

test("a health check's times and thresholds arrive, and Envoy's defaults with them", () => {
  const { checker, ...plain } = load({});
  assert.deepEqual(checker, { kind: "tcp", send: undefined, receive: [] });
  assert.deepEqual(plain, {
    timeoutMs: 1000,
    intervalMs: 5000,
    unhealthyIntervalMs: 5000,
    unhealthyEdgeIntervalMs: 5000,
    healthyEdgeIntervalMs: 5000,
    noTrafficIntervalMs: 60_000,
    noTrafficHealthyIntervalMs: 60_000,
    initialJitterMs: 0,
    intervalJitterMs: 0,
    intervalJitterPercent: 0,
    unhealthyThreshold: 3,
    healthyThreshold: 2,
    altPort: 0,
    reuseConnection: true,
    alpn: [],
    logsEveryFailure: false,
    logsEverySuccess: false,
  });
  const full = load({
    unhealthy_interval: "6s",
    unhealthy_edge_interval: "7s",
    healthy_edge_interval: "8s",
    no_traffic_interval: "9s",
    no_traffic_healthy_interval: "10s",
    initial_jitter: "1s",
    interval_jitter: "2s",
    interval_jitter_percent: 30,
    alt_port: 81,
    reuse_connection: false,
    tls_options: { alpn_protocols: ["h2"] },
    always_log_health_check_failures: true,
    always_log_health_check_success: true,
  });
  assert.deepEqual(full, {
    ...plain,
    checker,
    unhealthyIntervalMs: 6000,
    unhealthyEdgeIntervalMs: 7000,
    healthyEdgeIntervalMs: 8000,
    noTrafficIntervalMs: 9000,
    noTrafficHealthyIntervalMs: 10_000,
    initialJitterMs: 1000,
    intervalJitterMs: 2000,
    intervalJitterPercent: 30,
    altPort: 81,
    reuseConnection: false,
    alpn: ["h2"],
    logsEveryFailure: true,
    logsEverySuccess: true,
  });
  // The edge of an unhealthy endpoint is that of its own interval.
  assert.equal(load({ unhealthy_interval: "6s" }).unhealthyEdgeIntervalMs, 6000);
});

test("what is asked and expected arrives, for HTTP, TCP and gRPC", () => {
  const header = { header: { key: "X-Own", value: "100%%" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
  const set = [{ name: "x-own", value: "100%", action: "overwrite-if-exists-or-add", keepEmptyValue: false }];
  const { tcp_health_check: _, ...plain } = least;
  const checkerOf = (own: JsonObject) => configOf(parse({ ...plain, ...own })).healthCheck?.checker;
  assert.deepEqual(checkerOf({ http_health_check: { path: "/h" } }), {
    kind: "http",
    host: "",
    path: "/h",
    method: "GET",
    protocol: "http1",
    body: undefined,
    receive: [],
    responseBufferBytes: 1024,
    headers: { remove: [], set: [] },
    expectedStatuses: [{ start: 200, end: 201 }],
    retriableStatuses: [],
    serviceName: undefined,
  });
  const http: JsonObject = {
    host: "h.example",
    path: "/h",
    method: "POST",
    codec_client_type: "HTTP2",
    send: { text: "0a0B" },
    receive: [{ binary: "/w==" }],
    response_buffer_size: 7,
    request_headers_to_add: [header],
    request_headers_to_remove: ["user-agent"],
    expected_statuses: [{ start: 200, end: 300 }],
    retriable_statuses: [{ start: 500, end: 600 }],
    service_name_matcher: { exact: "books" },
  };
  assert.deepEqual(checkerOf({ http_health_check: http }), {
    kind: "http",
    host: "h.example",
    path: "/h",
    method: "POST",
    protocol: "http2",
    body: Uint8Array.of(10, 11),
    receive: [Uint8Array.of(255)],
    responseBufferBytes: 7,
    headers: { remove: ["user-agent"], set },
    expectedStatuses: [{ start: 200, end: 300 }],
    retriableStatuses: [{ start: 500, end: 600 }],
    serviceName: { kind: "exact", value: "books", ignoreCase: false },
  });
  assert.deepEqual(
    checkerOf({ tcp_health_check: { send: { text: "50" }, receive: [{ text: "4f" }, { text: "4b" }] } }),
    {
      kind: "tcp",
      send: Uint8Array.of(0x50),
      receive: [Uint8Array.of(0x4f), Uint8Array.of(0x4b)],
    },
  );
  const grpc = { service_name: "books", authority: "a.example", initial_metadata: [header] };
  assert.deepEqual(checkerOf({ grpc_health_check: grpc }), {
    kind: "grpc",
    serviceName: "books",
    authority: "a.example",
    metadata: { remove: [], set },
  });
});

test("health checks that say nothing, or too much, are refused with their path", () => {
  assert.deepEqual(problemsOf(parse(least, least)), ["health_checks: several health checks are given"]);
  assert.deepEqual(problemsOf(parse({})), [
    "health_checks[0].interval: the duration is zero or missing",
    "health_checks[0].timeout: the duration is zero or missing",
    "health_checks[0].unhealthy_threshold: the threshold is missing",
    "health_checks[0].healthy_threshold: the threshold is missing",
    "health_checks[0]: what is checked is missing",
  ]);
  assert.deepEqual(refused({ unhealthy_edge_interval: "0s" }), [
    "unhealthy_edge_interval: the duration is zero or missing",
  ]);
  assert.deepEqual(refused({ tcp_health_check: { receive: [{ text: "xy" }] } }), [
    'tcp_health_check.receive[0].text: "xy" is not hexadecimal',
  ]);
  const { tcp_health_check: _, ...plain } = least;
  const http = (own: JsonObject) =>
    problemsOf(parse({ ...plain, http_health_check: { path: "/", ...own } })).map((problem) =>
      problem.replace("health_checks[0].http_health_check.", ""),
    );
  assert.deepEqual(http({ path: "" }), ["path: the field is empty"]);
  assert.deepEqual(http({ send: { text: "00" } }), ["send: GET requests have no body"]);
  assert.deepEqual(http({ method: "CONNECT" }), ["method: the value CONNECT is not supported"]);
  assert.deepEqual(http({ expected_statuses: [{ start: 200, end: 200 }] }), [
    "expected_statuses[0]: 200 up to 200 are no statuses",
  ]);
  assert.deepEqual(http({ request_headers_to_add: [{ header: { key: "a", value: "%ROUTE_NAME%" } }] }), [
    "request_headers_to_add[0].header.value: a health check has no request for operators to name",
  ]);
  assert.deepEqual(refused({ transport_socket_match_criteria: { a: "b" } }).length, 1);
  assert.deepEqual(problemsOf(parse({ ...plain, custom_health_check: { name: "x" } })), [
    "health_checks[0].custom_health_check: envoy.config.core.v3.HealthCheck.custom_health_check is not supported",
  ]);
});
