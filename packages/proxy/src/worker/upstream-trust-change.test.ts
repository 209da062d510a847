import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { connectRaw, type IssuedIdentity, type RawPeer, ThrowawayCa } from "@heddle/testkit";
import { CLUSTER_TYPE, LISTENER_TYPE, SECRET_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

const names = ["bad", "good"] as const;
const uriOf = { bad: "spiffe://cluster.local/ns/shop/sa/bad", good: "spiffe://cluster.local/ns/shop/sa/good" };

/** What is trusted: by whom a server's certificate is to be signed, which are revoked, and which name each server is to have. */
interface Trust {
  readonly anchorsPem: string;
  readonly listPem: string;
  readonly names: Readonly<Record<(typeof names)[number], string>>;
}

/** Answers what it is asked, but for `/held`. */
async function startServer(t: TestContext, { chainPem, privateKeyPem }: IssuedIdentity): Promise<Server> {
  const server = createServer({ cert: chainPem, key: privateKeyPem }, (request, response) => {
    if (request.url !== "/held") response.end("served");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

function securedCluster(name: string, server: Server, expected: string): Json {
  return cluster(name, [(server.address() as AddressInfo).port], {
    transport_socket: {
      name: "tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        common_tls_context: {
          combined_validation_context: {
            default_validation_context: {
              match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: expected } }],
            },
            validation_context_sds_secret_config: {
              name: "ROOTCA",
              sds_config: { ads: {}, resource_api_version: "V3" },
            },
          },
        },
      },
    },
  });
}

/** A proxy before two servers of one authority, which it reaches by relays of bytes and by HTTP. */
async function start(t: TestContext) {
  const disposables = new AsyncDisposableStack();
  t.after(() => disposables.disposeAsync());
  const ca = await ThrowawayCa.create();
  const bad = await ca.issue(uriOf.bad);
  const servers = { bad: await startServer(t, bad), good: await startServer(t, await ca.issue(uriOf.good)) };
  const resources = ({ anchorsPem, listPem, names: expected }: Trust): JsonResources => ({
    [LISTENER_TYPE]: [
      ...names.map((name) => tcpListener(name, name)),
      httpListener({ name: "web", routes: names.map((name) => route(`/${name}`, name, { prefix_rewrite: "/held" })) }),
    ],
    [CLUSTER_TYPE]: names.map((name) => securedCluster(name, servers[name], expected[name])),
    [SECRET_TYPE]: [
      {
        name: "ROOTCA",
        validation_context: { trusted_ca: { inline_string: anchorsPem }, crl: { inline_string: listPem } },
      },
    ],
  });
  const before: Trust = { anchorsPem: ca.certificatePem, listPem: await ca.revoke([]), names: uriOf };
  const controlPlane = disposables.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set(resources(before));
  const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const open = async (listener: string): Promise<RawPeer> => {
    const client = await connectRaw(proxy.port(listener));
    t.after(() => client.socket.destroy());
    return client;
  };
  /** Asks through the relay to a server. */
  const ask = async (relay: RawPeer): Promise<void> => {
    await relay.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await relay.response()).body, "served");
  };
  const trust = (changes: Partial<Trust>): Promise<void> =>
    controlPlane.synced(controlPlane.set(resources({ ...before, ...changes })));
  return { ca, bad, servers, open, ask, trust };
}

/** In order or by a reset. */
function untilClosed({ socket }: RawPeer): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

for (const change of ["a list that names its certificate", "another expected name"] as const)
  test(`${change} ends what is open towards a server, bytes and requests, and leaves other servers' alone`, async (t) => {
    const { ca, bad, servers, open, ask, trust } = await start(t);
    const [doomed, kept] = [await open("bad"), await open("good")];
    await ask(doomed);
    await ask(kept);
    const held: RawPeer[] = [];
    for (const name of names) {
      const client = await open("web");
      const asked = once(servers[name], "request");
      await client.send(`GET /${name} HTTP/1.1\r\nhost: x\r\n\r\n`);
      await asked;
      held.push(client);
    }
    const ended = untilClosed(doomed);
    await trust(
      change === "another expected name"
        ? { names: { ...uriOf, bad: "spiffe://cluster.local/ns/shop/sa/another" } }
        : { listPem: await ca.revoke([bad.serialNumber]) },
    );
    await ended;
    assert.match((await held[0]!.response()).head, /^HTTP\/1\.1 503 /);
    await ask(kept);
    assert.equal(held[1]!.received, "");
  });

test("an anchor that is withdrawn ends what is open towards servers that it vouched for", async (t) => {
  const { open, ask, trust } = await start(t);
  const doomed = await open("good");
  await ask(doomed);
  const ended = untilClosed(doomed);
  const other = await ThrowawayCa.create();
  await trust({ anchorsPem: other.certificatePem, listPem: await other.revoke([]) });
  await ended;
});
