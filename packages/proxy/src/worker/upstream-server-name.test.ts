import assert from "node:assert/strict";
import { createServer, type Server } from "node:https";
import { type AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { connectRaw, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, protocolOptions, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

let server: Server;
let proxy: TestProxy;

before(async () => {
  const ca = await ThrowawayCa.create();
  const { chainPem, privateKeyPem } = await ca.issue("", { uris: [], dnsNames: ["shop.example", "*.lake.example"] });
  server = createServer({ cert: chainPem, key: privateKeyPem }, (request, response) => {
    response.end(`${(request.socket as TLSSocket & { servername?: string }).servername} of ${request.headers.host}`);
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const secured = (name: string, options: Json): Json =>
    cluster(name, [(server.address() as AddressInfo).port], {
      ...protocolOptions({
        explicit_http_config: { http_protocol_options: {} },
        upstream_http_protocol_options: options,
      }),
      transport_socket: {
        name: "tls",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
          sni: "configured.example",
          common_tls_context: { validation_context: { trusted_ca: { inline_string: ca.certificatePem } } },
        },
      },
    });
  const routes = ["plain", "sent", "demanded", "header"].map((name) =>
    route(`/${name}`, name, { host_rewrite_literal: "rewritten.example" }),
  );
  proxy = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "web", routes })],
      [
        secured("plain", {}),
        secured("sent", { auto_sni: true }),
        secured("demanded", { auto_sni: true, auto_san_validation: true }),
        secured("header", { auto_sni: true, auto_san_validation: true, override_auto_sni_header: "x-server" }),
      ],
    ),
  );
});

after(async () => {
  await proxy[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});

async function ask(path: string, host: string, headers = ""): Promise<string> {
  const client = await connectRaw(proxy.port("web"));
  await client.send(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${headers}\r\n`);
  const { head, body } = await client.response();
  client.socket.destroy();
  return head.startsWith("HTTP/1.1 200 ") ? body : head.slice(9, 12);
}

test("auto_sni sends the host of the request as server name", async () => {
  assert.equal(await ask("/plain", "shop.example"), "configured.example of rewritten.example");
  assert.equal(await ask("/sent", "shop.example:8443"), "shop.example of rewritten.example");
  assert.equal(await ask("/sent", "Other.Example"), "other.example of rewritten.example");
  assert.equal(await ask("/sent", "192.0.2.1"), "configured.example of rewritten.example");
});

test("auto_san_validation demands a certificate for the host of the request", async () => {
  assert.equal(await ask("/demanded", "shop.example"), "shop.example of rewritten.example");
  assert.equal(await ask("/demanded", "big.lake.example"), "big.lake.example of rewritten.example");
  for (const host of ["other.example", "lake.example", "192.0.2.1"]) assert.equal(await ask("/demanded", host), "503");
  assert.equal(await ask("/demanded", "shop.example"), "shop.example of rewritten.example");
});

test("override_auto_sni_header names a header that says who the server is", async () => {
  assert.equal(await ask("/header", "other.example"), "503");
  assert.equal(
    await ask("/header", "other.example", "x-server: shop.example\r\n"),
    "shop.example of rewritten.example",
  );
  assert.equal(await ask("/header", "shop.example", "x-server: other.example\r\n"), "503");
});
