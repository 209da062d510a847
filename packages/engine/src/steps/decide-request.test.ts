import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject } from "@heddle/xds/api";
import { type RequestParts } from "../testing/fixtures.ts";
import {
  clusterJson,
  Mesh,
  numbers,
  routerFilter,
  routesJson,
  routeTo,
  seeded,
  TraceList,
  typeUrls,
} from "../testing/harness.ts";
import { afterDelay } from "./decide-request.ts";

const clusters = ["a", "b", "c"].map((name) => clusterJson(name));

/** Which of several routes, each to a cluster of its own name, a request takes; "" for none. */
function taken(matches: readonly JsonObject[], request: RequestParts): string {
  const mesh = new Mesh({
    routes: routesJson(matches.map((match, index) => ({ match, route: { cluster: `route-${index}` } }))),
  });
  return mesh.decide(request).clusterName;
}

test("a route matches by path, headers, query parameters and fraction", () => {
  const table: [JsonObject, RequestParts, boolean][] = [
    [{ prefix: "/" }, { path: "/anything?x" }, true],
    [{ prefix: "/api" }, { path: "/apiary" }, true],
    [{ prefix: "/api" }, { path: "/ap" }, false],
    [{ prefix: "/api" }, { path: "/API" }, false],
    [{ prefix: "/api", case_sensitive: false }, { path: "/API/x" }, true],
    [{ prefix: "/a" }, { path: "/?/a" }, false],
    [{ path: "/a" }, { path: "/a?b=c" }, true],
    [{ path: "/a" }, { path: "/a/" }, false],
    [{ path: "/a", case_sensitive: false }, { path: "/A" }, true],
    [{ path_separated_prefix: "/api" }, { path: "/api" }, true],
    [{ path_separated_prefix: "/api" }, { path: "/api?x" }, true],
    [{ path_separated_prefix: "/api" }, { path: "/api/v1" }, true],
    [{ path_separated_prefix: "/api" }, { path: "/apiary" }, false],
    [{ path_separated_prefix: "/api", case_sensitive: false }, { path: "/API/v1" }, true],
    [{ safe_regex: { regex: "/[a-z]+/[0-9]+" } }, { path: "/users/7?x=y" }, true],
    [{ safe_regex: { regex: "/[a-z]+" } }, { path: "/users/7" }, false],
    [{ safe_regex: { regex: "/a|/b" } }, { path: "/b" }, true],
    [{ prefix: "/", headers: [{ name: "X-Debug", present_match: true }] }, { headers: { "x-debug": "" } }, true],
    [{ prefix: "/", headers: [{ name: "x-debug", present_match: true }] }, {}, false],
    [{ prefix: "/", headers: [{ name: ":method", string_match: { exact: "POST" } }] }, { method: "POST" }, true],
    [{ prefix: "/", headers: [{ name: ":method", string_match: { exact: "POST" } }] }, { method: "GET" }, false],
    [
      {
        prefix: "/",
        headers: [
          { name: "a", exact_match: "1" },
          { name: "b", exact_match: "2" },
        ],
      },
      { headers: { a: "1" } },
      false,
    ],
    [
      { prefix: "/", headers: [{ name: "user", string_match: { exact: "BOB", ignore_case: true } }] },
      { headers: { user: "bob" } },
      true,
    ],
    [{ prefix: "/", query_parameters: [{ name: "debug", present_match: true }] }, { path: "/?debug" }, true],
    [{ prefix: "/", query_parameters: [{ name: "debug" }] }, { path: "/?x=1&debug=no" }, true],
    [{ prefix: "/", query_parameters: [{ name: "debug", present_match: true }] }, { path: "/?debugger=1" }, false],
    [{ prefix: "/", query_parameters: [{ name: "debug", present_match: false }] }, { path: "/?x" }, true],
    [{ prefix: "/", query_parameters: [{ name: "v", string_match: { exact: "1" } }] }, { path: "/?v=1&v=2" }, true],
    [{ prefix: "/", query_parameters: [{ name: "v", string_match: { exact: "2" } }] }, { path: "/?v=1&v=2" }, false],
    [{ prefix: "/", query_parameters: [{ name: "v", string_match: { prefix: "b" } }] }, { path: "/" }, false],
  ];
  for (const [match, request, expected] of table) {
    assert.equal(
      taken([match], request) === "route-0",
      expected,
      `${JSON.stringify(match)} on ${JSON.stringify(request)}`,
    );
  }
  // The first that matches wins, in the order in which they stand.
  assert.equal(taken([{ prefix: "/a" }, { prefix: "/a/b" }, { prefix: "/" }], { path: "/a/b" }), "route-0");
  assert.equal(taken([{ prefix: "/x" }, { prefix: "/a/b" }, { prefix: "/" }], { path: "/a/b" }), "route-1");
  // A fraction of a quarter takes a quarter of the requests; denominators of all sizes.
  for (const fraction of [
    { numerator: 25 },
    { numerator: 2500, denominator: "TEN_THOUSAND" },
    { numerator: 250_000, denominator: "MILLION" },
  ]) {
    const mesh = new Mesh({
      routes: routesJson([
        { match: { prefix: "/", runtime_fraction: { default_value: fraction } }, route: { cluster: "a" } },
        routeTo("b"),
      ]),
      clusters,
    });
    mesh.random = seeded(7);
    let hits = 0;
    for (let i = 0; i < 4000; i++) if (mesh.decide({ headers: { "x-request-id": "kept" } }).clusterName === "a") hits++;
    assert.ok(Math.abs(hits - 1000) < 140, `${hits} of 4000`); // five sigma
  }
});

test("a route's name is kept for logs", () => {
  const mesh = new Mesh({ routes: routesJson([routeTo("a", {}, { name: "first" })]), clusters });
  assert.equal(mesh.decide().route?.name, "first");
});

test("the virtual host is found by its domains, with or without the port", () => {
  const hosts = (extra: JsonObject): JsonObject => ({
    name: "table",
    virtual_hosts: [
      { name: "shop", domains: ["shop.example", "shop.example:8080"], routes: [routeTo("a")] },
      { name: "any", domains: ["*"], routes: [routeTo("b")] },
    ],
    ...extra,
  });
  const plain = new Mesh({ routes: hosts({}), clusters });
  assert.equal(plain.decide({ authority: "SHOP.example" }).virtualHost?.name, "shop");
  assert.equal(plain.decide({ authority: "shop.example:8080" }).virtualHost?.name, "shop");
  assert.equal(plain.decide({ authority: "shop.example:9090" }).virtualHost?.name, "any");
  const ignoring = new Mesh({ routes: hosts({ ignore_port_in_host_matching: true }), clusters });
  assert.equal(ignoring.decide({ authority: "shop.example:9090" }).virtualHost?.name, "shop");
  assert.equal(ignoring.decide({ authority: "[::1]:80" }).virtualHost?.name, "any");
  assert.equal(plain.decide().routeTable?.name, "table");
});

test("without a virtual host, a route or a table the answer is 404 with the flag NR", () => {
  const noHost = new Mesh({ routes: { name: "t", virtual_hosts: [{ name: "h", domains: ["other"], routes: [] }] } });
  const noRoute = new Mesh({ routes: routesJson([]) });
  const noTable = new Mesh({ manager: { rds: { route_config_name: "later", config_source: { ads: {} } } } });
  for (const mesh of [noHost, noRoute, noTable]) {
    const req = mesh.decide();
    assert.deepEqual([mesh.out.kind, mesh.out.status, mesh.out.code, mesh.out.body], ["respond", 404, "no_route", ""]);
    assert.deepEqual(req.flags, ["NR"]);
    assert.equal(req.details, "route_not_found");
  }
});

test("a table that comes by name is looked up in the snapshot", () => {
  const mesh = new Mesh({
    manager: { rds: { route_config_name: "by-name", config_source: { ads: {} } } },
    tables: [{ ...routesJson([routeTo("a")]), name: "by-name" }],
    clusters,
  });
  assert.equal(mesh.decide().cluster?.name, "a");
});

test("headers that are internal only are removed from outsiders", () => {
  const mesh = new Mesh({
    routes: routesJson([routeTo("a")], { internal_only_headers: ["X-Secret"] }),
    manager: {
      use_remote_address: true,
      internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
    },
    clusters,
  });
  assert.equal(mesh.decide({ headers: { "x-secret": "1" } }).headers.has("x-secret"), true);
  assert.equal(
    mesh
      .decide({ headers: { "x-secret": "1" } }, { remoteAddress: { host: "203.0.113.9", port: 1 } })
      .headers.has("x-secret"),
    false,
  );
});

test("a route leads to a cluster by name, by header or by weight", () => {
  const byName = new Mesh({ routes: routesJson([routeTo("b")]), clusters });
  assert.equal(byName.decide().cluster?.name, "b");
  const byHeader = new Mesh({
    routes: routesJson([{ match: { prefix: "/" }, route: { cluster_header: "X-Cluster" } }]),
    clusters,
  });
  assert.equal(byHeader.decide({ headers: { "x-cluster": "c" } }).cluster?.name, "c");
  byHeader.decide();
  assert.equal(byHeader.out.code, "no_cluster");
  const weighted = (extra: JsonObject = {}) =>
    new Mesh({
      routes: routesJson([
        {
          match: { prefix: "/" },
          route: {
            weighted_clusters: {
              clusters: [
                { name: "a", weight: 90 },
                { name: "b", weight: 10 },
                { cluster_header: "x-cluster", weight: 0 },
              ],
              ...extra,
            },
          },
        },
      ]),
      clusters,
    });
  const split = weighted();
  split.random = seeded(11);
  const counts: Record<string, number> = {};
  for (let i = 0; i < 5000; i++) {
    const name = split.decide({ headers: { "x-request-id": "kept" } }).clusterName;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  assert.equal((counts["a"] ?? 0) + (counts["b"] ?? 0), 5000);
  assert.ok(Math.abs((counts["a"] ?? 0) - 4500) < 5 * Math.sqrt(5000 * 0.9 * 0.1), JSON.stringify(counts));
  // A header can take the place of the random number.
  const byValue = weighted({ header_name: "x-draw" });
  assert.equal(byValue.decide({ headers: { "x-draw": "89" } }).clusterName, "a");
  assert.equal(byValue.decide({ headers: { "x-draw": "90" } }).clusterName, "b");
  assert.equal(byValue.decide({ headers: { "x-draw": "18446744073709551515" } }).clusterName, "a"); // mod 100 = 15
  byValue.random = numbers(0.95);
  assert.equal(byValue.decide({ headers: { "x-draw": "none", "x-request-id": "kept" } }).clusterName, "b");
  const headerWeight = new Mesh({
    routes: routesJson([
      {
        match: { prefix: "/" },
        route: { weighted_clusters: { clusters: [{ cluster_header: "x-cluster", weight: 1 }] } },
      },
    ]),
    clusters,
  });
  assert.equal(headerWeight.decide({ headers: { "x-cluster": "c" } }).cluster?.name, "c");
});

test("a cluster that does not exist gives the configured status", () => {
  for (const [code, status] of [
    ["SERVICE_UNAVAILABLE", 503],
    ["NOT_FOUND", 404],
    ["INTERNAL_SERVER_ERROR", 500],
  ] as const) {
    const mesh = new Mesh({ routes: routesJson([routeTo("missing", { cluster_not_found_response_code: code })]) });
    const req = mesh.decide();
    assert.deepEqual(
      [mesh.out.kind, mesh.out.status, mesh.out.details, req.clusterName],
      ["respond", status, "cluster_not_found", "missing"],
    );
    assert.deepEqual(req.flags, ["NC"]);
  }
});

test("timeouts come from the route, the connection manager and the caller's headers", () => {
  const mesh = (action: JsonObject, manager: JsonObject = {}) =>
    new Mesh({
      routes: routesJson([routeTo("a", action)]),
      manager: {
        use_remote_address: true,
        internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
        ...manager,
      },
      clusters,
    });
  const timeouts = (own: Mesh, headers: Record<string, string> = {}) => {
    const req = own.forward({ headers });
    return [
      req.timeoutMs,
      req.perTryTimeoutMs,
      req.idleTimeoutMs,
      req.maxStreamDurationMs,
      req.headers.get("x-envoy-expected-rq-timeout-ms"),
    ];
  };
  assert.deepEqual(timeouts(mesh({})), [15_000, 0, 300_000, 0, "15000"]);
  assert.deepEqual(timeouts(mesh({ timeout: "0s" })), [0, 0, 300_000, 0, undefined]);
  const full = mesh(
    {
      timeout: "3s",
      idle_timeout: "7s",
      retry_policy: { retry_on: "5xx", per_try_timeout: "1s" },
    },
    { stream_idle_timeout: "9s" },
  );
  assert.deepEqual(timeouts(full), [3000, 1000, 7000, 0, "1000"]);
  // With a duration of the stream the route's timeout does not hold (Envoy, `usingNewTimeouts`).
  const stream = { max_stream_duration: { max_stream_duration: "60s" } };
  assert.deepEqual(timeouts(mesh({ timeout: "3s", ...stream })), [0, 0, 300_000, 60_000, undefined]);
  assert.deepEqual(
    timeouts(mesh({}, { stream_idle_timeout: "9s", common_http_protocol_options: { max_stream_duration: "8s" } })),
    [15_000, 0, 9000, 8000, "15000"],
  );
  const headers = { "x-envoy-upstream-rq-timeout-ms": "500", "x-envoy-upstream-rq-per-try-timeout-ms": "200" };
  assert.deepEqual(timeouts(full, headers), [500, 200, 7000, 0, "200"]);
  // A per-try timeout that is not shorter than the whole says nothing, nor does a header that is no number.
  assert.deepEqual(timeouts(full, { "x-envoy-upstream-rq-timeout-ms": "900" }).slice(0, 2), [900, 0]);
  assert.deepEqual(timeouts(full, { "x-envoy-upstream-rq-timeout-ms": "soon" }).slice(0, 2), [3000, 1000]);
  const req = full.forward({ headers });
  assert.equal(req.headers.has("x-envoy-upstream-rq-timeout-ms"), false);
  assert.equal(req.headers.has("x-envoy-upstream-rq-per-try-timeout-ms"), false);
});

test("a gRPC caller's deadline holds as the route says, and each attempt is told what is left of it", () => {
  const manager = {
    use_remote_address: true,
    internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
  };
  const decided = (action: JsonObject, asked: string, more: Record<string, string> = {}) => {
    const mesh = new Mesh({ routes: routesJson([routeTo("a", action)]), manager, clusters });
    const headers = { "content-type": "application/grpc", ...(asked === "" ? {} : { "grpc-timeout": asked }), ...more };
    const req = mesh.decide({ headers });
    if (mesh.out.kind === "respond") return [mesh.out.code, mesh.out.status];
    mesh.nowMs += 100;
    mesh.choose(req);
    return [req.timeoutMs, req.maxStreamDurationMs, req.headers.get("grpc-timeout")];
  };
  const stream = (fields: JsonObject): JsonObject => ({ max_stream_duration: fields });
  // Without a word in the route Envoy passes a deadline on and does not hold it.
  assert.deepEqual(decided({}, "1S"), [15_000, 0, "1S"]);
  assert.deepEqual(decided(stream({ grpc_timeout_header_max: "0s" }), "1S"), [0, 1000, "900m"]);
  assert.deepEqual(decided(stream({ grpc_timeout_header_max: "0.4s" }), "1S"), [0, 400, "300m"]);
  assert.deepEqual(decided(stream({ grpc_timeout_header_max: "2s" }), "1S"), [0, 1000, "900m"]);
  // No deadline, or none that can be read: the duration that is configured, which is told, too.
  const both = stream({ grpc_timeout_header_max: "0s", max_stream_duration: "3s" });
  for (const asked of ["", "soon", "1", "123456789m", "-1S"])
    assert.deepEqual(decided(both, asked), [0, 3000, "2900m"]);
  assert.deepEqual(decided(stream({ max_stream_duration: "3s" }), "1S"), [0, 3000, "2900m"]);
  const early = stream({ grpc_timeout_header_max: "2s", grpc_timeout_header_offset: "0.3s" });
  assert.deepEqual(decided(early, "1S"), [0, 700, "600m"]);
  assert.deepEqual(decided(early, "9S"), [0, 1700, "1600m"]);
  assert.deepEqual(decided(early, "300m"), ["stream_duration", 504]);
  assert.deepEqual(decided(early, "0m"), ["stream_duration", 504]);
  // What is left never reaches the 0 that says that none is.
  assert.deepEqual(decided(stream({ grpc_timeout_header_max: "0s" }), "50m"), [0, 50, "1m"]);
  // The older fields, which Istio sends, put the deadline in the place of the timeout.
  const old = { timeout: "9s", max_grpc_timeout: "2s" };
  assert.deepEqual(decided(old, "1S"), [1000, 0, "900m"]);
  assert.deepEqual(decided(old, "5S"), [2000, 0, "1900m"]);
  assert.deepEqual(decided(old, ""), [2000, 0, "1900m"]);
  assert.deepEqual(decided({ ...old, max_grpc_timeout: "0s" }, ""), [0, 0, undefined]);
  assert.deepEqual(decided({ ...old, grpc_timeout_offset: "0.3s" }, "1S"), [700, 0, "600m"]);
  assert.deepEqual(decided({ ...old, grpc_timeout_offset: "1s" }, "1S"), [1000, 0, "900m"]);
  assert.deepEqual(decided({ ...old, ...early }, "1S"), [0, 700, "600m"]);
  const retry = { retry_policy: { retry_on: "5xx", per_try_timeout: "0.25s" } };
  assert.deepEqual(decided({ ...old, ...retry }, "1S"), [1000, 0, "250m"]);
  assert.deepEqual(decided(old, "1S", { "x-envoy-upstream-rq-timeout-ms": "500" }), [500, 0, "400m"]);
  // The old field is for gRPC alone.
  assert.deepEqual(decided(old, "1S", { "content-type": "text/plain" }), [9000, 0, "1S"]);
});

test("mirrors are drawn by their fraction and inherited from the outside", () => {
  const mirror = (cluster: string, extra: JsonObject = {}): JsonObject => ({ cluster, ...extra });
  const drawn = (mesh: Mesh): string[] => {
    mesh.decide({ headers: { "x-request-id": "kept" } });
    return mesh.out.mirrors.map((own) => own.cluster);
  };
  const half = { runtime_fraction: { default_value: { numerator: 50 } }, trace_sampled: false };
  const route = (policies: readonly JsonObject[]): JsonObject =>
    routeTo("a", { request_mirror_policies: [...policies] });
  const own = new Mesh({ routes: routesJson([route([mirror("b"), mirror("c", half)])]), clusters });
  own.random = numbers(0.6);
  assert.deepEqual(drawn(own), ["b"]);
  own.random = numbers(0.4);
  assert.deepEqual(drawn(own), ["b", "c"]);
  const none = new Mesh({
    routes: routesJson([route([mirror("b", { runtime_fraction: { default_value: { numerator: 0 } } })])]),
    clusters,
  });
  assert.deepEqual(drawn(none), []);
  const outer = { request_mirror_policies: [mirror("c")] };
  assert.deepEqual(drawn(new Mesh({ routes: routesJson([routeTo("a")], outer), clusters })), ["c"]);
  assert.deepEqual(drawn(new Mesh({ routes: routesJson([routeTo("a")], {}, outer), clusters })), ["c"]);
  assert.deepEqual(
    drawn(
      new Mesh({
        routes: routesJson([route([mirror("b")])], outer, { request_mirror_policies: [mirror("a")] }),
        clusters,
      }),
    ),
    ["b"],
  );
  const plain = new Mesh({
    routes: routesJson([route([mirror("b", { disable_shadow_host_suffix_append: true })])]),
    clusters,
  });
  plain.decide();
  assert.equal(plain.out.mirrors[0]?.appendShadowSuffix, false);
});

const abort = (status: number): JsonObject => ({
  "@type": typeUrls.fault,
  abort: { http_status: status, percentage: { numerator: 100 } },
});

test("a protocol is switched to where the route allows it, or the listener while the route says nothing", () => {
  const status = (listener: JsonObject[], ofRoute: JsonObject[], upgrade: string): number => {
    const mesh = new Mesh({
      routes: routesJson([routeTo("a", { upgrade_configs: ofRoute })]),
      manager: { upgrade_configs: listener },
      clusters,
    });
    mesh.decide({ upgrade });
    return mesh.out.status;
  };
  const websocket = { upgrade_type: "WebSocket" };
  const off = { ...websocket, enabled: false };
  const on = { ...websocket, enabled: true };
  assert.equal(status([], [], ""), 0);
  assert.equal(status([], [], "websocket"), 403);
  assert.equal(status([websocket], [], "websocket"), 0);
  assert.equal(status([websocket], [], "other"), 403);
  assert.equal(status([off], [], "websocket"), 403);
  assert.equal(status([off], [on], "websocket"), 0);
  assert.equal(status([on], [off], "websocket"), 403);
  assert.equal(status([], [websocket], "websocket"), 0);
});

test("the most specific override of a filter wins", () => {
  const filters = [{ name: "faults", typed_config: abort(500) }, routerFilter];
  const at = (status: number): JsonObject => ({ typed_per_filter_config: { faults: abort(status) } });
  const status = (levels: {
    table?: JsonObject;
    host?: JsonObject;
    route?: JsonObject;
    weighted?: JsonObject;
  }): number => {
    const route = {
      match: { prefix: "/" },
      route: { weighted_clusters: { clusters: [{ name: "a", weight: 1, ...levels.weighted }] } },
      ...levels.route,
    };
    const mesh = new Mesh({
      routes: routesJson([route], levels.table, levels.host),
      manager: { http_filters: filters },
      clusters,
    });
    mesh.decide();
    return mesh.out.status;
  };
  assert.equal(status({}), 500);
  assert.equal(status({ table: at(501) }), 501);
  assert.equal(status({ table: at(501), host: at(502) }), 502);
  assert.equal(status({ table: at(501), host: at(502), route: at(503) }), 503);
  assert.equal(status({ table: at(501), host: at(502), route: at(503), weighted: at(504) }), 504);
  assert.equal(status({ route: { typed_per_filter_config: { other: abort(599) } } }), 500);
  // RBAC: an override with rules replaces them, one without switches the filter off.
  const deny = { action: "DENY", policies: { all: { permissions: [{ any: true }], principals: [{ any: true }] } } };
  const rbac = (override: JsonObject | undefined): number =>
    filtered(override === undefined ? undefined : { "@type": typeUrls.rbacPerRoute, ...override });
  const filtered = (override: JsonObject | undefined): number => {
    const route = routeTo("a", {}, override === undefined ? {} : { typed_per_filter_config: { authz: override } });
    const mesh = new Mesh({
      routes: routesJson([route]),
      manager: {
        http_filters: [{ name: "authz", typed_config: { "@type": typeUrls.rbac, rules: deny } }, routerFilter],
      },
      clusters,
    });
    mesh.decide();
    return mesh.out.status;
  };
  assert.equal(rbac(undefined), 403);
  assert.equal(rbac({}), 0);
  assert.equal(rbac({ rbac: { rules: { ...deny, action: "ALLOW" } } }), 0);
  assert.equal(rbac({ rbac: { rules: { ...deny, action: "ALLOW", policies: {} } } }), 403);
  // One of another filter's kind is none: a denial must not be lost to a mistaken name.
  assert.equal(filtered({ "@type": typeUrls.fault }), 403);
  // A filter that is disabled runs where a route configures it.
  const disabled = new Mesh({
    routes: routesJson([routeTo("a", {}, { match: { prefix: "/on" }, ...at(503) }), routeTo("a")]),
    manager: { http_filters: [{ name: "faults", disabled: true, typed_config: abort(500) }, routerFilter] },
    clusters,
  });
  disabled.decide({ path: "/off" });
  assert.equal(disabled.out.kind, "forward");
  disabled.decide({ path: "/on" });
  assert.equal(disabled.out.status, 503);
});

test("filters run in their order, and before a missing route is answered", () => {
  const deny = { "@type": typeUrls.rbac, rules: { action: "ALLOW", policies: {} } };
  const order = (filters: readonly JsonObject[]): number => {
    const mesh = new Mesh({ routes: routesJson([]), manager: { http_filters: [...filters, routerFilter] } });
    mesh.decide();
    return mesh.out.status;
  };
  assert.equal(
    order([
      { name: "rbac", typed_config: deny },
      { name: "fault", typed_config: abort(500) },
    ]),
    403,
  );
  assert.equal(
    order([
      { name: "fault", typed_config: abort(500) },
      { name: "rbac", typed_config: deny },
    ]),
    500,
  );
});

test("after a delay the request goes on where it stopped", () => {
  const delay = { "@type": typeUrls.fault, delay: { fixed_delay: "0.25s", percentage: { numerator: 100 } } };
  const deny = { "@type": typeUrls.rbac, rules: { action: "ALLOW", policies: {} } };
  const mesh = new Mesh({
    routes: routesJson([routeTo("a")]),
    manager: {
      http_filters: [
        { name: "one", typed_config: delay },
        { name: "two", typed_config: delay },
        { name: "rbac", typed_config: deny },
        routerFilter,
      ],
    },
    clusters,
  });
  const req = mesh.decide();
  for (let i = 0; i < 2; i++) {
    assert.deepEqual([mesh.out.kind, mesh.out.delayMs], ["delay", 250]);
    afterDelay(mesh.live, req, mesh.random, mesh.out);
  }
  assert.equal(mesh.out.status, 403);
  assert.deepEqual(req.flags, ["DI"]);
});

test("a trace tells every route, policy and cluster that was considered, and why", () => {
  const mesh = new Mesh({
    routes: routesJson([
      {
        name: "posts",
        match: { prefix: "/", headers: [{ name: ":method", exact_match: "POST" }] },
        route: { cluster: "b" },
      },
      {
        name: "all",
        match: { prefix: "/" },
        route: { cluster: "a" },
        metadata: {
          filter_metadata: { "heddle.dev": { kind: "VirtualService", namespace: "shop", name: "web", rule: "1" } },
        },
      },
    ]),
    manager: {
      http_filters: [
        {
          name: "authz",
          typed_config: {
            "@type": typeUrls.rbac,
            rules: {
              action: "DENY",
              policies: {
                "ns[shop]-policy[no-deletes]-rule[0]": {
                  permissions: [{ header: { name: ":method", exact_match: "DELETE" } }],
                  principals: [{ any: true }],
                },
              },
            },
          },
        },
        routerFilter,
      ],
    },
    clusters,
  });
  const trace = new TraceList();
  const req = mesh.decide({ path: "/x" }, {}, trace);
  mesh.choose(req, trace);
  const told = trace.entries.map(({ kind, name, matched }) => `${kind} ${name} ${matched}`);
  assert.deepEqual(told, [
    "edge client false",
    "virtual-host host true",
    "route posts false",
    "route all true",
    "policy ns[shop]-policy[no-deletes]-rule[0] false",
    "policy deny false",
    "cluster a true",
    "endpoint 10.1.0.1:80 true",
  ]);
  const policy = trace.entries.find(({ kind }) => kind === "policy");
  // With the name that the resource has, not that of the wire.
  assert.deepEqual([policy?.why, policy?.policyAction], ["deny policy no-deletes does not match", "deny"]);
  assert.match(trace.entries[2]?.why ?? "", /not: header :method exact "POST"/);
  assert.deepEqual(trace.entries[4]?.provenance, {
    kind: "AuthorizationPolicy",
    namespace: "shop",
    name: "no-deletes",
    rule: "0",
    generation: undefined,
  });
  assert.equal(req.decidedBy?.name, "web");
});
