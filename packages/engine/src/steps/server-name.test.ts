import assert from "node:assert/strict";
import { test } from "node:test";
import { RequestRecord } from "./request-record.ts";
import { PlainHeaders, type RequestParts } from "../testing/fixtures.ts";
import { clusterJson, Mesh, routesJson, routeTo } from "../testing/harness.ts";
import { prepareMirror } from "./mirror.ts";

const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

function named(name: string, header = "") {
  return clusterJson(name, [{}], {
    typed_extension_protocol_options: {
      [httpOptions]: {
        "@type": `type.googleapis.com/${httpOptions}`,
        explicit_http_config: { http_protocol_options: {} },
        upstream_http_protocol_options: { auto_sni: true, override_auto_sni_header: header },
      },
    },
  });
}

test("the name of a connection is the host that the client asked for, in the form of a handshake", () => {
  const mesh = new Mesh({ routes: routesJson([routeTo("a")]), clusters: [named("a")] });
  const table: [string, string][] = [
    ["shop.example", "shop.example"],
    ["Shop.Example.:8443", "shop.example"],
    ["10.0.0.1:80", "10.0.0.1"],
    ["[FD00::0:1]:80", "fd00::1"],
    ["sh%6fp.example", ""],
    ["", ""],
  ];
  for (const [authority, name] of table) assert.equal(mesh.decide({ authority }).serverName, name, authority);
});

test("a route that rewrites the host changes nothing of the name, and a header does where it says something", () => {
  const route = routeTo(
    "a",
    { host_rewrite_literal: "rewritten.example" },
    {
      request_headers_to_add: [
        { header: { key: "x-host", value: "late.example" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
      ],
    },
  );
  const mesh = new Mesh({ routes: routesJson([route]), clusters: [named("a", "x-host")] });
  const nameOf = (request: RequestParts) => mesh.decide({ authority: "shop.example", ...request }).serverName;
  assert.equal(nameOf({}), "shop.example");
  assert.equal(nameOf({ headers: { "x-host": "" } }), "shop.example");
  assert.equal(nameOf({ headers: { "x-host": "other.example:7" } }), "other.example");
  assert.equal(nameOf({ headers: { "x-host": "two.example, three.example" } }), "");
});

test("a cluster that takes nothing from requests gets no name, and a mirror one of its own", () => {
  const mirrored = { request_mirror_policies: [{ cluster: "b" }] };
  const mesh = new Mesh({ routes: routesJson([routeTo("a", mirrored)]), clusters: [clusterJson("a"), named("b")] });
  const req = mesh.decide({ authority: "shop.example" });
  assert.equal(req.serverName, undefined);
  const copy = new RequestRecord();
  assert.ok(prepareMirror(req, mesh.out.mirrors[0]!, new PlainHeaders([]), copy));
  assert.equal(copy.serverName, "shop.example-shadow");
  assert.equal(mesh.decide({ authority: "shop.example" }).serverName, undefined);
});
