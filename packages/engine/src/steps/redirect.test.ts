import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonObject, RouteConfigurationSchema } from "@heddle/xds/api";
import { loadRouteConfiguration } from "../load/route-table.ts";
import { type RequestParts } from "../testing/fixtures.ts";
import { clusterJson, fromEnvoyJson, Mesh, problemsOf, routesJson, routeTo } from "../testing/harness.ts";

const clusters = ["a", "b", "c"].map((name) => clusterJson(name));

test("a virtual host that requires TLS redirects", () => {
  const of = (requirement: string): Mesh =>
    new Mesh({
      routes: routesJson([routeTo("a")], {}, { require_tls: requirement }),
      manager: {
        use_remote_address: true,
        internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] },
      },
      clusters,
    });
  const outside = { remoteAddress: { host: "203.0.113.9", port: 1 } };
  const all = of("ALL");
  all.decide({ path: "/x?y" });
  assert.deepEqual(
    [all.out.status, all.out.location, all.out.details],
    [301, "https://example.com/x?y", "direct_response"],
  );
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

test("a redirect changes scheme, host, port, path and query", () => {
  const location = (
    redirect: JsonObject,
    request: RequestParts = {},
    match: JsonObject = { prefix: "/" },
    isTls = false,
  ): [number, string] => {
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
    [
      { scheme_redirect: "HTTPS", port_redirect: 8443 },
      "https://example.com:8443/a/b?c=d",
      { authority: "example.com:8080" },
    ],
    [
      { scheme_redirect: "http" },
      "http://example.com/a/b?c=d",
      { authority: "example.com:443" },
      { prefix: "/" },
      true,
    ],
    [{ port_redirect: 8443 }, "http://[::1]:8443/a/b?c=d", { authority: "[::1]:80" }],
    [{ path_redirect: "/new" }, "http://example.com/new?c=d"],
    [{ path_redirect: "/new", strip_query: true }, "http://example.com/new"],
    [{ path_redirect: "/new?own" }, "http://example.com/new?own"],
    [{ path_redirect: "/new?own", strip_query: true }, "http://example.com/new?own"],
    [{ host_redirect: "h", strip_query: true }, "http://h/a/b"],
    [{ prefix_rewrite: "/x" }, "http://example.com/x/b?c=d", {}, { prefix: "/a" }],
    [{ regex_rewrite: { pattern: { regex: "^/(.)/(.)$" }, substitution: "/\\2/\\1" } }, "http://example.com/b/a?c=d"],
  ];
  for (const [redirect, expected, request, match, isTls] of table)
    assert.deepEqual(location(redirect, request, match, isTls), [301, expected], JSON.stringify(redirect));
  for (const [code, status] of [
    ["MOVED_PERMANENTLY", 301],
    ["FOUND", 302],
    ["SEE_OTHER", 303],
    ["TEMPORARY_REDIRECT", 307],
    ["PERMANENT_REDIRECT", 308],
  ] as const) {
    assert.equal(location({ response_code: code })[0], status);
  }
});

test("a direct response has the route's status and body", () => {
  const of = (body: JsonObject, table: JsonObject = {}): JsonObject =>
    routesJson([{ match: { prefix: "/" }, direct_response: { status: 418, body } }], table);
  const mesh = new Mesh({ routes: of({ inline_string: "short and stout" }) });
  const req = mesh.decide();
  assert.deepEqual(
    [mesh.out.kind, mesh.out.status, mesh.out.body, mesh.out.code, req.details],
    ["respond", 418, "short and stout", "direct_response", "direct_response"],
  );
  assert.deepEqual(req.flags, []);
  const long = "x".repeat(4097);
  assert.deepEqual(
    problemsOf(loadRouteConfiguration(fromEnvoyJson(RouteConfigurationSchema, of({ inline_string: long })))),
    ["virtual_hosts[0].routes[0].direct_response.body: the body has 4097 bytes, more than 4096"],
  );
  const allowed = loadRouteConfiguration(
    fromEnvoyJson(RouteConfigurationSchema, of({ inline_string: long }, { max_direct_response_body_size_bytes: 5000 })),
  );
  assert.deepEqual(allowed.problems, []);
});
