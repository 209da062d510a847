import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { test, type TestContext } from "node:test";
import { connectRaw, type RawPeer, type RawServer, startRawServer } from "@heddle/testkit";
import { CLUSTER_TYPE, LISTENER_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane } from "../testing/ads-control-plane.ts";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { carrierListeners, chainsOf } from "../testing/carrier-json.ts";
import { data, headers, preface, request, settings, windowUpdate } from "../testing/http2-frames.ts";
import { crowdedShedding } from "../testing/overload-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { clockWorkerEntry, moveWorkerClock } from "../testing/worker-clock.ts";

/** More than the kernel keeps of a connection that nobody reads, and less than the proxy may. */
const listener = { per_connection_buffer_limit_bytes: 64 * 1024 * 1024 };
const bytes = 16 * 1024 * 1024;

/** A client that asks and does not read yet, whose answer the application has sent to its end. */
async function askWithoutReading(proxy: TestProxy, upstream: RawServer, fields = ""): Promise<RawPeer> {
  const client = await connectRaw(proxy.port("web"));
  client.socket.pause();
  await client.send(`GET / HTTP/1.1\r\nhost: shop\r\n${fields}\r\n`);
  await answer(await upstream.next(), bytes);
  await proxy.whenBalanced();
  return client;
}

async function answer(peer: RawPeer, length: number): Promise<void> {
  await peer.until("\r\n\r\n");
  await peer.send(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${length}\r\n\r\n`);
  await new Promise<void>((resolve) => peer.socket.end(Buffer.alloc(length, "x"), () => resolve()));
}

/** How much of the body arrives until the connection ends or nothing is missing. */
async function readRest(client: RawPeer): Promise<number> {
  let received = 0;
  client.socket.removeAllListeners("data").on("data", (chunk: Buffer) => (received += chunk.length));
  client.socket.on("error", () => {});
  const over = Promise.race([once(client.socket, "end"), once(client.socket, "close")]);
  client.socket.resume();
  await over;
  client.socket.destroy();
  return received;
}

async function start(
  t: TestContext,
  manager: object,
  workerEntry?: URL,
  overload: Record<string, unknown> = {},
): Promise<[TestProxy, RawServer]> {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const upstream = open.use(await startRawServer());
  const routes = [route("/", "up", { timeout: "0s" })];
  const web = httpListener({ name: "web", manager: { delayed_close_timeout: "0.05s", ...manager }, routes, listener });
  const proxy = await TestProxy.start(bootstrap([web], [cluster("up", [upstream.port])], overload), {}, workerEntry);
  return [open.use(proxy), upstream];
}

test("a client that reads a little at a time, inside a carrier, has as much time as on a connection by itself", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const upstream = open.use(await startRawServer());
  const inside = httpListener({ name: "inside", routes: [route("/", "up", { timeout: "0s" })] });
  const listeners = carrierListeners({ filterChains: chainsOf(inside) });
  const proxy = await TestProxy.start(bootstrap(listeners, [cluster("up", [upstream.port])]), {}, clockWorkerEntry);
  open.use(proxy);
  const client = await connectRaw(proxy.port("carriers"));
  t.after(() => client.socket.destroy());
  const connectFields = [
    [":method", "CONNECT"],
    [":authority", "127.0.0.1:8080"],
  ] as const;
  await client.send(
    Buffer.concat([
      preface,
      settings([4, 8192]),
      windowUpdate(0, 0x4000_0000),
      headers(1, connectFields, false),
      data(1, "GET / HTTP/1.1\r\nhost: shop\r\n\r\n"),
    ]),
  );
  const application = await upstream.next();
  await application.until("\r\n\r\n");
  application.socket.on("error", () => application.socket.destroy());
  await application.send(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
  // Something always waits, but no more than comes in one read: how much that is would depend on the machine, and what takes longer than the
  // stream's idle timeout to leave ends it on any connection.
  await application.send(Buffer.alloc(65_536, "x"));
  // 410 bytes a second for eight minutes: too little for a request on a shared connection, and always something.
  for (let passed = 0; passed < 480_000; passed += 20_000) {
    await client.bytes(8192);
    await application.send(Buffer.alloc(8192, "x"));
    await client.send(windowUpdate(1, 8192));
    await moveWorkerClock(20_000);
  }
  await client.bytes(8192);
});

const minute = "60s";
for (const { what, manager, fields } of [
  { what: "delayed_close_timeout, after the last answer", manager: {}, fields: "connection: close\r\n" },
  { what: "idle_timeout", manager: { common_http_protocol_options: { idle_timeout: minute } }, fields: "" },
  {
    what: "max_connection_duration",
    manager: { common_http_protocol_options: { max_connection_duration: minute } },
    fields: "",
  },
]) {
  test(`a client that reads slowly gets its answer whole, whatever passes meanwhile: ${what}`, async (t) => {
    const [proxy, upstream] = await start(t, { delayed_close_timeout: minute, ...manager }, clockWorkerEntry);
    const slow = await askWithoutReading(proxy, upstream, fields);
    // While a request is in progress the worker sees at once that its clock was moved.
    const waiting = await connectRaw(proxy.port("web"));
    t.after(() => waiting.socket.destroy());
    await waiting.send("GET / HTTP/1.1\r\nhost: shop\r\n\r\n");
    await (await upstream.next()).until("\r\n\r\n");
    // What the test is about, and delayed_close_timeout behind it; not stream_idle_timeout, which has five minutes.
    for (let passed = 0; passed < 3; passed += 1) await moveWorkerClock(61_000);
    assert.ok((await readRest(slow)) > bytes);
  });
}

test("a client that takes nothing more of its last answer is given up after stream_idle_timeout", async (t) => {
  const [proxy, upstream] = await start(t, { stream_idle_timeout: "0.3s" });
  const slow = await askWithoutReading(proxy, upstream, "connection: close\r\n");
  await proxy.untilStat("http.web.downstream_cx_active", 0);
  assert.ok((await readRest(slow)) < bytes);
});

test("stream_idle_timeout of a client that takes nothing passes by the clock, however often it is looked at", async (t) => {
  const [proxy, upstream] = await start(t, { stream_idle_timeout: "600s" }, clockWorkerEntry);
  const slow = await askWithoutReading(proxy, upstream, "connection: close\r\n");
  t.after(() => slow.socket.destroy());
  await moveWorkerClock(601_000);
  await proxy.untilStat("http.web.downstream_cx_active", 0);
});

/** From now on there is overload: a client more. */
async function crowd(t: TestContext, proxy: TestProxy, gauge: string): Promise<void> {
  const another = await connectRaw(proxy.port("web"));
  t.after(() => another.socket.destroy());
  await proxy.untilStat(gauge, 100);
}

const abortDispatch = "envoy.load_shed_points.http1_server_abort_dispatch";
const decodeHeaders = "envoy.load_shed_points.http_connection_manager_decode_headers";
for (const { what, point, next } of [
  { what: "a request that cannot be read", point: "", next: "no request\r\n\r\n" },
  { what: "load that is shed before it is read", point: abortDispatch, next: "GET" },
  {
    what: "load that is shed with its head",
    point: decodeHeaders,
    next: "GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n",
  },
]) {
  test(`who takes nothing is given up after delayed_close_timeout where that is the end: ${what}`, async (t) => {
    const overload = point === "" ? {} : crowdedShedding(2, point.replace("envoy.load_shed_points.", ""));
    const [proxy, upstream] = await start(t, { stream_idle_timeout: "600s" }, undefined, overload);
    const slow = await askWithoutReading(proxy, upstream);
    if (point !== "") await crowd(t, proxy, `overload.${point}.scale_percent`);
    await slow.send(next);
    // The one that made the crowd stays.
    await proxy.untilStat("http.web.downstream_cx_active", point === "" ? 0 : 1);
    assert.ok((await readRest(slow)) < bytes);
  });
}

/** A client whose answer waits for nothing but its reading. */
async function askByHttp2(t: TestContext, proxy: TestProxy, upstream: RawServer): Promise<RawPeer> {
  const client = await connectRaw(proxy.port("web"));
  t.after(() => client.socket.destroy());
  client.socket.pause();
  const initialWindowSize = 4;
  client.socket.write(Buffer.concat([preface, settings([initialWindowSize, 0x7fffffff]), windowUpdate(0, 0x7fff0000)]));
  client.socket.write(request(1, "/"));
  await answer(await upstream.next(), bytes);
  await proxy.whenBalanced();
  return client;
}

for (const { what, point } of [
  { what: "a violation of the protocol", point: "" },
  { what: "load that is shed", point: "envoy.load_shed_points.http2_server_go_away_and_close_on_dispatch" },
]) {
  test(`HTTP/2: who takes nothing is given up after delayed_close_timeout where that is the end: ${what}`, async (t) => {
    const overload = point === "" ? {} : crowdedShedding(2, point.replace("envoy.load_shed_points.", ""));
    const [proxy, upstream] = await start(t, { stream_idle_timeout: "600s" }, undefined, overload);
    const slow = await askByHttp2(t, proxy, upstream);
    if (point !== "") await crowd(t, proxy, `overload.${point}.scale_percent`);
    // No stream's window may be opened by nothing; where load is shed it is not even looked at.
    slow.socket.write(windowUpdate(0, 0));
    await proxy.untilStat("http.web.downstream_cx_active", point === "" ? 0 : 1);
    assert.ok((await readRest(slow)) < bytes);
  });
}

test("HTTP/2: a client that opens its windows and takes nothing is given up after stream_idle_timeout and idle_timeout", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const short = "0.05s";
  const manager = {
    common_http_protocol_options: { idle_timeout: short },
    delayed_close_timeout: short,
    drain_timeout: short,
    stream_idle_timeout: short,
  };
  const web = httpListener({ name: "web", manager, routes: [route("/", "up", { timeout: "0s", idle_timeout: "0s" })] });
  const proxy = await TestProxy.start(bootstrap([web], [cluster("up", [upstream.port])]));
  t.after(() => proxy[Symbol.asyncDispose]());
  const client = await connectRaw(proxy.port("web"));
  t.after(() => client.socket.destroy());
  client.socket.pause();
  const initialWindowSize = 4;
  client.socket.write(Buffer.concat([preface, settings([initialWindowSize, 0x7fffffff]), windowUpdate(0, 0x7fff0000)]));
  client.socket.write(request(1, "/"));
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await peer.send(`HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`);
  peer.socket.write(Buffer.alloc(bytes, "x"));
  await proxy.untilStat("http.web.downstream_cx_active", 1);
  await proxy.untilStat("http.web.downstream_cx_active", 0);
  await proxy.whenBalanced();
});

async function startWithChains(t: TestContext): Promise<[TestProxy, RawServer, replaceChain: () => Promise<unknown>]> {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const upstream = open.use(await startRawServer());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const push = (chain: object): Promise<unknown> =>
    controlPlane.synced(
      controlPlane.set({
        [LISTENER_TYPE]: [httpListener({ name: "web", routes: [route("/", "up")], chain: { ...chain }, listener })],
        [CLUSTER_TYPE]: [cluster("up", [upstream.port])],
      }),
    );
  void push({});
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  return [proxy, upstream, () => push({ filter_chain_match: { transport_protocol: "raw_buffer" } })];
}

test("a client that reads slowly gets its answer whole when its filter chain goes", async (t) => {
  const [proxy, upstream, replaceChain] = await startWithChains(t);
  const slow = await askWithoutReading(proxy, upstream);
  await replaceChain();
  assert.ok((await readRest(slow)) > bytes);
});

test("HTTP/2: an answer that waits for the client's window arrives whole when the filter chain goes", async (t) => {
  const [proxy, upstream, replaceChain] = await startWithChains(t);
  const session = connectHttp2(`http://127.0.0.1:${proxy.port("web")}`);
  t.after(() => session.destroy());
  const stream = session.request({ ":path": "/" });
  await answer(await upstream.next(), 100_000);
  await once(stream, "response");
  await proxy.whenBalanced();
  await replaceChain();
  let received = 0;
  for await (const chunk of stream) received += (chunk as Buffer).length;
  assert.equal(received, 100_000);
});
