import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { after, before, test, type TestContext } from "node:test";
import { connectRaw, type RawPeer, type RawServer, startRawServer, ThrowawayCa } from "@heddle/testkit";
import { WebSocket, WebSocketServer } from "ws";
import {
  bootstrap,
  clientTls,
  cluster,
  httpListener,
  protocolOptions,
  route,
  serverTls,
} from "../testing/bootstrap-json.ts";
import { carriedCluster, carrierListeners, chainsOf } from "../testing/carrier-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// What HTTP/1.1 can do besides a request and its answer, on connections by themselves and inside carriers.

type Json = Record<string, unknown>;

const uri = "spiffe://cluster.local/ns/shop/sa/web";
const ways = ["own", "virtual"] as const;
/** So many at once, on a listener of its own, ride by themselves. */
const from = 4;
/** More than kernels, windows and queues hold on the way; far less than a process has. */
const bytes = 64 * 1024 * 1024;
const content = Buffer.alloc(bytes, "0123456789abcdef!");

let app: Server;
let raw: RawServer;
let sockets: WebSocketServer;
let inbound: TestProxy;
let outbound: TestProxy;

const keepsTrailers = { http_protocol_options: { enable_trailers: true } };
const http1 = { explicit_http_config: keepsTrailers };

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.on("end", () => {
    switch (request.url) {
      case "/trailers":
        response.writeHead(200, { trailer: "x-sum" });
        response.write(request.trailers["x-sum"]);
        response.addTrailers({ "x-sum": "of the answer" });
        return response.end();
      case "/hints":
        return response.writeEarlyHints({ link: "</style.css>; rel=preload" }, () => response.end("hinted"));
      default:
        response.setHeader("content-length", 5);
        return response.end("whole");
    }
  });
  request.resume();
}

before(async () => {
  app = createServer(answer).listen(0, "127.0.0.1");
  sockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  await Promise.all([once(app, "listening"), once(sockets, "listening")]);
  sockets.on("connection", (socket) =>
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary })),
  );
  raw = await startRawServer();
  const ca = await ThrowawayCa.create();
  const material = { ...(await ca.issue(uri)), anchorsPem: ca.certificatePem };
  const manager = { ...keepsTrailers, upgrade_configs: [{ upgrade_type: "websocket" }] };
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    route("/socket", "sockets"),
    route("/raw", "raw", { timeout: "0s" }),
    route("/", "app"),
  ];
  inbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "direct",
          direction: "INBOUND",
          routes,
          manager,
          transportSocket: serverTls(material, {}, ["istio-http/1.1"]),
        }),
        ...carrierListeners({
          filterChains: chainsOf(httpListener({ name: "inside", routes, manager })),
          transportSocket: serverTls(material, {}, ["h2"]),
        }),
      ],
      [
        cluster("app", [(app.address() as AddressInfo).port], protocolOptions(http1)),
        cluster("sockets", [(sockets.address() as AddressInfo).port]),
        cluster("raw", [raw.port]),
      ],
    ),
  );
  const endpoints = [{ own: inbound.port("direct"), carriers: inbound.port("carriers") }];
  const carried = (name: string, min_concurrent_requests: number): Json => {
    const made = carriedCluster({
      name,
      endpoints,
      carrierSocket: clientTls(material, uri, ["h2"]),
      options: { min_concurrent_requests },
      more: { transport_socket: clientTls(material, uri, ["istio-http/1.1"]) },
    });
    const { typed_extension_protocol_options: tunnel } = made;
    return { ...made, ...protocolOptions(http1, tunnel as Readonly<Record<string, Json>>) };
  };
  outbound = await TestProxy.start(
    bootstrap(
      ["own", "virtual", "few"].map((name) =>
        httpListener({ name, direction: "OUTBOUND", routes: [route("/", name, { timeout: "0s" })], manager }),
      ),
      [carried("own", 1000), carried("virtual", 0), carried("few", from)],
    ),
  );
});

after(async () => {
  for (const client of sockets?.clients ?? []) client.terminate();
  sockets?.close();
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  await raw?.[Symbol.asyncDispose]();
  app?.closeAllConnections();
  app?.close();
});

/** Connections that the inner proxy has taken so far, by themselves and inside carriers. */
function taken(): { own: number; virtual: number } {
  const total = (prefix: string): number =>
    inbound.generation.metrics.total("envoy_http_downstream_cx_http1_total", {
      envoy_http_conn_manager_prefix: prefix,
    });
  return { own: total("direct"), virtual: total("inside") };
}

async function openSocket(listener: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${outbound.port(listener)}/socket`);
  await once(socket, "open");
  return socket;
}

/** Sends and gets back; then both sides close in order. */
async function echoThrough(socket: WebSocket): Promise<void> {
  const binary = Buffer.alloc(300_000, "0123456789");
  for (const sent of ["hello", binary]) {
    socket.send(sent);
    const [got, isBinary] = (await once(socket, "message")) as [Buffer, boolean];
    assert.deepEqual([isBinary, Buffer.compare(got, Buffer.from(sent))], [sent === binary, 0]);
  }
  socket.close(4001, "bye");
  assert.equal((await once(socket, "close"))[0], 4001);
}

test("a WebSocket rides by itself while few requests are in progress, and inside a carrier when many are", async () => {
  const earlier = taken();
  const open: WebSocket[] = [];
  for (let count = 0; count < from + 2; count += 1) open.push(await openSocket("few"));
  const { own, virtual } = taken();
  assert.deepEqual({ own: own - earlier.own, virtual: virtual - earlier.virtual }, { own: from - 1, virtual: 3 });
  for (const socket of open) await echoThrough(socket);
  await outbound.whenBalanced();
  await inbound.whenBalanced();
});

/** A connection to a listener, for the time of a test. */
async function connected(t: TestContext, way: string): Promise<RawPeer> {
  const client = await connectRaw(outbound.port(way));
  t.after(() => client[Symbol.asyncDispose]());
  return client;
}

/** What comes back for a request. */
async function exchange(t: TestContext, way: string, request: string, last: string): Promise<string> {
  const client = await connected(t, way);
  await client.send(request);
  return client.until(last);
}

/** Without what tells the moment. */
function lasting(text: string): string {
  return text.replaceAll(/\r\n(date|x-envoy-upstream-service-time): [^\r]*/g, "");
}

for (const { what, request, last, expected } of [
  {
    what: "trailers of a request and of its answer",
    request:
      "POST /trailers HTTP/1.1\r\nhost: x\r\nte: trailers\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: of the request\r\n\r\n",
    last: "x-sum: of the answer\r\n\r\n",
    expected: /\r\n\r\ne\r\nof the request\r\n0\r\nx-sum: of the answer\r\n\r\n$/,
  },
  {
    what: "the answer to HEAD, whose length is of nothing, and the one behind it",
    request: "HEAD / HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n",
    last: "whole",
    expected: /^HTTP\/1.1 200 OK\r\n[^]*content-length: 5\r\n[^]*\r\n\r\nHTTP\/1.1 200 OK\r\n[^]*\r\n\r\nwhole$/,
  },
  {
    what: "103 before the answer",
    request: "GET /hints HTTP/1.1\r\nhost: x\r\n\r\n",
    last: "hinted",
    expected: /^HTTP\/1.1 103 Early Hints\r\nlink: <\/style.css>; rel=preload\r\n\r\nHTTP\/1.1 200 OK\r\n/,
  },
] as const) {
  test(`inside a carrier comes what comes on a connection by itself: ${what}`, async (t) => {
    const [own, virtual] = await Promise.all(ways.map(async (way) => lasting(await exchange(t, way, request, last))));
    assert.match(own ?? "", expected);
    assert.equal(virtual, own);
  });
}

for (const way of ways) {
  test(`a body that is awaited comes after 100, and an answer that its connection ends is whole: ${way}`, async (t) => {
    const client = await connected(t, way);
    await client.send("POST /raw HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n");
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1.1 100 Continue\r\n/);
    await client.send("body");
    const application = await raw.next();
    await application.until("body");
    await application.send(`HTTP/1.1 200 OK\r\n\r\n${"x".repeat(300_000)}`);
    application.end();
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1.1 200 OK\r\n[^]*transfer-encoding: chunked\r\n/);
    const chunks = await client.until("\r\n0\r\n\r\n");
    assert.equal(chunks.replaceAll(/[^x]/g, "").length, 300_000);
  });
}

/** Resolves when the same workers have answered many requests on the same way during which nothing more left `socket`, with what is still in it. */
async function stalled(way: string, socket: Socket): Promise<number> {
  for (let before = -1, turns = 0; turns < 50; turns += 1) {
    const response = await fetch(`http://127.0.0.1:${outbound.port(way)}/direct`);
    assert.equal(await response.text(), "direct");
    if (socket.writableLength !== before) turns = 0;
    before = socket.writableLength;
    if (before === 0) return 0;
  }
  return socket.writableLength;
}

/** The digest of so many bytes that come from now on, behind a head that was read. */
async function digestOf({ socket }: RawPeer, early: string, count: number): Promise<string> {
  const hash = createHash("sha256").update(Buffer.from(early, "latin1"));
  let left = count - early.length;
  socket.removeAllListeners("data");
  const whole = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      left -= chunk.length;
      if (left <= 0) resolve();
    });
  });
  socket.resume();
  if (left > 0) await whole;
  return hash.digest("hex");
}

const digest = createHash("sha256").update(content).digest("hex");

for (const way of ways) {
  test(`an application that reads nothing stops the client, and gets every byte when it reads: ${way}`, async (t) => {
    const client = await connected(t, way);
    await client.send(`POST /raw HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\n\r\n`);
    const application = await raw.next();
    await application.until("\r\n\r\n");
    application.socket.pause();
    client.socket.write(content);
    assert.ok((await stalled(way, client.socket)) > bytes / 4, "most of it is still with the client");
    assert.equal(await digestOf(application, application.take(application.received.length), bytes), digest);
    application.socket.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1.1 204 /);
  });

  test(`a client that reads nothing stops the application, and gets every byte when it reads: ${way}`, async (t) => {
    const client = await connected(t, way);
    await client.send("GET /raw HTTP/1.1\r\nhost: x\r\n\r\n");
    const application = await raw.next();
    await application.until("\r\n\r\n");
    await application.send(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${bytes}\r\n\r\n`);
    await client.until("\r\n\r\n");
    client.socket.pause();
    application.socket.end(content);
    assert.ok((await stalled(way, application.socket)) > bytes / 4, "most of it is still with the application");
    assert.equal(await digestOf(client, client.take(client.received.length), bytes), digest);
  });
}
