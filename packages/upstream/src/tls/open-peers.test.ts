import assert from "node:assert/strict";
import { once } from "node:events";
import { createSecureServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { BoundCluster, UpstreamTlsConfig } from "@heddle/engine";
import { ThrowawayCa } from "@heddle/testkit";
import { Fixture, makeCluster } from "../testing/fixture.ts";
import type { DeniedPeer } from "./open-peers.ts";

const db = "spiffe://cluster.local/ns/shop/sa/db";

const tls: UpstreamTlsConfig = {
  sni: "",
  maxSessionKeys: 1,
  common: {
    minVersion: "1.3",
    maxVersion: "1.3",
    cipherSuites: [],
    groups: [],
    alpn: [],
    certificate: undefined,
    validation: { trustedCa: { name: "ROOTCA", source: "ads" }, matchSubjectAltNames: [], crlPem: undefined },
  },
};

/** An endpoint that is reached inside carriers alone. */
function carried(port: number): BoundCluster {
  const { http2 } = makeCluster([port]).config;
  const tunnel = { match: "tunnel", http2, maxConnectionDurationMs: 0, minConcurrentRequests: 0 };
  const cluster = makeCluster([port], { tunnel });
  const [carrier] = makeCluster([port], { tls }).endpoints;
  assert.ok(carrier);
  const endpoints = cluster.endpoints.map((endpoint) => ({
    ...endpoint,
    tunnel: { authority: "127.0.0.1:8080", carrier },
  }));
  return { ...cluster, endpoints };
}

test("a carrier to a proxy that is now revoked ends with its streams", async (t) => {
  const ca = await ThrowawayCa.create();
  const { chainPem, privateKeyPem, serialNumber } = await ca.issue(db);
  const server = createSecureServer({ cert: chainPem, key: privateKeyPem });
  let sessions = 0;
  server.on("session", (session) => {
    sessions += 1;
    t.after(() => session.destroy());
  });
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());

  const fixture = new Fixture(t);
  const trust = (crlPem: string): void =>
    fixture.secrets.set({
      kind: "validation",
      name: "ROOTCA",
      validation: { trustedCa: { pem: ca.certificatePem }, matchSubjectAltNames: [], crlPem },
    });
  trust(await ca.revoke([]));
  const cluster = carried((server.address() as AddressInfo).port);
  const denied: DeniedPeer[] = [];
  const judge = (): void =>
    fixture.tunnels.judgePeersAgain(new Map([[cluster.name, cluster]]), (peer) => denied.push(peer));
  const { sink: stream } = fixture.openTcp(cluster);
  await stream.saw("head");
  judge();
  judge();
  assert.deepEqual(denied, []);
  trust(await ca.revoke([serialNumber]));
  judge();
  await stream.ended;
  assert.equal(stream.failure?.code, "upstream_reset_mid_response");
  assert.equal(sessions, 1);
  assert.deepEqual(
    denied.map(({ principal }) => principal),
    [db],
  );
  const { sink: refused } = fixture.openTcp(cluster);
  await refused.ended;
  assert.equal(refused.failure?.code, "upstream_peer_rejected");
});
