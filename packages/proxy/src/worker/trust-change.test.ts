import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { once } from "node:events";
import { type IssuedIdentity, ThrowawayCa } from "@heddle/testkit";
import { LISTENER_TYPE, SECRET_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { httpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const ads = { ads: {}, resource_api_version: "V3" };

function resources(server: IssuedIdentity, anchorsPem: string): JsonResources {
  const listener = httpListener({
    name: "web",
    routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "served" } } }],
    transportSocket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate: true,
        common_tls_context: {
          tls_certificate_sds_secret_configs: [{ name: "server", sds_config: ads }],
          validation_context_sds_secret_config: { name: "ROOTCA", sds_config: ads },
        },
      },
    },
  });
  return {
    [LISTENER_TYPE]: [listener],
    [SECRET_TYPE]: [
      {
        name: "server",
        tls_certificate: {
          certificate_chain: { inline_string: server.chainPem },
          private_key: { inline_string: server.privateKeyPem },
        },
      },
      { name: "ROOTCA", validation_context: { trusted_ca: { inline_string: anchorsPem } } },
    ],
  };
}

async function open(port: number, identity: IssuedIdentity): Promise<TLSSocket> {
  const socket = connect({
    port,
    host: "127.0.0.1",
    cert: identity.chainPem,
    key: identity.privateKeyPem,
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  await once(socket, "secureConnect");
  return socket;
}

async function ask(socket: TLSSocket): Promise<string> {
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const [answer] = (await once(socket, "data")) as [Buffer];
  return answer.toString();
}

test("secrets come over ADS; when an anchor is withdrawn, open connections of those it vouched for are closed and others stay", async (t) => {
  const disposables = new AsyncDisposableStack();
  t.after(() => disposables.disposeAsync());
  const [oldCa, newCa] = await Promise.all([ThrowawayCa.create(), ThrowawayCa.create()]);
  const server = await newCa.issue("spiffe://cluster.local/ns/shop/sa/reviews");
  const oldClient = await oldCa.issue("spiffe://cluster.local/ns/shop/sa/web");
  const newClient = await newCa.issue("spiffe://cluster.local/ns/shop/sa/web");
  const controlPlane = disposables.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set(resources(server, oldCa.certificatePem + newCa.certificatePem));
  const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const port = proxy.port("web");
  const [doomed, kept] = await Promise.all([open(port, oldClient), open(port, newClient)]);
  assert.match(await ask(doomed), /served$/);
  assert.match(await ask(kept), /served$/);
  const closed = once(doomed, "close");
  await controlPlane.synced(controlPlane.set(resources(server, newCa.certificatePem)));
  await closed;
  assert.match(await ask(kept), /served$/);
  kept.destroy();
  const dump = await proxy.admin("/config_dump");
  assert.doesNotMatch(dump, /PRIVATE KEY/);
  const certs = JSON.parse(await proxy.admin("/certs"));
  assert.equal(
    certs.certificates[0].cert_chain[0].subject_alt_names[0].uri,
    "spiffe://cluster.local/ns/shop/sa/reviews",
  );
});
