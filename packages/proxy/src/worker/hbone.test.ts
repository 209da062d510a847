import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  constants,
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  connectRaw,
  type EchoServer,
  type IssuedIdentity,
  type RawPeer,
  type RawServer,
  startEchoServer,
  startRawServer,
  ThrowawayCa,
} from "@heddle/testkit";
import { CLUSTER_TYPE, LISTENER_TYPE, SECRET_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import {
  bootstrap,
  clientTls,
  cluster,
  httpListener,
  route,
  serverTls,
  tcpListener,
} from "../testing/bootstrap-json.ts";
import { carriedCluster } from "../testing/carrier-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog, peerMetadata } from "../testing/mesh-json.ts";
import { fullHeapShedding } from "../testing/overload-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { clockWorkerEntry, moveWorkerClock } from "../testing/worker-clock.ts";

// HBONE: TCP connections between two proxies as CONNECT streams of mutual TLS connections with HTTP/2.

type Json = Record<string, unknown>;

const web = "spiffe://cluster.local/ns/shop/sa/web";
const db = "spiffe://cluster.local/ns/shop/sa/db";
const stranger = "spiffe://cluster.local/ns/shop/sa/stranger";
const served = "127.0.0.1:5432";
const noContent = "HTTP/1.1 204 No Content\r\n\r\n";
const heddle = "type.googleapis.com/heddle.v1";

let folder: string;
let ca: ThrowawayCa;
let raw: RawServer;
let app: EchoServer;
let inbound: TestProxy;
let outbound: TestProxy;
const identities = new Map<string, IssuedIdentity>();
const sessions: ClientHttp2Session[] = [];

function material(uri: string): IssuedIdentity & { readonly anchorsPem: string } {
  const identity = identities.get(uri);
  assert.ok(identity);
  return { ...identity, anchorsPem: ca.certificatePem };
}

/** The proxy beside the workload: its HBONE port, and what it serves. */
function inboundBootstrap(port: number): Json {
  const relay = (stat_prefix: string, clusterName: string): Json => ({
    name: "tcp",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
      stat_prefix,
      cluster: clusterName,
      ...accessLog(
        join(folder, "inbound.log"),
        "%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS% %BYTES_RECEIVED% %BYTES_SENT%",
      ),
    },
  });
  const onlyWeb = {
    name: "rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
      stat_prefix: "rbac",
      rules: {
        action: "ALLOW",
        policies: {
          web: {
            permissions: [{ destination_port: 5432 }],
            principals: [
              {
                and_ids: {
                  ids: [
                    { authenticated: { principal_name: { exact: web } } },
                    { direct_remote_ip: { address_prefix: "127.0.0.1", prefix_len: 32 } },
                  ],
                },
              },
            ],
          },
        },
      },
    },
  };
  const own = { prefix_ranges: [{ address_prefix: "127.0.0.1", prefix_len: 32 }] };
  return bootstrap(
    [
      httpListener({
        name: "tunnel",
        direction: "INBOUND",
        routes: [],
        port,
        filters: [
          peerMetadata("db", "INBOUND", db),
          { name: "tunnel", typed_config: { "@type": `${heddle}.TunnelServer`, listener: "served" } },
        ],
        transportSocket: serverTls(material(db), {}, ["h2"]),
        manager: {
          codec_type: "HTTP2",
          upgrade_configs: [{ upgrade_type: "CONNECT" }],
          stream_idle_timeout: "0s",
          ...accessLog(join(folder, "tunnel.log"), "%REQ(:AUTHORITY)% %RESPONSE_CODE% %REQ(TRACEPARENT)%"),
        },
      }),
      {
        name: "served",
        internal_listener: {},
        filter_chains: [
          { filter_chain_match: { destination_port: 5432, ...own }, filters: [onlyWeb, relay("db", "app")] },
          { filter_chain_match: { destination_port: 5433, ...own }, filters: [relay("gone", "gone")] },
          { filter_chain_match: { destination_port: 8080, ...own }, filters: httpFilters() },
        ],
      },
    ],
    [cluster("app", [raw.port]), cluster("gone", [1]), cluster("web", [app.port])],
  );
}

/** HTTP for whom policy knows by certificate. */
function httpFilters(): Json[] {
  const rbac = {
    name: "rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
      rules: {
        action: "ALLOW",
        policies: {
          web: {
            permissions: [
              { and_rules: { rules: [{ destination_port: 8080 }, { url_path: { path: { prefix: "/open" } } }] } },
            ],
            principals: [{ authenticated: { principal_name: { exact: web } } }],
          },
        },
      },
    },
  };
  const manager = { forward_client_cert_details: "APPEND_FORWARD", set_current_client_cert_details: { uri: true } };
  const listener = httpListener({ name: "web", routes: [route("/", "web")], filters: [rbac], manager });
  const [chain] = listener["filter_chains"] as { filters: Json[] }[];
  assert.ok(chain);
  return chain.filters;
}

/** An endpoint whose proxy takes HBONE at `port`. */
function tunnelled(name: string, port: number, options: Json = {}, more: Json = {}, authority = served): Json {
  const endpoints = [{ own: Number(authority.split(":")[1]), carriers: port }];
  return carriedCluster({
    name,
    endpoints,
    carrierSocket: clientTls(material(web), db, ["h2"]),
    authority,
    options,
    more,
  });
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-hbone-"));
  ca = await ThrowawayCa.create();
  for (const uri of [web, db, stranger]) identities.set(uri, await ca.issue(uri));
  raw = await startRawServer();
  app = await startEchoServer();
  inbound = await TestProxy.start(inboundBootstrap(0));
  const port = inbound.port("tunnel");
  const says = peerMetadata("web", "OUTBOUND", web);
  outbound = await TestProxy.start(
    bootstrap(
      [
        tcpListener("db", "db", [says]),
        tcpListener("few", "few"),
        tcpListener("old", "old"),
        tcpListener("limited", "limited"),
        httpListener({ name: "virtual", routes: [route("/", "virtual")] }),
      ],
      [
        tunnelled("db", port),
        tunnelled("few", port, { http2_protocol_options: { max_concurrent_streams: 2 } }),
        tunnelled("old", port, { max_connection_duration: "0.05s" }),
        tunnelled("limited", port, {}, { circuit_breakers: { thresholds: [{ max_connections: 1 }] } }),
        tunnelled("virtual", port, {}, {}, "127.0.0.1:8080"),
      ],
    ),
  );
});

after(async () => {
  for (const session of sessions) session.destroy();
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  await raw?.[Symbol.asyncDispose]();
  await app?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A client of this identity at the HBONE port. */
function sessionAt(proxy: TestProxy, uri: string, settings: Settings = {}): ClientHttp2Session {
  const { chainPem, privateKeyPem } = material(uri);
  const session = connectHttp2(`https://127.0.0.1:${proxy.port("tunnel")}`, {
    ca: ca.certificatePem,
    cert: chainPem,
    key: privateKeyPem,
    checkServerIdentity: () => undefined,
    settings,
  });
  session.on("error", () => session.destroy());
  sessions.push(session);
  return session;
}

/** What the HBONE port answers to a CONNECT of this identity; the stream is given up then. */
async function asked(authority: string, uri: string, headers: Record<string, string> = {}): Promise<number> {
  const session = sessionAt(inbound, uri);
  const stream = session.request({ ":method": "CONNECT", ":authority": authority, ...headers });
  stream.on("error", () => stream.destroy());
  const [response] = (await once(stream, "response")) as [{ ":status": number }];
  stream.destroy();
  session.destroy();
  return response[":status"];
}

/** Carriers that the HBONE port has taken so far. */
function carriers(): number {
  return inbound.generation.metrics.total("envoy_http_downstream_cx_http2_total");
}

test("a TCP connection between two proxies is a CONNECT stream of a carrier", async () => {
  const client = await connectRaw(outbound.port("db"));
  const peer = await raw.next();
  await client.send("hello");
  assert.equal(await peer.bytes(5), "hello");
  await peer.send("x".repeat(500_000));
  assert.equal((await client.bytes(500_000)).length, 500_000);
  const before = carriers();
  assert.equal(before, 1);
  const other = await connectRaw(outbound.port("db"));
  const second = await raw.next();
  await second.send("server speaks first");
  await other.until("first");
  assert.equal(carriers(), before, "the second stream is on the same carrier");
  client.end();
  assert.equal(await peer.untilEnd(), "");
  await peer.send("rest");
  peer.end();
  assert.equal(await client.untilEnd(), "rest");
  second.end();
  await other.untilEnd();
  await other.send("late");
  other.end();
  assert.equal(await second.untilEnd(), "late");
  await untilLogged(join(folder, "inbound.log"), `${web} 127.0.0.1 ${served} 5 500004`);
  await inbound.whenBalanced();
});

/** A server of HTTP/2 that nobody here wrote, beside a workload. */
async function startForeign(open: AsyncDisposableStack): Promise<{ foreign: Http2SecureServer; port: number }> {
  const { chainPem, privateKeyPem } = material(db);
  const foreign = createSecureServer({ cert: chainPem, key: privateKeyPem, ca: ca.certificatePem, requestCert: true });
  foreign.on("stream", (stream) => stream.on("error", () => stream.destroy()));
  foreign.listen(0, "127.0.0.1");
  await once(foreign, "listening");
  open.defer(() => void foreign.close());
  return { foreign, port: (foreign.address() as AddressInfo).port };
}

test("what a server never takes of a connection whose sides have both ended is given up after idle_timeout", {
  timeout: 30_000,
}, async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const { foreign, port } = await startForeign(open);
  const accepted = once(foreign, "stream") as Promise<[ServerHttp2Stream]>;
  const relay = tcpListener("bytes", "bytes", [], { idle_timeout: "0.3s" });
  const proxy = open.use(await TestProxy.start(bootstrap([relay], [tunnelled("bytes", port)])));
  const client = open.use(await connectRaw(proxy.port("bytes")));
  const [stream] = await accepted;
  stream.pause();
  stream.respond({ ":status": 200 });
  stream.end();
  // More than the window, and so little more that the relay reads on and sees the end.
  client.socket.write(Buffer.alloc(70_000, "x"));
  client.end();
  assert.equal(await client.untilEnd(), "");
  if (!stream.closed) await once(stream, "close");
  assert.equal(stream.rstCode, constants.NGHTTP2_CANCEL);
  await proxy.untilStat("tcp.bytes.upstream_flush_active", 0);
  await proxy.untilStat("tcp.bytes.idle_timeout", 1);
});

test("CONNECT carries the target, a trace and what the workload says of itself, and any server of HTTP/2 may take it", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const asked: Record<string, string>[] = [];
  const { foreign, port } = await startForeign(open);
  foreign.on("stream", (stream: ServerHttp2Stream, headers) => {
    asked.push(headers as Record<string, string>);
    stream.respond({ ":status": 200 });
    stream.on("end", () => stream.end());
    stream.on("data", (chunk: Buffer) => stream.write(chunk.includes("HTTP/1.1") ? noContent : chunk));
  });
  const filters = [peerMetadata("web", "OUTBOUND", web)];
  const ended = { cluster: "ended", upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] };
  const mirrored = route("/", "plain", { request_mirror_policies: [{ cluster: "copied" }] });
  const probe = open.use(
    await TestProxy.start(
      bootstrap(
        [
          tcpListener("bytes", "bytes", filters),
          httpListener({ name: "http", routes: [route("/", "http")], filters }),
          httpListener({ name: "copied", routes: [mirrored], filters }),
          httpListener({ name: "ended", routes: [{ match: { connect_matcher: {} }, route: ended }], filters }),
        ],
        [...["bytes", "http", "copied", "ended"].map((name) => tunnelled(name, port)), cluster("plain", [app.port])],
      ),
    ),
  );
  const client = open.use(await connectRaw(probe.port("bytes")));
  await client.send("echo");
  assert.equal(await client.bytes(4), "echo");
  const ending = open.use(await connectRaw(probe.port("ended")));
  await ending.send(`CONNECT ${served} HTTP/1.1\r\nhost: ${served}\r\n\r\n`);
  assert.match(await ending.until("\r\n\r\n"), /^HTTP\/1.1 200 /);
  assert.equal((await fetch(`http://127.0.0.1:${probe.port("http")}/`)).status, 204);
  assert.equal((await fetch(`http://127.0.0.1:${probe.port("copied")}/`)).status, 200);
  while (asked.length < 4) await once(foreign, "stream");
  for (const headers of asked) {
    assert.equal(headers[":method"], "CONNECT");
    assert.equal(headers[":authority"], served);
    assert.match(headers["traceparent"] ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.match(headers["baggage"] ?? "", /^k8s.deployment.name=web-v1,k8s.namespace.name=shop,/);
  }
});

test("CONNECT is accepted for this workload's own address and served ports, and for nothing else", async () => {
  assert.equal(await asked(served, web), 200);
  (await raw.next()).socket.destroy();
  assert.equal(await asked("[::ffff:127.0.0.1]:5432", web), 200, "the same address written otherwise");
  (await raw.next()).socket.destroy();
  const accepted = raw.connectionsAccepted;
  const others = [
    "127.0.0.1:5434",
    `127.0.0.1:${raw.port}`,
    `127.0.0.1:${inbound.adminPort}`,
    `127.0.0.1:${inbound.port("tunnel")}`,
    "127.0.0.2:5432",
    "10.0.0.1:5432",
    "[::1]:5432",
    "db.example:5432",
    "127.1:5432",
    "0x7f000001:5432",
  ];
  for (const authority of others) assert.equal(await asked(authority, web), 404, authority);
  assert.equal(raw.connectionsAccepted, accepted);
});

test("policy judges by the target's port and the carrier's peer, whatever else is claimed", async () => {
  assert.equal(await asked(served, web, { "x-forwarded-for": "10.1.2.3" }), 200);
  (await raw.next()).socket.destroy();
  const claims = { "x-forwarded-client-cert": `URI=${web}`, baggage: "workload=web", "x-forwarded-for": "127.0.0.1" };
  assert.equal(await asked(served, stranger, claims), 403);
});

test("an application that cannot be reached refuses the CONNECT before its 200", async () => {
  assert.equal(await asked("127.0.0.1:5433", web), 503);
  await inbound.whenBalanced();
});

test("a carrier takes as many streams as it may, and then there is another", async () => {
  const before = carriers();
  const clients: RawPeer[] = [];
  const peers: RawPeer[] = [];
  for (let i = 0; i < 5; i += 1) {
    clients.push(await connectRaw(outbound.port("few")));
    peers.push(await raw.next());
  }
  assert.equal(carriers() - before, 3);
  for (const client of clients) client.end();
  for (const peer of peers) {
    await peer.untilEnd();
    peer.end();
  }
  for (const client of clients) await client.untilEnd();
  await inbound.whenBalanced();
});

test("connections that are made at once wait for one carrier", async () => {
  const fresh = await TestProxy.start(bootstrap([tcpListener("db", "db")], [tunnelled("db", inbound.port("tunnel"))]));
  const before = carriers();
  const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(fresh.port("db"))));
  const peers = await Promise.all(clients.map(() => raw.next()));
  assert.equal(carriers() - before, 1);
  for (const client of clients) client.socket.destroy();
  for (const peer of peers) await peer.untilEnd();
  await fresh[Symbol.asyncDispose]();
});

test("a carrier that is old takes no new stream, and its streams go on", async () => {
  const before = carriers();
  const first = await connectRaw(outbound.port("old"));
  const peer = await raw.next();
  await first.send("a");
  await peer.bytes(1);
  // Sooner or later a connection finds that the carrier of the first is old; there are never many at once.
  const giveUpAt = performance.now() + 10_000;
  while (carriers() - before < 2) {
    assert.ok(performance.now() < giveUpAt, "the first carrier takes streams for ever");
    const next = await connectRaw(outbound.port("old"));
    const other = await raw.next();
    next.reset();
    await other.untilEnd();
  }
  await first.send("still here");
  assert.equal(await peer.bytes(10), "still here");
  first.end();
  await peer.untilEnd();
  peer.end();
  await first.untilEnd();
});

test("the cluster's limit of connections counts streams, not carriers", async () => {
  const first = await connectRaw(outbound.port("limited"));
  const peer = await raw.next();
  const second = await connectRaw(outbound.port("limited"));
  assert.equal(await second.untilEnd(), "");
  await first.send("mine");
  assert.equal(await peer.bytes(4), "mine");
  first.reset();
  await peer.untilEnd();
});

test("while connections are shed a TCP check through new carriers goes on, and a client is shed and counted once", async (t) => {
  const point = "overload.envoy.load_shed_points.connection_pool_new_connection";
  const check = { timeout: "5s", interval: "0.01s", no_traffic_interval: "0.01s", tcp_health_check: {} };
  const checked = tunnelled(
    "db",
    inbound.port("tunnel"),
    { max_connection_duration: "0.001s" },
    { health_checks: [{ ...check, unhealthy_threshold: 1, healthy_threshold: 1 }] },
    "127.0.0.1:8080",
  );
  const shedding = fullHeapShedding("connection_pool_new_connection");
  const proxy = await TestProxy.start(bootstrap([tcpListener("db", "db")], [checked], shedding));
  t.after(() => proxy[Symbol.asyncDispose]());
  await proxy.untilStat(`${point}.scale_percent`, 100);
  const [shownCarriers, giveUpAt] = [carriers(), performance.now() + 10_000];
  while (carriers() < shownCarriers + 3) {
    assert.ok(performance.now() < giveUpAt, await proxy.admin("/stats?filter=health_check"));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await proxy.untilStat("cluster.db.membership_healthy", 1);
  assert.doesNotMatch(await proxy.admin("/stats?filter=health_check"), /cluster\.db\.health_check\.failure: [1-9]/);
  const client = await connectRaw(proxy.port("db"));
  assert.equal(await client.untilEnd(), "");
  await proxy.untilStat(`${point}.shed_load_count`, 1);
});

test("a reset of one stream is its own alone", async () => {
  const [doomed, kept] = [await connectRaw(outbound.port("db")), await connectRaw(outbound.port("db"))];
  const [first, second] = [await raw.next(), await raw.next()];
  first.reset();
  await doomed.untilEnd();
  await kept.send("fine");
  assert.equal(await second.bytes(4), "fine");
  kept.reset();
  await second.untilEnd();
  await inbound.whenBalanced();
});

test("bulk that nobody reads stops none of the other streams, and what is held of it is bounded", async () => {
  const bulk = await connectRaw(outbound.port("db"));
  const slow = await raw.next();
  slow.socket.pause();
  const chunk = Buffer.alloc(1_000_000);
  let taken = 0;
  while (bulk.socket.write(chunk, () => (taken += chunk.length)) || bulk.socket.writableLength < 50_000_000);
  const other = await connectRaw(outbound.port("db"));
  const peer = await raw.next();
  for (let i = 0; i < 50; i += 1) {
    await other.send("ping");
    assert.equal(await peer.bytes(4), "ping");
    await peer.send("pong");
    assert.equal(await other.bytes(4), "pong");
  }
  // Kernels' buffers, windows and queues on the way; far below what was written.
  assert.ok(taken < 40_000_000, `${taken} bytes left`);
  bulk.socket.destroy();
  slow.socket.destroy();
  other.reset();
  await peer.untilEnd();
});

test("HTTP/1.1 rides on connections inside a carrier, which are pooled like any, and policy knows the peer", async () => {
  const before = carriers();
  const ask = async (path: string): Promise<Response> => fetch(`http://127.0.0.1:${outbound.port("virtual")}${path}`);
  const tunnels = (): number =>
    inbound.generation.metrics.total("envoy_http_downstream_cx_upgrades_total", {
      envoy_http_conn_manager_prefix: "tunnel",
    });
  const made = tunnels();
  for (let i = 0; i < 5; i += 1) {
    const response = await ask("/open");
    assert.equal(response.status, 200);
    assert.match(await response.text(), new RegExp(`URI=${web}`));
  }
  assert.equal(tunnels() - made, 1, "one connection served them all");
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/open")));
  for (const answer of answers) assert.match(await answer.text(), /URI=/);
  assert.ok(carriers() - before <= 1);
  assert.equal((await ask("/closed")).status, 403);
  await outbound.whenBalanced();
});

test("a client that reads its stream slowly gets its answer whole, whatever passes meanwhile: delayed_close_timeout", async (t) => {
  const proxy = await TestProxy.start(inboundBootstrap(0), {}, clockWorkerEntry);
  const session = sessionAt(proxy, web, { initialWindowSize: 1000 });
  t.after(() => {
    session.destroy();
    return proxy[Symbol.asyncDispose]();
  });
  const stream = session.request({ ":method": "CONNECT", ":authority": "127.0.0.1:8080" }, { endStream: false });
  await once(stream, "response");
  const body = "x".repeat(40_000);
  stream.write(
    `POST /open HTTP/1.1\r\nhost: web\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await proxy.untilStat("http.web.downstream_rq_2xx", 1);
  // The last answer is on its way, and delayed_close_timeout, one second, has begun.
  for (let passed = 0; passed < 3; passed += 1) await moveWorkerClock(61_000);
  let answer = "";
  for await (const chunk of stream.setEncoding("latin1")) answer += chunk as string;
  assert.ok(answer.includes(body), `${answer.length} bytes`);
});

test("open streams are closed when policy denies them, and when their peer's anchor is withdrawn", async (t) => {
  const disposables = new AsyncDisposableStack();
  t.after(() => disposables.disposeAsync());
  const newCa = await ThrowawayCa.create();
  const controlPlane = disposables.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set(pushed(web, ca.certificatePem));
  const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const client = disposables.use(
    await TestProxy.start(bootstrap([tcpListener("db", "db")], [tunnelled("db", proxy.port("tunnel"))])),
  );
  const open = async (): Promise<[RawPeer, RawPeer]> => [await connectRaw(client.port("db")), await raw.next()];
  const [denied, application] = await open();
  await denied.send("so far");
  assert.equal(await application.bytes(6), "so far");
  await controlPlane.synced(controlPlane.set(pushed(stranger, ca.certificatePem)));
  await denied.untilEnd();
  await application.untilEnd();
  await controlPlane.synced(controlPlane.set(pushed(web, ca.certificatePem)));
  const [revoked, again] = await open();
  await revoked.send("so far");
  assert.equal(await again.bytes(6), "so far");
  await controlPlane.synced(controlPlane.set(pushed(web, newCa.certificatePem)));
  await revoked.untilEnd();
  await again.untilEnd();
});

/** The inbound proxy's configuration over ADS, where `principal` may connect. */
function pushed(principal: string, anchorsPem: string): JsonResources {
  const { listeners, clusters } = inboundBootstrap(0)["static_resources"] as Record<"listeners" | "clusters", Json[]>;
  const text = JSON.stringify(listeners).replaceAll(JSON.stringify(web), JSON.stringify(principal));
  const [tunnel, internal] = JSON.parse(text) as [Json & { filter_chains: Json[] }, Json];
  const ads = { ads: {}, resource_api_version: "V3" };
  const [chain] = tunnel.filter_chains;
  assert.ok(chain);
  chain["transport_socket"] = {
    name: "tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: true,
      common_tls_context: {
        alpn_protocols: ["h2"],
        tls_certificate_sds_secret_configs: [{ name: "server", sds_config: ads }],
        validation_context_sds_secret_config: { name: "ROOTCA", sds_config: ads },
      },
    },
  };
  const { chainPem, privateKeyPem } = material(db);
  return {
    [LISTENER_TYPE]: [tunnel, internal],
    [CLUSTER_TYPE]: clusters,
    [SECRET_TYPE]: [
      {
        name: "server",
        tls_certificate: {
          certificate_chain: { inline_string: chainPem },
          private_key: { inline_string: privateKeyPem },
        },
      },
      { name: "ROOTCA", validation_context: { trusted_ca: { inline_string: anchorsPem } } },
    ],
  };
}
