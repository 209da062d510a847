import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, ListenerSchema } from "@heddle/xds/api";
import type { HttpConnectionManagerConfig } from "../config/http-connection-manager.ts";
import { configOf, fromEnvoyJson, listenerJson, problemsOf, routesJson } from "../testing/harness.ts";
import { loadListener } from "./listener.ts";

function load(manager: JsonObject): HttpConnectionManagerConfig {
  const terminal = configOf(
    loadListener(fromEnvoyJson(ListenerSchema, listenerJson({ route_config: routesJson([]), ...manager }))),
  ).filterChains[0]?.terminal;
  assert.ok(terminal?.kind === "http");
  return terminal.http;
}

function refused(manager: JsonObject): string[] {
  const at = "filter_chains[0].filters[0].typed_config.";
  return problemsOf(loadListener(fromEnvoyJson(ListenerSchema, listenerJson(manager)))).map((problem) =>
    problem.replace(at, ""),
  );
}

test("Envoy's defaults are filled in", () => {
  const { filters, routeTable, ...rest } = load({});
  assert.deepEqual([filters.map(({ kind }) => kind), routeTable?.name], [["router"], "table"]);
  assert.deepEqual(rest, {
    statPrefix: "test",
    codec: "auto",
    routeTableName: undefined,
    serverName: "envoy",
    serverHeader: "overwrite",
    schemeOverwrite: "",
    schemeMatchesUpstream: false,
    useRemoteAddress: false,
    xffTrustedHops: 0,
    skipXffAppend: false,
    via: "",
    internalCidrs: [],
    generateRequestId: true,
    preserveExternalRequestId: false,
    alwaysSetRequestIdInResponse: false,
    forwardClientCert: "sanitize",
    setCurrentClientCert: { subject: false, cert: false, chain: false, dns: false, uri: false },
    normalizePath: false,
    mergeSlashes: false,
    escapedSlashes: "keep",
    underscores: "allow",
    stripPort: "none",
    stripTrailingHostDot: false,
    appendXForwardedPort: false,
    maxHeadBytes: 61_440,
    maxHeaders: 100,
    requestTimeoutMs: 0,
    requestHeadersTimeoutMs: 0,
    streamIdleTimeoutMs: 300_000,
    idleTimeoutMs: 3_600_000,
    maxRequestsPerConnection: 0,
    maxConnectionDurationMs: 0,
    maxStreamDurationMs: 0,
    delayedCloseTimeoutMs: 1000,
    drainTimeoutMs: 5000,
    proxy100Continue: false,
    upgrades: new Map(),
    http1: {
      acceptHttp10: false,
      defaultHost: "",
      enableTrailers: false,
      allowAbsoluteUrl: true,
      headerKeyFormat: "lower",
    },
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
    accessLogs: [],
  });
});

test("every setting of a connection manager arrives", () => {
  const config = load({
    codec_type: "HTTP1",
    max_request_headers_kb: 32,
    request_timeout: "1s",
    request_headers_timeout: "2s",
    stream_idle_timeout: "3s",
    delayed_close_timeout: "0.5s",
    proxy_100_continue: true,
    common_http_protocol_options: {
      idle_timeout: "0s",
      max_connection_duration: "6s",
      max_headers_count: 50,
      max_stream_duration: "7s",
      max_requests_per_connection: 8,
    },
    http_protocol_options: {
      allow_absolute_url: false,
      accept_http_10: true,
      default_host_for_http_10: "old.example",
      enable_trailers: true,
    },
  });
  assert.equal(config.codec, "http1");
  assert.equal(load({ codec_type: "HTTP2" }).codec, "http2");
  assert.equal(load({ drain_timeout: "2s" }).drainTimeoutMs, 2000);
  assert.deepEqual(
    [
      config.maxHeadBytes,
      config.requestTimeoutMs,
      config.requestHeadersTimeoutMs,
      config.streamIdleTimeoutMs,
      config.delayedCloseTimeoutMs,
      config.proxy100Continue,
    ],
    [32_768, 1000, 2000, 3000, 500, true],
  );
  assert.deepEqual(
    [
      config.idleTimeoutMs,
      config.maxConnectionDurationMs,
      config.maxHeaders,
      config.maxStreamDurationMs,
      config.maxRequestsPerConnection,
    ],
    [0, 6000, 50, 7000, 8],
  );
  assert.deepEqual(config.http1, {
    acceptHttp10: true,
    defaultHost: "old.example",
    enableTrailers: true,
    allowAbsoluteUrl: false,
    headerKeyFormat: "lower",
  });
});

test("routes are inline or come by name from ADS", () => {
  const rds = {
    rds: {
      route_config_name: "by-name",
      config_source: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
    },
  };
  const json = listenerJson(rds);
  const terminal = configOf(loadListener(fromEnvoyJson(ListenerSchema, json))).filterChains[0]?.terminal;
  assert.ok(terminal?.kind === "http");
  assert.deepEqual([terminal.http.routeTableName, terminal.http.routeTable], ["by-name", undefined]);
  assert.deepEqual(
    refused({}),
    ["there are no routes"].map((message) => `filter_chains[0].filters[0].typed_config: ${message}`),
  );
  assert.deepEqual(refused({ rds: { route_config_name: "x", config_source: { path: "/file" } } }), [
    "rds.config_source.path: envoy.config.core.v3.ConfigSource.path is not supported",
    "rds.config_source: routes come from ADS",
  ]);
  assert.deepEqual(refused({ rds: { route_config_name: "", config_source: { ads: {} } } }), [
    "rds.route_config_name: the field is empty",
  ]);
});

test("values that cannot be served are refused", () => {
  const of = (manager: JsonObject): string[] => refused({ route_config: routesJson([]), ...manager });
  assert.deepEqual(of({ codec_type: "HTTP3" }), ["codec_type: the value HTTP3 is not supported"]);
  assert.deepEqual(of({ stat_prefix: "" }), ["stat_prefix: the field is empty"]);
  assert.deepEqual(of({ max_request_headers_kb: 9000 }), ["max_request_headers_kb: 9000 is not between 1 and 8192"]);
  assert.deepEqual(of({ strip_any_host_port: true, strip_matching_host_port: true }), [
    "strip_matching_host_port: strip_any_host_port is set, too",
  ]);
  assert.deepEqual(of({ scheme_header_transformation: { scheme_to_overwrite: "gopher" } }), [
    'scheme_header_transformation.scheme_to_overwrite: "gopher" is not supported',
  ]);
  assert.deepEqual(of({ internal_address_config: { cidr_ranges: [{ address_prefix: "x", prefix_len: 8 }] } }), [
    'internal_address_config.cidr_ranges[0]: "x" is not an IP address',
  ]);
  assert.deepEqual(of({ server_name: "a\r\nb" }), ["server_name: the value holds control characters"]);
});
