import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@heddle/xds/api";
import { PlainHeaders } from "../testing/fixtures.ts";
import { clusterJson, Mesh, routerFilter, routesJson, routeTo, typeUrls } from "../testing/harness.ts";
import { afterResponseHead } from "./after-attempt.ts";
import { writeLocalResponse } from "./response-headers.ts";

function answered(mesh: Mesh, headers: Record<string, string> = {}): PlainHeaders {
  const req = mesh.forward({ headers: { "x-request-id": "id-1" } });
  const response = new PlainHeaders(Object.entries(headers));
  afterResponseHead(mesh.live, req, 200, response, 12.6, mesh.random, mesh.out);
  assert.equal(mesh.out.kind, "proceed");
  assert.equal(req.details, "via_upstream");
  assert.equal(req.isResponseStarted, true);
  return response;
}

function refused(mesh: Mesh, headers: Record<string, string> = {}): { headers: PlainHeaders; mesh: Mesh } {
  const req = mesh.decide({ headers: { "x-request-id": "id-1", ...headers } });
  assert.equal(mesh.out.kind, "respond");
  const response = new PlainHeaders();
  writeLocalResponse(req, mesh.out, response);
  return { headers: response, mesh };
}

const clusters = [clusterJson("a")];
const forwarding = (manager: JsonObject = {}): Mesh =>
  new Mesh({ routes: routesJson([routeTo("a")]), manager, clusters });

test("the server, via and request id headers follow the connection manager", () => {
  assert.equal(answered(forwarding()).get("server"), "envoy");
  assert.equal(answered(forwarding({ server_name: "heddle" }), { server: "nginx" }).get("server"), "heddle");
  assert.equal(
    answered(forwarding({ server_name: "heddle", server_header_transformation: "APPEND_IF_ABSENT" }), {
      server: "nginx",
    }).get("server"),
    "nginx",
  );
  assert.equal(
    answered(forwarding({ server_name: "heddle", server_header_transformation: "APPEND_IF_ABSENT" })).get("server"),
    "heddle",
  );
  assert.equal(answered(forwarding({ server_header_transformation: "PASS_THROUGH" })).has("server"), false);
  assert.equal(answered(forwarding({ via: "heddle" }), { via: "1.1 x" }).get("via"), "1.1 x,heddle");
  assert.equal(answered(forwarding()).has("x-request-id"), false);
  assert.equal(answered(forwarding({ always_set_request_id_in_response: true })).get("x-request-id"), "id-1");
  const local = refused(
    new Mesh({
      routes: routesJson([]),
      manager: { server_header_transformation: "PASS_THROUGH", always_set_request_id_in_response: true },
    }),
  );
  assert.deepEqual([local.headers.get("server"), local.headers.get("x-request-id")], ["envoy", "id-1"]);
});

test("Envoy's own headers can be suppressed", () => {
  assert.equal(
    answered(forwarding(), { "x-envoy-immediate-health-check-fail": "1" }).get("x-envoy-upstream-service-time"),
    "13",
  );
  assert.equal(
    answered(forwarding(), { "x-envoy-immediate-health-check-fail": "1" }).has("x-envoy-immediate-health-check-fail"),
    false,
  );
  const quiet = forwarding({
    http_filters: [{ name: "router", typed_config: { "@type": typeUrls.router, suppress_envoy_headers: true } }],
  });
  assert.equal(answered(quiet).has("x-envoy-upstream-service-time"), false);
  assert.equal(quiet.forward().headers.has("x-envoy-expected-rq-timeout-ms"), false);
  const rewriting = new Mesh({
    routes: routesJson([routeTo("a", { prefix_rewrite: "/x" })]),
    manager: {
      http_filters: [{ name: "router", typed_config: { "@type": typeUrls.router, suppress_envoy_headers: true } }],
    },
    clusters,
  });
  assert.equal(rewriting.forward().headers.has("x-envoy-original-path"), false);
});

test("a response made here has a content type when it has a body, and a location when it redirects", () => {
  const direct = refused(
    new Mesh({
      routes: routesJson([{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "hi" } } }]),
    }),
  );
  assert.deepEqual([direct.headers.get("content-type"), direct.mesh.out.body], ["text/plain", "hi"]);
  const redirect = refused(
    new Mesh({ routes: routesJson([{ match: { prefix: "/" }, redirect: { host_redirect: "b" } }]) }),
  );
  assert.deepEqual([redirect.headers.get("location"), redirect.headers.has("content-type")], ["http://b/", false]);
});

test("a route's response headers are for its own answers, not for failures", () => {
  const added = { response_headers_to_add: [{ header: { key: "x-a", value: "1" } }] };
  const direct = refused(
    new Mesh({ routes: routesJson([{ match: { prefix: "/" }, direct_response: { status: 200 }, ...added }]) }),
  );
  assert.equal(direct.headers.get("x-a"), "1");
  const failed = refused(new Mesh({ routes: routesJson([routeTo("missing", {}, added)]) }));
  assert.equal(failed.headers.has("x-a"), false);
  assert.equal(answered(new Mesh({ routes: routesJson([routeTo("a", {}, added)]), clusters })).get("x-a"), "1");
});

test("response header values can name response headers and the endpoint", () => {
  const mesh = new Mesh({
    routes: routesJson([
      routeTo(
        "a",
        {},
        {
          response_headers_to_add: [
            {
              header: { key: "x-copy", value: "%RESP(x-own)% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% %REQ(x-request-id)%" },
            },
          ],
        },
      ),
    ]),
    clusters,
  });
  assert.equal(answered(mesh, { "x-own": "v" }).get("x-copy"), "v 10.1.0.1:80 a id-1");
});

test("gRPC callers get a status in headers", () => {
  const grpc = { "content-type": "application/grpc" };
  const table: [Mesh, string, string | undefined][] = [
    [new Mesh({ routes: routesJson([]) }), "12", undefined],
    [new Mesh({ routes: routesJson([routeTo("missing")]) }), "14", undefined],
    [
      new Mesh({
        routes: routesJson([
          { match: { prefix: "/" }, direct_response: { status: 401, body: { inline_string: "no 100%\n" } } },
        ]),
      }),
      "16",
      "no 100%25%0A",
    ],
    [
      new Mesh({
        routes: routesJson([]),
        manager: { http_filters: [{ name: "r", typed_config: { "@type": typeUrls.rbac, rules: {} } }, routerFilter] },
      }),
      "7",
      "RBAC: access denied",
    ],
  ];
  for (const [own, status, message] of table) {
    const { headers, mesh } = refused(own, grpc);
    assert.deepEqual([mesh.out.status, mesh.out.body], [200, ""]);
    assert.deepEqual(
      [headers.get("content-type"), headers.get("grpc-status"), headers.get("grpc-message")],
      ["application/grpc", status, message],
    );
  }
});
