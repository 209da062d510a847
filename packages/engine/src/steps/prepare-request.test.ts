import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@heddle/xds/api";
import { peerView } from "../testing/fixtures.ts";
import { Mesh, routesJson, seeded } from "../testing/harness.ts";

const privateRange = { internal_address_config: { cidr_ranges: [{ address_prefix: "10.0.0.0", prefix_len: 8 }] } };
const outsider = { remoteAddress: { host: "203.0.113.9", port: 4242 } };

function meshWith(manager: JsonObject = {}): Mesh {
  const mesh = new Mesh({ routes: routesJson([]), manager });
  mesh.random = seeded(3);
  return mesh;
}

test("the client's address follows the trusted hops", () => {
  const address = (manager: JsonObject, forwardedFor: string | undefined): [string, number, string | undefined] => {
    const mesh = meshWith(manager);
    const req = mesh.prepare(
      { headers: forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor } },
      outsider,
    );
    return [req.remoteHost, req.remotePort, req.headers.get("x-forwarded-for")];
  };
  // The connection's own address, appended.
  const own = { use_remote_address: true };
  assert.deepEqual(address(own, undefined), ["203.0.113.9", 4242, "203.0.113.9"]);
  assert.deepEqual(address(own, "1.1.1.1"), ["203.0.113.9", 4242, "1.1.1.1,203.0.113.9"]);
  assert.deepEqual(address({ ...own, skip_xff_append: true }, "1.1.1.1"), ["203.0.113.9", 4242, "1.1.1.1"]);
  // At an edge behind one trusted proxy: what that proxy appended.
  const behind = { use_remote_address: true, xff_num_trusted_hops: 1 };
  assert.deepEqual(address(behind, "9.9.9.9, 1.1.1.1"), ["1.1.1.1", 0, "9.9.9.9, 1.1.1.1,203.0.113.9"]);
  assert.deepEqual(address(behind, undefined), ["203.0.113.9", 4242, "203.0.113.9"]);
  assert.deepEqual(address({ use_remote_address: true, xff_num_trusted_hops: 2 }, "9.9.9.9, 1.1.1.1")[0], "9.9.9.9");
  assert.deepEqual(
    address({ use_remote_address: true, xff_num_trusted_hops: 3 }, "9.9.9.9, 1.1.1.1")[0],
    "203.0.113.9",
  );
  // Inside the mesh the header is trusted and left alone.
  assert.deepEqual(address({}, "9.9.9.9, 1.1.1.1"), ["1.1.1.1", 0, "9.9.9.9, 1.1.1.1"]);
  assert.deepEqual(address({ xff_num_trusted_hops: 1 }, "9.9.9.9, 1.1.1.1")[0], "9.9.9.9");
  assert.deepEqual(address({}, undefined), ["203.0.113.9", 4242, undefined]);
  // What is no address is nobody's; ports and brackets are understood, IPv4-mapped IPv6 is IPv4.
  for (const [text, expected] of [
    ["nobody", "203.0.113.9"],
    ["", "203.0.113.9"],
    ["1.1.1.1:80", "1.1.1.1"],
    ["[2001:db8::1]:80", "2001:db8::1"],
    ["2001:DB8::1", "2001:db8::1"],
    ["::ffff:1.1.1.1", "1.1.1.1"],
    ["1.1.1.1, ", "203.0.113.9"],
    ["fe80::1%eth0", "203.0.113.9"],
  ] as const) {
    assert.equal(address({}, text)[0], expected, text);
  }
});

test("only configured ranges are internal, and only they may steer the proxy", () => {
  const steering = {
    "x-envoy-retry-on": "5xx",
    "x-envoy-max-retries": "9",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-envoy-internal": "true",
    "x-envoy-anything": "x",
  };
  const kept = (manager: JsonObject, headers: Record<string, string>, connection = {}) => {
    const req = meshWith(manager).prepare({ headers: { ...steering, ...headers } }, connection);
    return {
      isInternal: req.isInternal,
      retryOn: req.headers.get("x-envoy-retry-on"),
      internal: req.headers.get("x-envoy-internal"),
      other: req.headers.get("x-envoy-anything"),
      external: req.headers.get("x-envoy-external-address"),
    };
  };
  const inside = { isInternal: true, retryOn: "5xx", internal: "true", other: "x", external: undefined };
  // Envoy trusts nobody by default; an edge says where the client is.
  assert.deepEqual(kept({ use_remote_address: true }, {}), {
    isInternal: false,
    retryOn: undefined,
    internal: undefined,
    other: undefined,
    external: "10.0.0.1",
  });
  assert.deepEqual(kept({ use_remote_address: true, ...privateRange }, {}), inside);
  assert.deepEqual(kept({ use_remote_address: true, ...privateRange }, {}, outsider).external, "203.0.113.9");
  // More than one address means that somebody else was in between.
  assert.equal(
    kept({ use_remote_address: true, ...privateRange }, { "x-forwarded-for": "10.0.0.7" }).isInternal,
    false,
  );
  // Away from the edge the header decides, and without one nobody is internal.
  assert.deepEqual(kept(privateRange, { "x-forwarded-for": "10.0.0.7" }), inside);
  assert.deepEqual(kept(privateRange, {}), {
    isInternal: false,
    retryOn: undefined,
    internal: undefined,
    other: "x",
    external: undefined,
  });
  assert.equal(kept(privateRange, { "x-forwarded-for": "10.0.0.7, 10.0.0.8" }).isInternal, false);
});

test("forwarded headers are appended, set or stripped at the edge", () => {
  const spoofed = {
    "x-forwarded-host": "evil",
    "x-forwarded-port": "1",
    "x-forwarded-prefix": "/x",
    "x-forwarded-proto": "https",
  };
  const after = (manager: JsonObject) => {
    const { headers } = meshWith(manager).prepare({ headers: spoofed }, outsider);
    return ["x-forwarded-host", "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-proto"].map((name) =>
      headers.get(name),
    );
  };
  assert.deepEqual(after({ use_remote_address: true }), [undefined, undefined, undefined, "http"]);
  assert.deepEqual(after({ use_remote_address: true, append_x_forwarded_port: true }), [
    undefined,
    "8080",
    undefined,
    "http",
  ]);
  assert.deepEqual(after({ use_remote_address: true, xff_num_trusted_hops: 1 }), ["evil", "1", "/x", "https"]);
  assert.deepEqual(after({}), ["evil", "1", "/x", "https"]);
});

test("the scheme comes from the transport, a trusted hop or the configuration", () => {
  const scheme = (
    manager: JsonObject,
    headers: Record<string, string>,
    isTls: boolean,
    own = "",
  ): [string, string | undefined] => {
    const req = meshWith(manager).prepare({ headers, scheme: own }, { isTls });
    return [req.scheme, req.headers.get("x-forwarded-proto")];
  };
  assert.deepEqual(scheme({}, {}, false), ["http", "http"]);
  assert.deepEqual(scheme({}, {}, true), ["https", "https"]);
  assert.deepEqual(scheme({}, { "x-forwarded-proto": "https" }, false), ["https", "https"]);
  assert.deepEqual(scheme({}, { "x-forwarded-proto": "gopher" }, false), ["http", "gopher"]);
  assert.deepEqual(scheme({ use_remote_address: true }, { "x-forwarded-proto": "https" }, false), ["http", "http"]);
  assert.deepEqual(scheme({}, {}, true, "http"), ["http", "https"]);
  assert.deepEqual(scheme({ scheme_header_transformation: { scheme_to_overwrite: "https" } }, {}, false), [
    "https",
    "https",
  ]);
});

test("a request id is made, kept or replaced", () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  const id = (manager: JsonObject, own: string | undefined, connection = {}): string => {
    const req = meshWith(manager).prepare({ headers: own === undefined ? {} : { "x-request-id": own } }, connection);
    assert.equal(req.headers.get("x-request-id") ?? "", req.requestId);
    return req.requestId;
  };
  assert.match(id({}, undefined), uuid);
  assert.equal(id({}, "mine"), "mine");
  assert.equal(id({ generate_request_id: false }, undefined), "");
  assert.match(id({ use_remote_address: true }, "outsiders", outsider), uuid);
  assert.equal(
    id({ use_remote_address: true, preserve_external_request_id: true }, "outsiders", outsider),
    "outsiders",
  );
  assert.equal(id({ use_remote_address: true, generate_request_id: false }, "outsiders", outsider), "outsiders");
  const mesh = meshWith();
  const ids = new Set(Array.from({ length: 1000 }, () => mesh.prepare().requestId));
  assert.equal(ids.size, 1000);
});

test("the client certificate header follows its mode", () => {
  const peer = peerView("spiffe://td/ns/shop/sa/web", { dnsSans: ["web.shop", "web"], subject: 'CN="web"' });
  const mutual = { isTls: true, peer, localPrincipal: "spiffe://td/ns/shop/sa/api" };
  const details = { subject: true, uri: true, dns: true };
  const header = (mode: string, connection: object, set: JsonObject = details): string | undefined =>
    meshWith({ forward_client_cert_details: mode, set_current_client_cert_details: set })
      .prepare({ headers: { "x-forwarded-client-cert": "Hash=old" } }, connection)
      .headers.get("x-forwarded-client-cert");
  const element = `By=spiffe://td/ns/shop/sa/api;Hash=${"0a".repeat(32)};Subject="CN=\\"web\\"";URI=spiffe://td/ns/shop/sa/web;DNS=web.shop;DNS=web`;
  for (const mode of ["SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET"])
    assert.equal(header(mode, {}), undefined, `${mode} without mutual TLS`);
  assert.equal(header("ALWAYS_FORWARD_ONLY", {}), "Hash=old");
  assert.equal(header("SANITIZE", mutual), undefined);
  assert.equal(header("FORWARD_ONLY", mutual), "Hash=old");
  assert.equal(header("APPEND_FORWARD", mutual), `Hash=old,${element}`);
  assert.equal(header("SANITIZE_SET", mutual), element);
  assert.equal(header("ALWAYS_FORWARD_ONLY", mutual), "Hash=old");
  assert.equal(header("SANITIZE_SET", mutual, {}), `By=spiffe://td/ns/shop/sa/api;Hash=${"0a".repeat(32)}`);
  const pem = "-----BEGIN%20CERTIFICATE-----%0AMA%3D%3D%0A-----END%20CERTIFICATE-----%0A";
  assert.equal(
    header("SANITIZE_SET", { ...mutual, localPrincipal: "" }, { cert: true, chain: true }),
    `Hash=${"0a".repeat(32)};Cert="${pem}";Chain="${pem}"`,
  );
});

test("the path is normalised before anything looks at it", () => {
  const path = (manager: JsonObject, own: string): string => {
    const mesh = meshWith(manager);
    const req = mesh.prepare({ path: own });
    assert.equal(req.originalPath, own);
    return mesh.out.kind === "proceed" ? req.path : `${mesh.out.status} ${mesh.out.location} ${req.details}`;
  };
  assert.equal(path({}, "/a/../b//c"), "/a/../b//c");
  assert.equal(path({ normalize_path: true }, "/a/../b//c"), "/b//c");
  assert.equal(path({ normalize_path: true, merge_slashes: true }, "/a/../b//c?d=//"), "/b/c?d=//");
  assert.equal(path({ merge_slashes: true }, "/a/..//c"), "/a/../c");
  assert.equal(path({ normalize_path: true }, "/a%00"), "400  path_normalization_failed");
  assert.equal(path({}, "/a#b"), "400  path_normalization_failed");
  const slashes = (action: string): string =>
    path({ normalize_path: true, path_with_escaped_slashes_action: action }, "/a%2Fb");
  assert.equal(slashes("IMPLEMENTATION_SPECIFIC_DEFAULT"), "/a%2Fb");
  assert.equal(slashes("KEEP_UNCHANGED"), "/a%2Fb");
  assert.equal(slashes("REJECT_REQUEST"), "400  path_normalization_failed");
  assert.equal(slashes("UNESCAPE_AND_REDIRECT"), "307 /a/b path_normalization_failed");
  assert.equal(slashes("UNESCAPE_AND_FORWARD"), "/a/b");
  // gRPC clients do not follow redirects.
  const mesh = meshWith({ path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT" });
  mesh.prepare({ path: "/a%2Fb", headers: { "content-type": "application/grpc+proto" } });
  assert.equal(mesh.out.status, 400);
});

test("ports and trailing dots of the authority are stripped as configured", () => {
  const authority = (manager: JsonObject, own: string): string =>
    meshWith(manager).prepare({ authority: own }).authority;
  assert.equal(authority({}, "a.example.:8080"), "a.example.:8080");
  assert.equal(authority({ strip_matching_host_port: true }, "a.example:8080"), "a.example");
  assert.equal(authority({ strip_matching_host_port: true }, "a.example:9090"), "a.example:9090");
  assert.equal(authority({ strip_any_host_port: true }, "a.example:9090"), "a.example");
  assert.equal(authority({ strip_any_host_port: true }, "[::1]:9090"), "[::1]");
  assert.equal(authority({ strip_any_host_port: true }, "[::1]"), "[::1]");
  assert.equal(authority({ strip_trailing_host_dot: true }, "a.example."), "a.example");
  assert.equal(authority({ strip_trailing_host_dot: true }, "a.example.:80"), "a.example:80");
});

test("names with underscores are allowed, dropped or refused", () => {
  const of = (action: string) => {
    const mesh = meshWith({ common_http_protocol_options: { headers_with_underscores_action: action } });
    const req = mesh.prepare({ headers: { x_one: "1", "x-two": "2", x_three: "3" } });
    return [
      mesh.out.kind,
      mesh.out.status,
      req.headers.get("x_one"),
      req.headers.get("x-two"),
      req.headers.get("x_three"),
    ];
  };
  assert.deepEqual(of("ALLOW"), ["proceed", 0, "1", "2", "3"]);
  assert.deepEqual(of("DROP_HEADER"), ["proceed", 0, undefined, "2", undefined]);
  assert.deepEqual(of("REJECT_REQUEST").slice(0, 2), ["respond", 400]);
});

test("via is appended to the request", () => {
  assert.equal(
    meshWith({ via: "heddle" })
      .prepare({ headers: { via: "1.1 before" } })
      .headers.get("via"),
    "1.1 before,heddle",
  );
});
