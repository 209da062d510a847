import assert from "node:assert/strict";
import type { Http2ServerRequest } from "node:http2";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { describe, it } from "node:test";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { createContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { silentLogger } from "@heddle/core";
import type { IssuedIdentity } from "@heddle/testkit";
import { ThrowawayCa } from "@heddle/testkit";
import { CLUSTER_TYPE } from "./api/index.ts";
import { AdsClient, GrpcConnection } from "./client/index.ts";
import { AdsServer } from "./server/index.ts";
import { clock } from "./testing/ads-fixture.ts";
import { EventWaiter } from "@heddle/testkit";
import { ManualTimers } from "./testing/manual-timers.ts";
import { cluster, snapshot } from "./testing/resources.ts";

const controlPlane = "spiffe://cluster.local/ns/istio-system/sa/heddle-control-plane";
const reviews = "spiffe://cluster.local/ns/default/sa/reviews";

describe("ADS over mutual TLS", () => {
  it("gives a node's configuration to the certificate that may be this node, and to no other", async (t) => {
    const ca = await ThrowawayCa.create();
    const events = new EventWaiter();
    const ads = new AdsServer<string>({
      authorize: (peer, node) =>
        peer === reviews && node.id === "reviews"
          ? { ok: true, proxyId: node.id }
          : { ok: false, reason: `${peer ?? "a peer without certificate"} may not be ${node.id}` },
      onNode: (proxyId) => ads.setSnapshot(proxyId, snapshot("1", { clusters: [cluster("a")] })),
      clock,
      logger: silentLogger,
    });
    const identity = await ca.issue(controlPlane);
    const server = createSecureServer(
      {
        cert: identity.chainPem,
        key: identity.privateKeyPem,
        ca: ca.certificatePem,
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: "TLSv1.3",
        ALPNProtocols: ["h2"],
      },
      connectNodeAdapter({
        routes: ads.routes,
        contextValues: (request) => createContextValues().set(ads.peerKey, verifiedPeer(request as Http2ServerRequest)),
      }),
    );
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    t.after(
      () =>
        new Promise((resolve) => {
          server.close(resolve);
        }),
    );
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;

    function newClient(own: IssuedIdentity, expected: string): { client: AdsClient; clusters: string[] } {
      const clusters: string[] = [];
      const client = new AdsClient({
        node: { id: "reviews" },
        delta: true,
        dial: (signal) => {
          const session = {
            cert: own.chainPem,
            key: own.privateKeyPem,
            ca: ca.certificatePem,
            checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
              certificate.subjectaltname === `URI:${expected}` ? undefined : new Error(`not ${expected}`),
          };
          return GrpcConnection.dial(
            { url, session, connectTimeoutMs: 5000, timers: { setTimeout, clearTimeout } },
            signal,
          );
        },
        onUpdate: async ({ added }) => {
          clusters.push(...added.map((resource) => resource.name));
          return { rejected: [] };
        },
        onStateChange: events.notify,
        clock,
        random: Math.random,
        timers: new ManualTimers(),
        logger: silentLogger,
      });
      client.setSubscription(CLUSTER_TYPE, "*");
      client.start();
      return { client, clusters };
    }

    const own = newClient(await ca.issue(reviews), controlPlane);
    const other = newClient(await ca.issue("spiffe://cluster.local/ns/default/sa/ratings"), controlPlane);
    const stranger = newClient(await (await ThrowawayCa.create()).issue(reviews), controlPlane);
    const wary = newClient(await ca.issue(reviews), "spiffe://cluster.local/ns/other/sa/control-plane");
    await events.until("every verdict", () =>
      [other, stranger, wary].every(({ client }) => client.state.lastError !== undefined),
    );
    await events.until("the cluster", () => own.client.state.types.some((type) => type.updateSuccess === 1));
    assert.deepEqual(own.clusters, ["a"]);
    assert.match(other.client.state.lastError ?? "", /sa\/ratings may not be reviews/);
    assert.match(stranger.client.state.lastError ?? "", /a peer without certificate may not be reviews/);
    assert.match(wary.client.state.lastError ?? "", /not spiffe:\/\/cluster\.local\/ns\/other/);
    assert.deepEqual([...other.clusters, ...stranger.clusters, ...wary.clusters], []);
    await Promise.all([own, other, stranger, wary].map(({ client }) => client.stop()));
  });
});

/** The identity only if the chain verified: here Node says so, in the product @heddle/net does. */
function verifiedPeer(request: Http2ServerRequest): string | undefined {
  const socket = request.stream.session?.socket as TLSSocket;
  const name = socket.getPeerX509Certificate()?.subjectAltName;
  return socket.authorized ? name?.replace(/^URI:/, "") : undefined;
}
