import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { createSecureContext, createServer as createTlsServer } from "node:tls";
import type { TLSSocket } from "node:tls";
import { Secret } from "@heddle/core";
import type { BoundCluster, UpstreamTlsConfig } from "@heddle/engine";
import type { IssuedIdentity } from "@heddle/testkit";
import { ThrowawayCa } from "@heddle/testkit";
import { type ClusterChanges, Fixture, makeCluster } from "./testing/fixture.ts";
import { RecordingSink } from "./testing/recording-sink.ts";
import { onEachHead } from "./testing/scripted-upstream.ts";

const web = "spiffe://cluster.local/ns/default/sa/web";
const books = "spiffe://cluster.local/ns/default/sa/books";

function tlsTo(expected: string): UpstreamTlsConfig {
  return {
    sni: "outbound_.9080_._.books",
    maxSessionKeys: 1,
    common: {
      minVersion: "1.3",
      maxVersion: "1.3",
      cipherSuites: [],
      groups: [],
      alpn: ["istio"],
      certificate: { name: "default", source: "local" },
      validation: {
        trustedCa: { name: "ROOTCA", source: "ads" },
        matchSubjectAltNames: [{ type: "uri", match: { kind: "exact", value: expected, ignoreCase: false } }],
        crlPem: undefined,
      },
    },
  };
}

interface TlsUpstream {
  readonly port: number;
  readonly handshakes: TLSSocket[];
  /** Serial numbers of the client certificates, in the order of the handshakes. */
  readonly serials: string[];
  /** Resolves when so many requests have come. */
  untilAsked(count: number): Promise<void>;
}

const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

async function startTls(
  t: TestContext,
  identity: IssuedIdentity,
  ca: ThrowawayCa,
  onHead: (socket: TLSSocket) => void = (socket) => socket.write(answer),
): Promise<TlsUpstream> {
  const handshakes: TLSSocket[] = [];
  const serials: string[] = [];
  const asked = new EventEmitter();
  const heads: TLSSocket[] = [];
  const server = createTlsServer(
    {
      cert: identity.chainPem,
      key: identity.privateKeyPem,
      ca: ca.certificatePem,
      requestCert: true,
      rejectUnauthorized: true,
      ALPNProtocols: ["istio"],
    },
    (socket) => {
      handshakes.push(socket);
      serials.push(socket.getPeerCertificate().serialNumber);
      socket.on("error", () => socket.destroy());
      onEachHead(socket, () => {
        heads.push(socket);
        onHead(socket);
        asked.emit("head");
      });
    },
  );
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of handshakes) socket.destroy();
    server.close();
  });
  const untilAsked = async (count: number): Promise<void> => {
    while (heads.length < count) await once(asked, "head");
  };
  return { port: (server.address() as AddressInfo).port, handshakes, serials, untilAsked };
}

function trust(fixture: Fixture, ca: ThrowawayCa): void {
  fixture.secrets.set({
    kind: "validation",
    name: "ROOTCA",
    validation: {
      trustedCa: { pem: ca.certificatePem },
      matchSubjectAltNames: [],
      crlPem: undefined,
    },
  });
}

function present(fixture: Fixture, identity: IssuedIdentity): void {
  fixture.secrets.set({
    kind: "certificate",
    name: "default",
    certificateChainPem: identity.chainPem,
    privateKey: new Secret(identity.privateKeyPem),
  });
}

test("over mutual TLS both sides know who the other is", async (t) => {
  const ca = await ThrowawayCa.create();
  const upstream = await startTls(t, await ca.issue(books), ca);
  const fixture = new Fixture(t);
  trust(fixture, ca);
  present(fixture, await ca.issue(web));
  const { sink, exchange } = fixture.request(makeCluster([upstream.port], { tls: tlsTo(books) }));
  await sink.ended;
  assert.equal(sink.failure, undefined);
  assert.equal(exchange.connection?.peer?.principal, books);
  assert.equal(exchange.connection?.tlsVersion, "TLSv1.3");
  assert.equal(upstream.handshakes[0]?.getPeerCertificate().subjectaltname, `URI:${web}`);
  assert.equal(upstream.handshakes[0]?.alpnProtocol, "istio");
  assert.equal((upstream.handshakes[0] as TLSSocket & { servername?: string }).servername, "outbound_.9080_._.books");
});

test("a server with another identity gets not one byte of the request", async (t) => {
  const ca = await ThrowawayCa.create();
  const upstream = await startTls(t, await ca.issue("spiffe://cluster.local/ns/default/sa/evil"), ca);
  const fixture = new Fixture(t);
  trust(fixture, ca);
  present(fixture, await ca.issue(web));
  const { sink } = fixture.request(makeCluster([upstream.port], { tls: tlsTo(books) }));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_peer_rejected");
  assert.equal(sink.failure?.bytesWritten, 0);
  assert.match(sink.failure?.transportFailure ?? "", /sa\/evil|sa\/books/);
});

test("a server of another authority is refused", async (t) => {
  const ca = await ThrowawayCa.create();
  const stranger = await ThrowawayCa.create();
  const upstream = await startTls(t, await stranger.issue(books), ca);
  const fixture = new Fixture(t);
  trust(fixture, ca);
  present(fixture, await ca.issue(web));
  const { sink } = fixture.request(makeCluster([upstream.port], { tls: tlsTo(books) }));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_peer_rejected");
});

test("a server that refuses this side after the handshake has not seen the request", async (t) => {
  const ca = await ThrowawayCa.create();
  const upstream = await startTls(t, await ca.issue(books), ca);
  const fixture = new Fixture(t);
  trust(fixture, ca);
  const unnamed = tlsTo(books);
  const tls = { ...unnamed, common: { ...unnamed.common, certificate: undefined } };
  const { sink } = fixture.request(makeCluster([upstream.port], { tls }));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_tls_failed");
  assert.equal(sink.failure?.bytesWritten, 0);
  assert.match(sink.failure?.transportFailure ?? "", /wants a certificate/);
});

test("without its certificate a request is refused and never sent in plaintext", async (t) => {
  const ca = await ThrowawayCa.create();
  const seen: string[] = [];
  const plain = createServer((socket) => void socket.on("data", (bytes: Buffer) => seen.push(bytes.toString())));
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  t.after(() => plain.close());
  const fixture = new Fixture(t);
  trust(fixture, ca);
  const { sink } = fixture.request(makeCluster([(plain.address() as AddressInfo).port], { tls: tlsTo(books) }));
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_tls_failed");
  assert.match(sink.failure?.transportFailure ?? "", /the certificate default has not arrived/);
  assert.deepEqual(seen, []);
});

test("a new certificate is used by new connections, and the old connection ends its work", async (t) => {
  const ca = await ThrowawayCa.create();
  const upstream = await startTls(t, await ca.issue(books), ca);
  const fixture = new Fixture(t);
  const [first, second] = [await ca.issue(web), await ca.issue(web)];
  trust(fixture, ca);
  present(fixture, first);
  const cluster = makeCluster([upstream.port], { tls: tlsTo(books) });
  await fixture.request(cluster).sink.ended;
  await fixture.request(cluster).sink.ended;
  assert.equal(upstream.handshakes.length, 1);
  present(fixture, second);
  const { sink } = fixture.request(cluster);
  await sink.ended;
  assert.equal(sink.body, "hi");
  assert.equal(upstream.serials.length, 2);
  assert.notEqual(upstream.serials[0], upstream.serials[1]);
});

test("a secret that a cluster does not use changes nothing for its connections", async (t) => {
  const ca = await ThrowawayCa.create();
  const upstream = await startTls(t, await ca.issue(books), ca);
  const fixture = new Fixture(t);
  trust(fixture, ca);
  present(fixture, await ca.issue(web));
  const cluster = makeCluster([upstream.port], { tls: tlsTo(books) });
  await fixture.request(cluster).sink.ended;
  const { chainPem, privateKeyPem } = await ca.issue(web);
  fixture.secrets.set({
    kind: "certificate",
    name: "another",
    certificateChainPem: chainPem,
    privateKey: new Secret(privateKeyPem),
  });
  const { sink } = fixture.request(cluster);
  await sink.ended;
  assert.equal(sink.body, "hi");
  assert.equal(upstream.handshakes.length, 1);
});

test("a long request on a connection of an older certificate, at the limit, keeps nobody waiting who needs the new one", async (t) => {
  const ca = await ThrowawayCa.create();
  const upstream = await startTls(t, await ca.issue(books), ca, () => {});
  const fixture = new Fixture(t);
  trust(fixture, ca);
  present(fixture, await ca.issue(web));
  const cluster = makeCluster([upstream.port], { tls: tlsTo(books), limits: { maxConnections: 1 } });
  const long = fixture.request(cluster);
  await upstream.untilAsked(1);
  present(fixture, await ca.issue(web));
  const other = fixture.request(cluster);
  await upstream.untilAsked(2);
  for (const socket of upstream.handshakes) socket.write(answer);
  await Promise.all([long.sink.ended, other.sink.ended]);
  assert.deepEqual([long.sink.body, other.sink.body], ["hi", "hi"]);
  // The older one has gone with its request, and the limit holds again.
  while (fixture.live.cluster(cluster).connections > 1) await new Promise((resolve) => setImmediate(resolve));
});

test("a handshake that never ends is a connection that was not made in time", async (t) => {
  const ca = await ThrowawayCa.create();
  const hellos: Buffer[] = [];
  let onHello = (): void => {};
  const silent = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      hellos.push(bytes);
      onHello();
    });
  });
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.after(() => silent.close());
  const fixture = new Fixture(t);
  trust(fixture, ca);
  present(fixture, await ca.issue(web));
  const greeted = new Promise<void>((resolve) => {
    onHello = resolve;
  });
  const cluster = makeCluster([(silent.address() as AddressInfo).port], { tls: tlsTo(books), connectTimeoutMs: 1000 });
  const { sink } = fixture.request(cluster);
  await greeted;
  fixture.timers.advance(1100);
  await sink.ended;
  assert.equal(sink.failure?.code, "upstream_connect_timeout");
  assert.equal(sink.failure?.bytesWritten, 0);
});

test("a connection on its way under an old certificate keeps nobody waiting who needs the new one", async (t) => {
  const ca = await ThrowawayCa.create();
  const upstream = await startTls(t, await ca.issue(books), ca);
  const fixture = new Fixture(t);
  trust(fixture, ca);
  present(fixture, await ca.issue(web));
  const cluster = makeCluster([upstream.port], { tls: tlsTo(books), limits: { maxConnections: 1 } });
  fixture.request(cluster).exchange.cancel();
  present(fixture, await ca.issue(web));
  const { sink } = fixture.request(cluster);
  await sink.ended;
  assert.equal(sink.body, "hi");
});

/** Servers of several names behind one port: each shows the certificate for the name that it is asked for, or the first one. */
async function startNamed(
  t: TestContext,
  names: ReadonlyMap<string, IssuedIdentity>,
): Promise<{ port: number; asked: (string | false | null)[] }> {
  const asked: (string | false | null)[] = [];
  const sockets = new Set<TLSSocket>();
  const [first] = [...names.values()];
  assert.ok(first);
  const server = createTlsServer(
    {
      cert: first.chainPem,
      key: first.privateKeyPem,
      SNICallback: (name, done) => {
        const identity = names.get(name) ?? first;
        done(null, createSecureContext({ cert: identity.chainPem, key: identity.privateKeyPem }));
      },
    },
    (socket: TLSSocket & { servername?: string | false | null }) => {
      sockets.add(socket);
      asked.push(socket.servername ?? null);
      socket.on("error", () => socket.destroy());
      onEachHead(socket, () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"));
    },
  );
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked };
}

async function namedCluster(
  t: TestContext,
  changes: ClusterChanges,
): Promise<{ fixture: Fixture; cluster: BoundCluster; asked: (string | false | null)[] }> {
  const ca = await ThrowawayCa.create();
  const issue = (name: string) => ca.issue("", { uris: [], dnsNames: [name] });
  const names = new Map([
    ["a.example", await issue("a.example")],
    ["b.example", await issue("b.example")],
  ]);
  const { port, asked } = await startNamed(t, names);
  const fixture = new Fixture(t);
  trust(fixture, ca);
  const unnamed = tlsTo("");
  const validation = { ...unnamed.common.validation!, matchSubjectAltNames: [] };
  const tls = { ...unnamed, sni: "", common: { ...unnamed.common, alpn: [], certificate: undefined, validation } };
  return { fixture, cluster: makeCluster([port], { tls, ...changes }), asked };
}

const sentAndDemanded = { isSent: true, isDemanded: true, header: "" };

test("requests to each host ride on connections that are for that host alone", async (t) => {
  const { fixture, cluster, asked } = await namedCluster(t, { serverName: sentAndDemanded });
  for (const host of ["a.example", "b.example", "a.example", "b.example"]) {
    const { sink } = fixture.request(cluster, "GET", new RecordingSink(), host);
    await sink.ended;
    assert.equal(sink.body, "hi", sink.failure?.transportFailure ?? "");
  }
  assert.deepEqual(asked, ["a.example", "b.example"]);
});

test("a certificate that is not for the host of the request is refused, whatever the rules of the context accept", async (t) => {
  const { fixture, cluster } = await namedCluster(t, { serverName: sentAndDemanded });
  // An address and what no handshake can name are not sent, and no certificate here is for them.
  for (const host of ["c.example", "127.0.0.1", ""]) {
    const { sink } = fixture.request(cluster, "GET", new RecordingSink(), host);
    await sink.ended;
    assert.equal(sink.failure?.code, "upstream_peer_rejected", host);
    assert.match(sink.failure?.transportFailure ?? "", /the peer is a\.example, expected: /);
  }
  const lenient = await namedCluster(t, { serverName: { ...sentAndDemanded, isDemanded: false } });
  const { sink } = lenient.fixture.request(lenient.cluster, "GET", new RecordingSink(), "c.example");
  await sink.ended;
  assert.equal(sink.body, "hi");
  assert.deepEqual(lenient.asked, ["c.example"]);
});

test("a connection of each host that is idle goes before there are more than the cluster may have", async (t) => {
  const { fixture, cluster } = await namedCluster(t, {
    serverName: { ...sentAndDemanded, isDemanded: false },
    limits: { maxConnections: 2 },
  });
  for (let count = 0; count < 8; count += 1) {
    const { sink } = fixture.request(cluster, "GET", new RecordingSink(), `host-${count}.example`);
    await sink.ended;
    assert.equal(sink.body, "hi");
  }
  assert.ok(fixture.live.cluster(cluster).connections <= 3, `${fixture.live.cluster(cluster).connections} connections`);
});
