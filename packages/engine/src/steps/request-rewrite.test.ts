import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject } from "@heddle/xds/api";
import { PlainHeaders } from "../testing/fixtures.ts";
import { clusterJson, Mesh, routesJson, routeTo } from "../testing/harness.ts";
import { finishResponseHead, writeLocalResponse } from "./response-headers.ts";

const clusters = ["a", "b", "c"].map((name) => clusterJson(name));

function setHeader(key: string, value: string, action = "APPEND_IF_EXISTS_OR_ADD"): JsonObject {
  return { header: { key, value }, append_action: action };
}

test("a header is appended, added, overwritten or removed as its action says", () => {
  const after = (
    options: readonly JsonObject[],
    remove: readonly string[],
    headers: Record<string, string>,
  ): [string, string][] => {
    const mesh = new Mesh({
      routes: routesJson([
        routeTo("a", {}, { request_headers_to_add: [...options], request_headers_to_remove: [...remove] }),
      ]),
      clusters,
    });
    const req = mesh.decide({ headers });
    const own = new Set(["x-forwarded-proto", "x-request-id", "x-envoy-expected-rq-timeout-ms"]);
    const entries: [string, string][] = [];
    for (let i = 0; i < req.headers.length; i++)
      if (!own.has(req.headers.nameAt(i))) entries.push([req.headers.nameAt(i), req.headers.valueAt(i)]);
    return entries;
  };
  assert.deepEqual(after([setHeader("X-A", "2")], [], { "x-a": "1" }), [
    ["x-a", "1"],
    ["x-a", "2"],
  ]);
  assert.deepEqual(after([{ header: { key: "x-a", value: "2" }, append: false }], [], { "x-a": "1" }), [["x-a", "2"]]);
  assert.deepEqual(after([{ header: { key: "x-a", value: "2" }, append: true }], [], { "x-a": "1" }), [
    ["x-a", "1"],
    ["x-a", "2"],
  ]);
  assert.deepEqual(after([setHeader("x-a", "2", "ADD_IF_ABSENT")], [], { "x-a": "1" }), [["x-a", "1"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "ADD_IF_ABSENT")], [], {}), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS_OR_ADD")], [], { "x-a": "1" }), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS_OR_ADD")], [], {}), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS")], [], { "x-a": "1" }), [["x-a", "2"]]);
  assert.deepEqual(after([setHeader("x-a", "2", "OVERWRITE_IF_EXISTS")], [], {}), []);
  // Removal comes first, also of what is added.
  assert.deepEqual(after([setHeader("x-a", "2")], ["X-A"], { "x-a": "1" }), [["x-a", "2"]]);
  // Values are computed before anything of the level is written; overwrites come before additions.
  assert.deepEqual(
    after([setHeader("x-b", "%REQ(x-a)%"), setHeader("x-a", "new", "OVERWRITE_IF_EXISTS_OR_ADD")], [], {
      "x-a": "old",
    }),
    [
      ["x-a", "new"],
      ["x-b", "old"],
    ],
  );
  // An empty value adds nothing unless it is to be kept.
  assert.deepEqual(after([setHeader("x-b", "%REQ(x-none)%")], [], {}), []);
  assert.deepEqual(after([{ ...setHeader("x-b", "%REQ(x-none)%"), keep_empty_value: true }], [], {}), [["x-b", ""]]);
  assert.deepEqual(after([setHeader("x-b", "100%%")], [], {}), [["x-b", "100%"]]);
});

test("header values can name parts of the request and its connection", () => {
  const value = (format: string): string | undefined => {
    const mesh = new Mesh({
      routes: routesJson([routeTo("a", {}, { name: "r", request_headers_to_add: [setHeader("x-v", format)] })]),
      clusters,
    });
    const req = mesh.decide(
      { path: "/p?q", method: "PUT", headers: { "x-one": "abcdef", "x-two": "2" } },
      { sni: "sni.example" },
    );
    return req.headers.get("x-v");
  };
  for (const [format, expected] of [
    ["%REQ(X-ONE)%", "abcdef"],
    ["%REQ(x-none?x-two)%", "2"],
    ["%REQ(x-one):3%", "abc"],
    ["%REQ(:method)% %REQ(:path)%", "PUT /p?q"],
    ["%REQ(:authority)%", "example.com"],
    ["%DOWNSTREAM_REMOTE_ADDRESS%", "10.0.0.1:50000"],
    ["%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "10.0.0.1"],
    ["%DOWNSTREAM_REMOTE_PORT%", "50000"],
    ["%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%", "10.0.0.1:50000"],
    ["%DOWNSTREAM_LOCAL_ADDRESS%", "10.0.0.2:8080"],
    ["%DOWNSTREAM_LOCAL_PORT%", "8080"],
    ["%REQUESTED_SERVER_NAME%", "sni.example"],
    ["%ROUTE_NAME%", "r"],
    ["%UPSTREAM_CLUSTER%", "a"],
    ["<%REQ(x-two)%>", "<2>"],
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
    const route = {
      match: { prefix: "/" },
      route: { weighted_clusters: { clusters: [{ name: "a", weight: 1, ...level("weighted") }] } },
      ...level("route"),
    };
    const mesh = new Mesh({
      routes: routesJson(
        [route],
        { ...level("table"), most_specific_header_mutations_wins: mostSpecificWins },
        level("host"),
      ),
      clusters,
    });
    const req = mesh.forward({ headers: { "x-weighted": "1", "x-route": "1", "x-host": "1", "x-table": "1" } });
    const answer = new PlainHeaders(["weighted", "route", "host", "table"].map((name) => [`x-${name}`, "1"]));
    finishResponseHead(req, answer, 1);
    return { req, answer };
  };
  const { req, answer } = decide(false);
  assert.equal(req.headers.get("x-order"), "table");
  assert.equal(req.headers.get("x-all"), "weighted,route,host,table");
  assert.equal(answer.get("x-order"), "table");
  assert.equal(answer.get("x-all"), "weighted,route,host,table");
  for (const name of ["weighted", "route", "host", "table"]) {
    assert.equal(req.headers.has(`x-${name}`), false, name);
    assert.equal(answer.has(`x-${name}`), false, name);
  }
  const reversed = decide(true);
  for (const headers of [reversed.req.headers, reversed.answer]) {
    assert.equal(headers.get("x-order"), "route");
    assert.equal(headers.get("x-all"), "weighted,table,host,route");
  }
});

test("response header mutations of a direct response follow the same order", () => {
  const level = (name: string): JsonObject => ({
    response_headers_to_add: [setHeader("x-all", name)],
    response_headers_to_remove: ["location"],
  });
  const mesh = new Mesh({
    routes: routesJson(
      [{ match: { prefix: "/" }, direct_response: { status: 200 }, ...level("route") }],
      level("table"),
      level("host"),
    ),
  });
  const req = mesh.decide();
  const headers = new PlainHeaders();
  writeLocalResponse(req, mesh.out, headers);
  assert.equal(headers.get("x-all"), "route,host,table");
});

test("paths and hosts are rewritten", () => {
  const paths: [JsonObject, JsonObject, string, string][] = [
    [{ prefix: "/api/" }, { prefix_rewrite: "/" }, "/api/v1?x=/api/", "/v1?x=/api/"],
    [{ prefix: "/api" }, { prefix_rewrite: "/v2" }, "/api", "/v2"],
    [{ prefix: "/API", case_sensitive: false }, { prefix_rewrite: "/v2" }, "/api/x", "/v2/x"],
    [{ path: "/old" }, { prefix_rewrite: "/new" }, "/old?q", "/new?q"],
    [{ path_separated_prefix: "/a" }, { prefix_rewrite: "/b" }, "/a/c", "/b/c"],
    [{ safe_regex: { regex: "/x.*" } }, { prefix_rewrite: "/whole" }, "/xyz?q", "/whole?q"],
    [
      { prefix: "/" },
      { regex_rewrite: { pattern: { regex: "^/service/([^/]+)(/.*)$" }, substitution: "\\2/instance/\\1" } },
      "/service/foo/v1?q=/service/",
      "/v1/instance/foo?q=/service/",
    ],
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
    [
      { host_rewrite_path_regex: { pattern: { regex: "^/([^/]+)/.*$" }, substitution: "\\1.example" } },
      "tenant.example",
    ],
    [{ auto_host_rewrite: false }, "example.com"],
  ];
  for (const [action, expected] of hosts) {
    const mesh = new Mesh({
      routes: routesJson([routeTo("a", { ...action, append_x_forwarded_host: true })]),
      clusters,
    });
    const req = mesh.decide({ path: "/tenant/x", headers: { "x-host": "from-header" } });
    assert.equal(req.authority, expected);
    assert.equal(req.headers.get("x-forwarded-host"), expected === "example.com" ? undefined : "example.com");
    assert.equal(req.originalAuthority, "example.com");
  }
  const auto = new Mesh({
    routes: routesJson([routeTo("dns", { auto_host_rewrite: true })]),
    clusters: [
      clusterJson("dns", [
        {
          endpoint: {
            address: { socket_address: { address: "10.1.0.1", port_value: 80 } },
            hostname: "origin.example",
          },
        },
      ]),
    ],
  });
  assert.equal(auto.forward().authority, "origin.example");
  const weighted = new Mesh({
    routes: routesJson([
      {
        match: { prefix: "/" },
        route: {
          weighted_clusters: { clusters: [{ name: "a", weight: 1, host_rewrite_literal: "weighted.example" }] },
        },
      },
    ]),
    clusters,
  });
  assert.equal(weighted.decide().authority, "weighted.example");
});
