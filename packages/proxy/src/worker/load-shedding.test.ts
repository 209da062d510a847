import assert from "node:assert/strict";
import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from "node:http2";
import { test, type TestContext } from "node:test";
import { MetricReader, MetricWriter } from "@heddle/telemetry";
import { connectRaw, type RawPeer, type RawServer, startRawServer } from "@heddle/testkit";
import { SharedLoad } from "../overload/shared-load.ts";
import { bootstrap, cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { crowdedShedding, fullHeapShedding } from "../testing/overload-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { shedsLoad } from "./load-shedding.ts";
import { WorkerLoad } from "./worker-load.ts";
import { WorkerMetrics } from "./metrics.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };
const get = "GET /direct HTTP/1.1\r\nhost: x\r\n\r\n";

async function start(
  t: TestContext,
  overload: Record<string, unknown>,
): Promise<{ proxy: TestProxy; port: number; upstream: RawServer }> {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const listener = httpListener({ name: "web", routes: [direct, route("/", "up")] });
  const proxy = await TestProxy.start(bootstrap([listener], [cluster("up", [upstream.port])], overload));
  t.after(() => proxy[Symbol.asyncDispose]());
  return { proxy, port: proxy.port("web"), upstream };
}

async function connect(t: TestContext, port: number): Promise<RawPeer> {
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  return client;
}

function http2(t: TestContext, port: number): ClientHttp2Session {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  t.after(() => session.destroy());
  return session;
}

/** Begins a request whose end, however it ends, is not waited for. */
function begin(session: ClientHttp2Session, path: string): ClientHttp2Stream {
  const stream = session.request({ ":path": path });
  stream.on("error", () => {});
  return stream.resume();
}

function untilOver(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    stream.once("close", resolve);
  });
}

/** Another client comes, and with it the overload. */
async function crowd(t: TestContext, proxy: TestProxy, port: number, point: string): Promise<void> {
  await connect(t, port);
  await proxy.untilStat(`overload.envoy.load_shed_points.${point}.scale_percent`, 100);
}

/** Whoever shed load has counted it, once by the point and once by what it did. */
async function untilShed(proxy: TestProxy, point: string, effect: string, times = 1): Promise<void> {
  await proxy.untilStat(`overload.envoy.load_shed_points.${point}.shed_load_count`, times);
  await proxy.untilStat(effect, times);
  await proxy.whenBalanced();
}

test("a load shed point sheds the share that its triggers say, and counts it", () => {
  const point = "envoy.load_shed_points.tcp_listener_accept";
  const shared = SharedLoad.create(1);
  const reader = new MetricReader();
  const metrics = new WorkerMetrics(new MetricWriter({ announce: (series) => reader.add(series) }));
  const load = new WorkerLoad(shared.buffer, 0);
  const sheds = (share: number, drawn: number): boolean => {
    shared.setActivity(point, share);
    return shedsLoad({ load, metrics, random: () => drawn }, point);
  };
  assert.deepEqual([sheds(0, 0), sheds(0.25, 0.24), sheds(0.25, 0.25), sheds(1, 0.99)], [false, true, false, true]);
  assert.equal(reader.total("envoy_overload_load_shed_point_shed_load_count", { name: point }), 2);
});

test("tcp_listener_accept closes what comes", async (t) => {
  const { proxy, port } = await start(t, fullHeapShedding("tcp_listener_accept"));
  const client = await connect(t, port);
  assert.equal(await client.untilEnd(), "");
  await untilShed(proxy, "tcp_listener_accept", "listener.web.downstream_cx_overload_reject");
});

test("hcm_ondata_creating_codec closes a connection with its first bytes, whatever it speaks", async (t) => {
  const { proxy, port } = await start(t, fullHeapShedding("hcm_ondata_creating_codec"));
  const point = "hcm_ondata_creating_codec";
  const client = await connect(t, port);
  await proxy.untilStat("http.web.downstream_cx_active", 1);
  assert.equal(client.isEnded, false);
  await client.send(get);
  assert.equal(await client.untilEnd(), "");
  await untilShed(proxy, point, "http.web.downstream_rq_overload_close");
  const other = await connect(t, port);
  await other.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  await other.untilEnd();
  await untilShed(proxy, point, "http.web.downstream_rq_overload_close", 2);
});

test("hcm_ondata_creating_codec leaves a connection alone that has been served", async (t) => {
  const { proxy, port } = await start(t, crowdedShedding(2, "hcm_ondata_creating_codec"));
  const client = await connect(t, port);
  await client.send(get);
  await client.response();
  await crowd(t, proxy, port, "hcm_ondata_creating_codec");
  await client.send(get);
  assert.equal((await client.response()).body, "direct");
});

test("http_connection_manager_decode_headers answers 503 with flag OM, and the connection stays", async (t) => {
  const { proxy, port } = await start(t, fullHeapShedding("http_connection_manager_decode_headers"));
  const client = await connect(t, port);
  for (let count = 1; count <= 2; count += 1) {
    await client.send(get);
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 503 /);
    assert.equal(body, "envoy overloaded");
    await untilShed(proxy, "http_connection_manager_decode_headers", "http.web.downstream_rq_overload_close", count);
  }
});

test("http_downstream_filter_check answers 503 what would go to an upstream, after policy and routes, and nothing else", async (t) => {
  const point = "http_downstream_filter_check";
  const { proxy, port, upstream } = await start(t, crowdedShedding(2, point));
  const client = await connect(t, port);
  await client.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf");
  const peer = await upstream.next();
  await peer.until("half");
  await crowd(t, proxy, port, point);
  // What is with its upstream already goes on.
  await client.send("more");
  await peer.until("more");
  await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  assert.match((await client.response()).head, /^HTTP\/1\.1 200 /);
  await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
  const { head, body } = await client.response();
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.equal(body, "envoy overloaded");
  await untilShed(proxy, point, "http.web.rq_overload_local_reply");
  await client.send(get);
  assert.equal((await client.response()).body, "direct");
  await untilShed(proxy, point, "http.web.rq_overload_local_reply");
});

test("connection_pool_new_connection answers 503 what needs a new connection to an upstream, and an idle one is used", async (t) => {
  const point = "connection_pool_new_connection";
  const { proxy, port, upstream } = await start(t, crowdedShedding(3, point));
  const [first, second] = [await connect(t, port), await connect(t, port)];
  await first.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await crowd(t, proxy, port, point);
  await second.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
  const { head, body } = await second.response();
  assert.match(head, /^HTTP\/1\.1 503 [^]*\r\nx-envoy-overloaded: true\r\n/);
  assert.equal(body, "upstream connect error or disconnect/reset before headers. reset reason: overflow");
  await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  assert.match((await first.response()).head, /^HTTP\/1\.1 200 /);
  await second.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
  await peer.until("\r\n\r\n");
  await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  assert.match((await second.response()).head, /^HTTP\/1\.1 200 /);
  await untilShed(proxy, point, "cluster.up.upstream_cx_total");
});

test("connection_pool_new_connection closes a client of tcp_proxy, whose bytes would need a connection", async (t) => {
  const point = "connection_pool_new_connection";
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const listener = tcpListener("bytes", "up");
  const proxy = await TestProxy.start(bootstrap([listener], [cluster("up", [upstream.port])], fullHeapShedding(point)));
  t.after(() => proxy[Symbol.asyncDispose]());
  const client = await connect(t, proxy.port("bytes"));
  assert.equal(await client.untilEnd(), "");
  await proxy.untilStat(`overload.envoy.load_shed_points.${point}.shed_load_count`, 1);
  await proxy.untilStat("cluster.up.upstream_cx_total", 0);
});

test("http1_server_abort_dispatch answers 500 and closes, between requests and within one", async (t) => {
  const point = "http1_server_abort_dispatch";
  const { proxy, port, upstream } = await start(t, crowdedShedding(3, point));
  const idle = await connect(t, port);
  await idle.send(get);
  await idle.response();
  const sending = await connect(t, port);
  await sending.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf");
  const peer = await upstream.next();
  await peer.until("half");
  await crowd(t, proxy, port, point);
  await idle.send(get);
  assert.match(await idle.untilEnd(), /^HTTP\/1\.1 500 [^]*\r\nconnection: close\r\n[^]*Internal Server Error$/);
  await sending.send("more");
  assert.match(await sending.untilEnd(), /^HTTP\/1\.1 500 [^]*\r\nconnection: close\r\n/);
  await peer.untilEnd();
  await untilShed(proxy, point, "http.web.downstream_rq_overload_close", 2);
});

test("http1_server_abort_dispatch breaks a response off that has begun, and leaves HTTP/2 alone", async (t) => {
  const point = "http1_server_abort_dispatch";
  const { proxy, port, upstream } = await start(t, crowdedShedding(2, point));
  const client = await connect(t, port);
  await client.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf");
  const peer = await upstream.next();
  await peer.until("half");
  await peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
  await client.until("half\r\n");
  await crowd(t, proxy, port, point);
  await client.send("more");
  assert.equal(await client.untilEnd(), "");
  await untilShed(proxy, point, "http.web.downstream_rq_overload_close");
  const stream = begin(http2(t, port), "/direct");
  const [headers] = (await once(stream, "response")) as [{ ":status"?: number }];
  assert.equal(headers[":status"], 200);
});

test("http2_server_go_away_on_dispatch says GOAWAY once: what has begun is served, and nothing else", async (t) => {
  const point = "http2_server_go_away_on_dispatch";
  const { proxy, port, upstream } = await start(t, crowdedShedding(2, point));
  const session = http2(t, port);
  const first = begin(session, "/x");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await crowd(t, proxy, port, point);
  const goAway = once(session, "goaway");
  const second = begin(session, "/direct");
  const refused = untilOver(second);
  await goAway;
  await refused;
  assert.notEqual(second.rstCode, 0);
  const answered = once(first, "response");
  const ended = once(session, "close");
  await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  const [headers] = (await answered) as [{ ":status"?: number }];
  assert.equal(headers[":status"], 200);
  await ended;
  await proxy.untilStat(`overload.envoy.load_shed_points.${point}.shed_load_count`, 1);
  await proxy.whenBalanced();
});

test("http2_server_go_away_and_close_on_dispatch says GOAWAY and ends the connection, whatever is in progress", async (t) => {
  const point = "http2_server_go_away_and_close_on_dispatch";
  const { proxy, port, upstream } = await start(t, crowdedShedding(2, point, "http2_server_go_away_on_dispatch"));
  const session = http2(t, port);
  const first = begin(session, "/x");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await crowd(t, proxy, port, point);
  const goAway = once(session, "goaway");
  const closed = untilOver(first);
  begin(session, "/direct");
  await goAway;
  await closed;
  await peer.untilEnd();
  await untilShed(proxy, point, "http.web.downstream_rq_overload_close");
  // It goes before the one that is gentler.
  await proxy.untilStat("overload.envoy.load_shed_points.http2_server_go_away_on_dispatch.shed_load_count", 0);
});
