import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, ListenerSchema } from "@heddle/xds/api";
import type { HttpFilterConfig } from "../config/http-connection-manager.ts";
import {
  configOf,
  fromEnvoyJson,
  listenerJson,
  problemsOf,
  routerFilter,
  routesJson,
  typeUrls,
} from "../testing/harness.ts";
import { loadListener } from "./listener.ts";

const parse = (filters: readonly JsonObject[]) =>
  loadListener(
    fromEnvoyJson(ListenerSchema, listenerJson({ route_config: routesJson([]), http_filters: [...filters] })),
  );

function load(filters: readonly JsonObject[]): readonly HttpFilterConfig[] {
  const terminal = configOf(parse(filters)).filterChains[0]?.terminal;
  assert.ok(terminal?.kind === "http");
  return terminal.http.filters;
}

const refused = (filters: readonly JsonObject[]): string[] =>
  problemsOf(parse(filters)).map((problem) =>
    problem.replace("filter_chains[0].filters[0].typed_config.http_filters", ""),
  );
const metrics = (reporter: string): JsonObject => ({
  name: "metrics",
  typed_config: { "@type": "type.googleapis.com/heddle.v1.StandardMetrics", reporter },
});
const peer = (own: JsonObject): JsonObject => ({
  name: "peer",
  typed_config: { "@type": "type.googleapis.com/heddle.v1.PeerMetadata", ...own },
});

test("filters are known by their type and keep their order", () => {
  const local = {
    workload: "w",
    namespace: "n",
    canonical_service: "s",
    canonical_revision: "r",
    app: "a",
    version: "v",
    cluster: "c",
    principal: "p",
  };
  const filters = load([
    { name: "authz", disabled: true, typed_config: { "@type": typeUrls.rbac } },
    { name: "fault", typed_config: { "@type": typeUrls.fault } },
    { name: "web", typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_web.v3.GrpcWeb" } },
    metrics("REPORTER_DESTINATION"),
    peer({ direction: "DIRECTION_INBOUND", local }),
    routerFilter,
  ]);
  assert.deepEqual(
    filters.map(({ kind, name, disabled }) => [kind, name, disabled]),
    [
      ["rbac", "authz", true],
      ["fault", "fault", false],
      ["grpc-web", "web", false],
      ["standard-metrics", "metrics", false],
      ["peer-metadata", "peer", false],
      ["router", "router", false],
    ],
  );
  assert.deepEqual(filters[3], { kind: "standard-metrics", name: "metrics", disabled: false, reporter: "destination" });
  assert.deepEqual(filters[4], {
    kind: "peer-metadata",
    name: "peer",
    disabled: false,
    direction: "inbound",
    local: {
      workload: "w",
      namespace: "n",
      canonicalService: "s",
      canonicalRevision: "r",
      app: "a",
      version: "v",
      cluster: "c",
      principal: "p",
    },
  });
  const outbound = load([metrics("REPORTER_SOURCE"), peer({ direction: "DIRECTION_OUTBOUND" }), routerFilter]);
  assert.deepEqual(outbound[0]?.kind === "standard-metrics" && outbound[0].reporter, "source");
  assert.deepEqual(outbound[1], {
    kind: "peer-metadata",
    name: "peer",
    disabled: false,
    direction: "outbound",
    local: undefined,
  });
});

test("the router stands last, names are unique, and enums are said", () => {
  const fault = { name: "fault", typed_config: { "@type": typeUrls.fault } };
  assert.deepEqual(refused([]), [": the list is empty"]);
  assert.deepEqual(refused([fault]), ["[0]: the last filter is not the router"]);
  assert.deepEqual(refused([routerFilter, fault]), [
    "[0]: the router is not the last filter",
    "[1]: the last filter is not the router",
  ]);
  assert.deepEqual(refused([fault, fault, routerFilter]), ['[1].name: "fault" is used twice']);
  assert.deepEqual(refused([{ ...routerFilter, disabled: true }]), ["[0].disabled: the router cannot be disabled"]);
  assert.deepEqual(refused([metrics("REPORTER_UNSPECIFIED"), routerFilter]), [
    "[0].typed_config.reporter: the reporter is missing",
  ]);
  assert.deepEqual(refused([peer({}), routerFilter]), ["[0].typed_config.direction: the direction is missing"]);
  assert.deepEqual(
    refused([{ name: "x", typed_config: { "@type": typeUrls.tcpProxy, stat_prefix: "t" } }, routerFilter]),
    ['[0].typed_config: "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy" is not supported here'],
  );
  assert.deepEqual(refused([{ name: "x" }, routerFilter]), ["[0].typed_config: typed_config is missing"]);
});
