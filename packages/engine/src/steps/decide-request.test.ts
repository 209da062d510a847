import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, RouteConfigurationSchema } from "@heddle/xds/api";
import { loadRouteConfiguration } from "../load/route-table.ts";
import { PlainHeaders, type RequestParts } from "../testing/fixtures.ts";
import { clusterJson, fromEnvoyJson, Mesh, numbers, problemsOf, routerFilter, routesJson, routeTo, seeded, TraceList, typeUrls } from "../testing/harness.ts";
import { afterDelay } from "./decide-request.ts";
import { writeLocalResponse } from "./response-headers.ts";

const clusters = ["a", "b", "c"].map((name) => clusterJson(name));

/** Which of several routes, each to a cluster of its own name, a request takes; "" for none. */
function taken(matches: readonly JsonObject[], request: RequestParts): string {
  const mesh = new Mesh({ routes: routesJson(matches.map((match, index) => ({ match, route: { cluster: `route-${index}` } }))) });
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
    [{ prefix: "/", headers: [{ name: "a", exact_match: "1" }, { name: "b", exact_match: "2" }] }, { headers: { a: "1" } }, false],
    [{ prefix: "/", headers: [{ name: "user", string_match: { exact: "BOB", ignore_case: true } }] }, { headers: { user: "bob" } }, true],
    [{ prefix: "/", query_parameters: [{ name: "debug", present_match: true }] }, { path: "/?debug" }, true],
    [{ prefix: "/", query_parameters: [{ name: "debug" }] }, { path: "/?x=1&debug=no" }, true],
    [{ prefix: "/", query_parameters: [{ name: "debug", present_match: true }] }, { path: "/?debugger=1" }, false],
    [{ prefix: "/", query_parameters: [{ name: "debug", present_match: false }] }, { path: "/?x" }, true],
    [{ prefix: "/", query_parameters: [{ name: "v", string_match: { exact: "1" } }] }, { path: "/?v=1&v=2" }, true],
    [{ prefix: "/", query_parameters: [{ name: "v", string_match: { exact: "2" } }] }, { path: "/?v=1&v=2" }, false],
    [{ prefix: "/", query_parameters: [{ name: "v", string_match: { prefix: "b" } }] }, { path: "/" }, false],
  ];
  for (const [match, request, expected] of table) {
    assert.equal(taken([match], request) === "route-0", expected, `${JSON.stringify(match)} on ${JSON.stringify(request)}`);
  }
  // The first that matches wins, in the order in which they stand.
  assert.equal(taken([{ prefix: "/a" }, { prefix: "/a/b" }, { prefix: "/" }], { path: "/a/b" }), "route-0");
  assert.equal(taken([{ prefix: "/x" }, { prefix: "/a/b" }, { prefix: "/" }], { path: "/a/b" }), "route-1");
  // A fraction of a quarter takes a quarter of the requests; denominators of all sizes.
  for (const fraction of [{ numerator: 25 }, { numerator: 2500, denominator: "TEN_THOUSAND" }, { numerator: 250_000, denominator: "MILLION" }]) {
    const mesh = new Mesh({ routes: routesJson([{ match: { prefix: "/", runtime_fraction: { default_value: fraction } }, route: { cluster: "a" } }, routeTo("b")]), clusters });
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

test("a virtual host that requires TLS redirects", () => {
  const of = (requirement: string): Mesh =>
    new Mesh({ routes: routesJson([routeTo("a")], {}, { require_tls: requirement }), manager: { use_remote_address: true, internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] } }, clusters });
  const outside = { remoteAddress: { host: "203.0.113.9", port: 1 } };
  const all = of("ALL");
  all.decide({ path: "/x?y" });
  assert.deepEqual([all.out.status, all.out.location, all.out.details], [301, "https://example.com/x?y", "direct_response"]);
  all.decide({}, { isTls: true });
  assert.equal(all.out.kind, "forward");
  const external = of("EXTERNAL_ONLY");
  external.decide();
  assert.equal(external.out.kind, "forward");
  external.decide({}, outside);
  assert.equal(external.out.status, 301);
  const none = of("NONE");
  none.decide({}, outside);
  assert.equal(none.out.kind, "forward");
});

test("headers that are internal only are removed from outsiders", () => {
  const mesh = new Mesh({
    routes: routesJson([routeTo("a")], { internal_only_headers: ["X-Secret"] }),
    manager: { use_remote_address: true, internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] } },
    clusters,
  });
  assert.equal(mesh.decide({ headers: { "x-secret": "1" } }).headers.has("x-secret"), true);
  assert.equal(mesh.decide({ headers: { "x-secret": "1" } }, { remoteAddress: { host: "203.0.113.9", port: 1 } }).headers.has("x-secret"), false);
});

function setHeader(key: string, value: string, action = "APPEND_IF_EXISTS_OR_ADD"): JsonObject {
  return { header: { key, value }, append_action: action };
}

test("a header is appended, added, overwritten or removed as its action says", () => {
  const after = (options: readonly JsonObject[], remove: readonly string[], headers: Record<string, string>): [string, string][] => {
    const mesh = new Mesh({ routes: routesJson([routeTo("a", {}, { request_headers_to_add: [...options], request_headers_to_remove: [...remove] })]), clusters });
    const req = mesh.decide({ headers });
    const own = new Set(["x-forwarded-proto", "x-request-id", "x-envoy-expected-rq-timeout-ms"]);
    const entries: [string, string][] = [];
    for (let i = 0; i < req.headers.length; i++) if (!own.has(req.headers.nameAt(i))) entries.push([req.headers.nameAt(i), req.headers.valueAt(i)]);
    return entries;
  };
  assert.deepEqual(after([setHeader("X-A", "2")], [], { "x-a": "1" }), [["x-a", "1"], ["x-a", "2"]]);
  assert.deepEqual(after([{ header: { key: "x-a", value: "2" }, append: false }], [], { "x-a": "1" }), [["x-a", "2"]]);
  assert.deepEqual(after([{ header: { key: "x-a", value: "2" }, append: true }], [], { "x-a": "1" }), [["x-a", "1"], ["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "ADD_IF_ABSENT")], [], { "x-a": "1" }), [["x-a", "1"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "ADD_IF_ABSENT")], [], {}), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS_OR_ADD")], [], { "x-a": "1" }), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS_OR_ADD")], [], {}), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS")], [], { "x-a": "1" }), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS")], [], {}), []);
  // Removal comes first, also of what is added.
  assert.deepEqual(after([setHeader("x-a", "2")], ["X-A"], { "x-a": "1" }), [["x-a", "2"]]);
  // Values are computed before anything of the level is written; overwrites come before additions.
  assert.deepEqual(after([setHeader("x-b", "%REQ(x-a)%"), setHeader("x-a", "new", "OVERWRITE_IF_EXISTS_OR_ADD")], [], { "x-a": "old" }), [["x-a", "new"], ["x-b", "old"]]);
  // An empty value adds nothing unless it is to be kept.
  assert.deepEqual(after([setHeader("x-b", "%REQ(x-none)%")], [], {}), []);
  assert.deepEqual(after([{ ...setHeader("x-b", "%REQ(x-none)%"), keep_empty_value: true }], [], {}), [["x-b", ""]]);
  assert.deepEqual(after([setHeader("x-b", "100%%")], [], {}), [["x-b", "100%"]]);
});

test("header values can name parts of the request and its connection", () => {
  const value = (format: string): string | undefined => {
    const mesh = new Mesh({ routes: routesJson([routeTo("a", {}, { name: "r", request_headers_to_add: [setHeader("x-v", format)] })]), clusters });
    const req = mesh.decide({ path: "/p?q", method: "PUT", headers: { "x-one": "abcdef", "x-two": "2" } }, { sni: "sni.example" });
    return req.headers.get("x-v");
  };
  for (const [format, expected] of [
    ["%REQ(X-ONE)%", "abcdef"], ["%REQ(x-none?x-two)%", "2"], ["%REQ(x-one):3%", "abc"], ["%REQ(:method)% %REQ(:path)%", "PUT /p?q"], ["%REQ(:authority)%", "example.com"],
    ["%DOWNSTREAM_REMOTE_ADDRESS%", "10.0.0.1:50000"], ["%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.1"], ["%DOWNSTREAM_REMOTE_PORT%", "50000"],
    ["%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "10.0.0.1:50000"], ["%DOWNSTREAM_LOCAL_ADDRESS%", "10.0.0.2:8080"], ["%DOWNSTREAM_LOCAL_PORT%", "8080"],
    ["%REQUESTED_SERVER_NAME%", "sni.example"], ["%ROUTE_NAME%", "r"], ["%UPSTREAM_CLUSTER%", "a"], ["<%REQ(x-two)%>", "<2>"],
  ] as const) {
    assert.equal(value(format), expected, format);
  }
});

test("header mutations run from the weighted cluster to the table, or the other way round", () => {
  const level = (name: string): JsonObject => ({
    request_headers_to_add: [setHeader("x-order", name, "OVERWRITE_IF_EXISTS_OR_ADD"), setHeader("x-all", name)],
    request_headers_to_remove: [`x-${name}`],
    response_headers_to_add: [setHeader("x-order", name, "OVERWRITE_IF_EXISTS_OR_ADD"), setHeader("x-all", name)],
    response_headers_to_remove: [`x-${name}`],
  });
  const decide = (mostSpecificWins: boolean) => {
    const route = { match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ name: "a", weight: 1, ...level("weighted") }] } }, ...level("route") };
    const mesh = new Mesh({ routes: routesJson([route], { ...level("table"), most_specific_header_mutations_wins: mostSpecificWins }, level("host")), clusters });
    const req = mesh.forward({ headers: { "x-weighted": "1", "x-route": "1", "x-host": "1", "x-table": "1" } });
    return { mesh, req };
  };
  const { req } = decide(false);
  assert.equal(req.headers.get("x-order"), "table");
  assert.equal(req.headers.get("x-all"), "weighted,route,host,table");
  for (const name of ["weighted", "route", "host", "table"]) assert.equal(req.headers.has(`x-${name}`), false, name);
  const reversed = decide(true).req;
  assert.equal(reversed.headers.get("x-order"), "route");
  assert.equal(reversed.headers.get("x-all"), "weighted,table,host,route");
});

test("response header mutations of a direct response follow the same order", () => {
  const level = (name: string): JsonObject => ({ response_headers_to_add: [setHeader("x-all", name)], response_headers_to_remove: ["location"] });
  const mesh = new Mesh({ routes: routesJson([{ match: { prefix: "/" }, direct_response: { status: 200 }, ...level("route") }], level("table"), level("host")) });
  const req = mesh.decide();
  const headers = new PlainHeaders();
  writeLocalResponse(req, mesh.out, headers);
  assert.equal(headers.get("x-all"), "route,host,table");
});

test("a route leads to a cluster by name, by header or by weight", () => {
  const byName = new Mesh({ routes: routesJson([routeTo("b")]), clusters });
  assert.equal(byName.decide().cluster?.name, "b");
  const byHeader = new Mesh({ routes: routesJson([{ match: { prefix: "/" }, route: { cluster_header: "X-Cluster" } }]), clusters });
  assert.equal(byHeader.decide({ headers: { "x-cluster": "c" } }).cluster?.name, "c");
  byHeader.decide();
  assert.equal(byHeader.out.code, "no_cluster");
  const weighted = (extra: JsonObject = {}) =>
    new Mesh({
      routes: routesJson([{ match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ name: "a", weight: 90 }, { name: "b", weight: 10 }, { cluster_header: "x-cluster", weight: 0 }], ...extra } } }]),
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
    routes: routesJson([{ match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ cluster_header: "x-cluster", weight: 1 }] } } }]),
    clusters,
  });
  assert.equal(headerWeight.decide({ headers: { "x-cluster": "c" } }).cluster?.name, "c");
});

test("a cluster that does not exist gives the configured status", () => {
  for (const [code, status] of [["SERVICE_UNAVAILABLE", 503], ["NOT_FOUND", 404], ["INTERNAL_SERVER_ERROR", 500]] as const) {
    const mesh = new Mesh({ routes: routesJson([routeTo("missing", { cluster_not_found_response_code: code })]) });
    const req = mesh.decide();
    assert.deepEqual([mesh.out.kind, mesh.out.status, mesh.out.details, req.clusterName], ["respond", status, "cluster_not_found", "missing"]);
    assert.deepEqual(req.flags, ["NC"]);
  }
});

test("paths and hosts are rewritten", () => {
  const paths: [JsonObject, JsonObject, string, string][] = [
    [{ prefix: "/api/" }, { prefix_rewrite: "/" }, "/api/v1?x=/api/", "/v1?x=/api/"],
    [{ prefix: "/api" }, { prefix_rewrite: "/v2" }, "/api", "/v2"],
    [{ prefix: "/API", case_sensitive: false }, { prefix_rewrite: "/v2" }, "/api/x", "/v2/x"],
    [{ path: "/old" }, { prefix_rewrite: "/new" }, "/old?q", "/new?q"],
    [{ path_separated_prefix: "/a" }, { prefix_rewrite: "/b" }, "/a/c", "/b/c"],
    [{ safe_regex: { regex: "/x.*" } }, { prefix_rewrite: "/whole" }, "/xyz?q", "/whole?q"],
    [{ prefix: "/" }, { regex_rewrite: { pattern: { regex: "^/service/([^/]+)(/.*)$" }, substitution: "\\2/instance/\\1" } }, "/service/foo/v1?q=/service/", "/v1/instance/foo?q=/service/"],
  ];
  for (const [match, action, before, after] of paths) {
    const mesh = new Mesh({ routes: routesJson([{ match, route: { cluster: "a", ...action } }]), clusters });
    const req = mesh.decide({ path: before });
    assert.equal(req.path, after);
    assert.equal(req.headers.get("x-envoy-original-path"), before);
    assert.equal(req.originalPath, before);
  }
  const hosts: [JsonObject, string][] = [
    [{ host_rewrite_literal: "new.example" }, "new.example"],
    [{ host_rewrite_header: "x-host" }, "from-header"],
    [{ host_rewrite_header: "x-missing" }, "example.com"],
    [{ host_rewrite_path_regex: { pattern: { regex: "^/([^/]+)/.*$" }, substitution: "\\1.example" } }, "tenant.example"],
    [{ auto_host_rewrite: false }, "example.com"],
  ];
  for (const [action, expected] of hosts) {
    const mesh = new Mesh({ routes: routesJson([routeTo("a", { ...action, append_x_forwarded_host: true })]), clusters });
    const req = mesh.decide({ path: "/tenant/x", headers: { "x-host": "from-header" } });
    assert.equal(req.authority, expected);
    assert.equal(req.headers.get("x-forwarded-host"), expected === "example.com" ? undefined : "example.com");
    assert.equal(req.originalAuthority, "example.com");
  }
  const auto = new Mesh({
    routes: routesJson([routeTo("dns", { auto_host_rewrite: true })]),
    clusters: [clusterJson("dns", [{ endpoint: { address: { socket_address: { address: "10.1.0.1", port_value: 80 } }, hostname: "origin.example" } }])],
  });
  assert.equal(auto.forward().authority, "origin.example");
  const weighted = new Mesh({
    routes: routesJson([{ match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ name: "a", weight: 1, host_rewrite_literal: "weighted.example" }] } } }]),
    clusters,
  });
  assert.equal(weighted.decide().authority, "weighted.example");
});

test("timeouts come from the route, the connection manager and the caller's headers", () => {
  const mesh = (action: JsonObject, manager: JsonObject = {}) =>
    new Mesh({
      routes: routesJson([routeTo("a", action)]),
      manager: { use_remote_address: true, internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] }, ...manager },
      clusters,
    });
  const timeouts = (own: Mesh, headers: Record<string, string> = {}) => {
    const req = own.forward({ headers });
    return [req.timeoutMs, req.perTryTimeoutMs, req.idleTimeoutMs, req.maxStreamDurationMs, req.headers.get("x-envoy-expected-rq-timeout-ms")];
  };
  assert.deepEqual(timeouts(mesh({})), [15_000, 0, 300_000, 0, "15000"]);
  assert.deepEqual(timeouts(mesh({ timeout: "0s" })), [0, 0, 300_000, 0, undefined]);
  const full = mesh(
    { timeout: "3s", idle_timeout: "7s", max_stream_duration: { max_stream_duration: "60s" }, retry_policy: { retry_on: "5xx", per_try_timeout: "1s" } },
    { stream_idle_timeout: "9s" },
  );
  assert.deepEqual(timeouts(full), [3000, 1000, 7000, 60_000, "1000"]);
  assert.deepEqual(timeouts(mesh({}, { stream_idle_timeout: "9s", common_http_protocol_options: { max_stream_duration: "8s" } })), [15_000, 0, 9000, 8000, "15000"]);
  const headers = { "x-envoy-upstream-rq-timeout-ms": "500", "x-envoy-upstream-rq-per-try-timeout-ms": "200" };
  assert.deepEqual(timeouts(full, headers), [500, 200, 7000, 60_000, "200"]);
  // A per-try timeout that is not shorter than the whole says nothing, nor does a header that is no number.
  assert.deepEqual(timeouts(full, { "x-envoy-upstream-rq-timeout-ms": "900" }).slice(0, 2), [900, 0]);
  assert.deepEqual(timeouts(full, { "x-envoy-upstream-rq-timeout-ms": "soon" }).slice(0, 2), [3000, 1000]);
  const req = full.forward({ headers });
  assert.equal(req.headers.has("x-envoy-upstream-rq-timeout-ms"), false);
  assert.equal(req.headers.has("x-envoy-upstream-rq-per-try-timeout-ms"), false);
});

test("mirrors are drawn by their fraction and inherited from the outside", () => {
  const mirror = (cluster: string, extra: JsonObject = {}): JsonObject => ({ cluster, ...extra });
  const drawn = (mesh: Mesh): string[] => {
    mesh.decide({ headers: { "x-request-id": "kept" } });
    return mesh.out.mirrors.map((own) => own.cluster);
  };
  const half = { runtime_fraction: { default_value: { numerator: 50 } }, trace_sampled: false };
  const route = (policies: readonly JsonObject[]): JsonObject => routeTo("a", { request_mirror_policies: [...policies] });
  const own = new Mesh({ routes: routesJson([route([mirror("b"), mirror("c", half)])]), clusters });
  own.random = numbers(0.6);
  assert.deepEqual(drawn(own), ["b"]);
  own.random = numbers(0.4);
  assert.deepEqual(drawn(own), ["b", "c"]);
  const none = new Mesh({ routes: routesJson([route([mirror("b", { runtime_fraction: { default_value: { numerator: 0 } } })])]), clusters });
  assert.deepEqual(drawn(none), []);
  const outer = { request_mirror_policies: [mirror("c")] };
  assert.deepEqual(drawn(new Mesh({ routes: routesJson([routeTo("a")], outer), clusters })), ["c"]);
  assert.deepEqual(drawn(new Mesh({ routes: routesJson([routeTo("a")], {}, outer), clusters })), ["c"]);
  assert.deepEqual(drawn(new Mesh({ routes: routesJson([route([mirror("b")])], outer, { request_mirror_policies: [mirror("a")] }), clusters })), ["b"]);
  const plain = new Mesh({ routes: routesJson([route([mirror("b", { disable_shadow_host_suffix_append: true })])]), clusters });
  plain.decide();
  assert.equal(plain.out.mirrors[0]?.appendShadowSuffix, false);
});

test("a redirect changes scheme, host, port, path and query", () => {
  const location = (redirect: JsonObject, request: RequestParts = {}, match: JsonObject = { prefix: "/" }, isTls = false): [number, string] => {
    const mesh = new Mesh({ routes: routesJson([{ match, redirect }]) });
    mesh.decide({ path: "/a/b?c=d", ...request }, { isTls });
    assert.equal(mesh.out.kind, "respond");
    return [mesh.out.status, mesh.out.location];
  };
  const table: [JsonObject, string, RequestParts?, JsonObject?, boolean?][] = [
    [{ host_redirect: "new.example" }, "http://new.example/a/b?c=d"],
    [{ https_redirect: true }, "https://example.com/a/b?c=d"],
    [{ https_redirect: true }, "https://example.com/a/b?c=d", { authority: "example.com:80" }],
    [{ https_redirect: true }, "https://example.com:8080/a/b?c=d", { authority: "example.com:8080" }],
    [{ https_redirect: false }, "http://example.com/a/b?c=d"],
    [{ scheme_redirect: "HTTPS", port_redirect: 8443 }, "https://example.com:8443/a/b?c=d", { authority: "example.com:8080" }],
    [{ scheme_redirect: "http" }, "http://example.com/a/b?c=d", { authority: "example.com:443" }, { prefix: "/" }, true],
    [{ port_redirect: 8443 }, "http://[::1]:8443/a/b?c=d", { authority: "[::1]:80" }],
    [{ path_redirect: "/new" }, "http://example.com/new?c=d"],
    [{ path_redirect: "/new", strip_query: true }, "http://example.com/new"],
    [{ path_redirect: "/new?own" }, "http://example.com/new?own"],
    [{ path_redirect: "/new?own", strip_query: true }, "http://example.com/new?own"],
    [{ host_redirect: "h", strip_query: true }, "http://h/a/b"],
    [{ prefix_rewrite: "/x" }, "http://example.com/x/b?c=d", {}, { prefix: "/a" }],
    [{ regex_rewrite: { pattern: { regex: "^/(.)/(.)$" }, substitution: "/\\2/\\1" } }, "http://example.com/b/a?c=d"],
  ];
  for (const [redirect, expected, request, match, isTls] of table) assert.deepEqual(location(redirect, request, match, isTls), [301, expected], JSON.stringify(redirect));
  for (const [code, status] of [["MOVED_PERMANENTLY", 301], ["FOUND", 302], ["SEE_OTHER", 303], ["TEMPORARY_REDIRECT", 307], ["PERMANENT_REDIRECT", 308]] as const) {
    assert.equal(location({ response_code: code })[0], status);
  }
});

test("a direct response has the route's status and body", () => {
  const of = (body: JsonObject, table: JsonObject = {}): JsonObject => routesJson([{ match: { prefix: "/" }, direct_response: { status: 418, body } }], table);
  const mesh = new Mesh({ routes: of({ inline_string: "short and stout" }) });
  const req = mesh.decide();
  assert.deepEqual([mesh.out.kind, mesh.out.status, mesh.out.body, mesh.out.code, req.details], ["respond", 418, "short and stout", "direct_response", "direct_response"]);
  assert.deepEqual(req.flags, []);
  const long = "x".repeat(4097);
  assert.deepEqual(problemsOf(loadRouteConfiguration(fromEnvoyJson(RouteConfigurationSchema, of({ inline_string: long })))), [
    "virtual_hosts[0].routes[0].direct_response.body: the body has 4097 bytes, more than 4096",
  ]);
  const allowed = loadRouteConfiguration(fromEnvoyJson(RouteConfigurationSchema, of({ inline_string: long }, { max_direct_response_body_size_bytes: 5000 })));
  assert.deepEqual(allowed.problems, []);
});

const abort = (status: number): JsonObject => ({ "@type": typeUrls.fault, abort: { http_status: status, percentage: { numerator: 100 } } });

test("the most specific override of a filter wins", () => {
  const filters = [{ name: "faults", typed_config: abort(500) }, routerFilter];
  const at = (status: number): JsonObject => ({ typed_per_filter_config: { faults: abort(status) } });
  const status = (levels: { table?: JsonObject; host?: JsonObject; route?: JsonObject; weighted?: JsonObject }): number => {
    const route = { match: { prefix: "/" }, route: { weighted_clusters: { clusters: [{ name: "a", weight: 1, ...levels.weighted }] } }, ...levels.route };
    const mesh = new Mesh({ routes: routesJson([route], levels.table, levels.host), manager: { http_filters: filters }, clusters });
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
  const rbac = (override: JsonObject | undefined): number => {
    const route = routeTo("a", {}, override === undefined ? {} : { typed_per_filter_config: { authz: { "@type": typeUrls.rbacPerRoute, ...override } } });
    const mesh = new Mesh({ routes: routesJson([route]), manager: { http_filters: [{ name: "authz", typed_config: { "@type": typeUrls.rbac, rules: deny } }, routerFilter] }, clusters });
    mesh.decide();
    return mesh.out.status;
  };
  assert.equal(rbac(undefined), 403);
  assert.equal(rbac({}), 0);
  assert.equal(rbac({ rbac: { rules: { ...deny, action: "ALLOW" } } }), 0);
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
  assert.equal(order([{ name: "rbac", typed_config: deny }, { name: "fault", typed_config: abort(500) }]), 403);
  assert.equal(order([{ name: "fault", typed_config: abort(500) }, { name: "rbac", typed_config: deny }]), 500);
});

test("after a delay the request goes on where it stopped", () => {
  const delay = { "@type": typeUrls.fault, delay: { fixed_delay: "0.25s", percentage: { numerator: 100 } } };
  const deny = { "@type": typeUrls.rbac, rules: { action: "ALLOW", policies: {} } };
  const mesh = new Mesh({
    routes: routesJson([routeTo("a")]),
    manager: { http_filters: [{ name: "one", typed_config: delay }, { name: "two", typed_config: delay }, { name: "rbac", typed_config: deny }, routerFilter] },
    clusters,
  });
  const req = mesh.decide();
  for (let i = 0; i < 2; i++) {
    assert.deepEqual([mesh.out.kind, mesh.out.delayMs], ["delay", 250]);
    afterDelay(mesh.live, req, mesh.nowMs, mesh.random, mesh.out);
  }
  assert.equal(mesh.out.status, 403);
  assert.deepEqual(req.flags, ["DI"]);
});

test("a trace tells every route, policy and cluster that was considered, and why", () => {
  const mesh = new Mesh({
    routes: routesJson([
      { name: "posts", match: { prefix: "/", headers: [{ name: ":method", exact_match: "POST" }] }, route: { cluster: "b" } },
      { name: "all", match: { prefix: "/" }, route: { cluster: "a" }, metadata: { filter_metadata: { "heddle.dev": { kind: "VirtualService", namespace: "shop", name: "web", rule: "1" } } } },
    ]),
    manager: {
      http_filters: [
        { name: "authz", typed_config: { "@type": typeUrls.rbac, rules: { action: "DENY", policies: { "ns[shop]-policy[no-deletes]-rule[0]": { permissions: [{ header: { name: ":method", exact_match: "DELETE" } }], principals: [{ any: true }] } } } } },
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
  assert.match(trace.entries[2]?.why ?? "", /not: header :method exact "POST"/);
  assert.deepEqual(trace.entries[4]?.provenance, { kind: "AuthorizationPolicy", namespace: "shop", name: "no-deletes", rule: "0", generation: undefined });
  assert.equal(req.decidedBy?.name, "web");
});
