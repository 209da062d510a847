import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { type IssuedIdentity, ThrowawayCa } from "@heddle/testkit";
import { LISTENER_TYPE, SECRET_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { httpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const workers = 2;

function resources(server: IssuedIdentity, anchorsPem: string, listPem: string): JsonResources {
  const listener = httpListener({
    name: "web",
    routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "served" } } }],
    transportSocket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        require_client_certificate: true,
        common_tls_context: {
          tls_certificates: [
            {
              certificate_chain: { inline_string: server.chainPem },
              private_key: { inline_string: server.privateKeyPem },
            },
          ],
          validation_context_sds_secret_config: { name: "ROOTCA", sds_config: { ads: {}, resource_api_version: "V3" } },
        },
      },
    },
  });
  const validation = { trusted_ca: { inline_string: anchorsPem }, crl: { inline_string: listPem } };
  return { [LISTENER_TYPE]: [listener], [SECRET_TYPE]: [{ name: "ROOTCA", validation_context: validation }] };
}

interface Client {
  readonly identity: IssuedIdentity;
  readonly version: "TLSv1.2" | "TLSv1.3";
  session: Buffer | undefined;
}

/** Opens a connection that offers the client's session, and asks on it. @returns undefined: it was refused */
async function open(port: number, client: Client): Promise<TLSSocket | undefined> {
  const { identity, version, session } = client;
  const socket = connect({
    port,
    host: "127.0.0.1",
    cert: identity.chainPem,
    key: identity.privateKeyPem,
    minVersion: version,
    maxVersion: version,
    rejectUnauthorized: false,
    ...(session === undefined ? {} : { session }),
  });
  socket.on("session", (ticket: Buffer) => (client.session ??= ticket));
  socket.on("error", () => {});
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const answered = await new Promise<boolean>((resolve) => {
    socket.once("data", () => resolve(true));
    socket.once("close", () => resolve(false));
  });
  return answered ? socket : undefined;
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const)
  test(`a session of one worker is resumed at every other, and is no way around a change of trust (${version})`, async (t) => {
    const disposables = new AsyncDisposableStack();
    t.after(() => disposables.disposeAsync());
    const root = await ThrowawayCa.create();
    const intermediate = await root.createIntermediate();
    const server = await root.issue("spiffe://cluster.local/ns/shop/sa/reviews");
    // Its chain is longer than what a ticket holds of it.
    const identity = await intermediate.issue("spiffe://cluster.local/ns/shop/sa/web");
    const lists = async (revoked: readonly string[]): Promise<string> =>
      (await root.revoke([])) + (await intermediate.revoke(revoked));
    const controlPlane = disposables.use(new AdsControlPlane());
    await controlPlane.start();
    controlPlane.set(resources(server, root.certificatePem, await lists([])));
    const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port), { concurrency: workers }));
    const port = proxy.port("web");
    const client: Client = { identity, version, session: undefined };
    // The worker that has the fewest is given what comes: each has one of these, and the second is not at the worker of the first.
    const sockets: TLSSocket[] = [];
    while (sockets.length < 2 * workers) {
      const socket = await open(port, client);
      assert.ok(socket);
      assert.equal(socket.isSessionReused(), sockets.length > 0, `connection ${sockets.length + 1}`);
      sockets.push(socket);
    }
    for (let worker = 0; worker < workers; worker += 1)
      await proxy.untilStat(`listener.web.worker_${worker}.downstream_cx_active`, 2);
    const closed = sockets.map((socket) => once(socket, "close"));
    await controlPlane.synced(
      controlPlane.set(resources(server, root.certificatePem, await lists([identity.serialNumber]))),
    );
    await Promise.all(closed);
    for (let attempt = 0; attempt < 2 * workers; attempt += 1) assert.equal(await open(port, client), undefined);
  });
