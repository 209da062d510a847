import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectRaw, type RawPeer, type RawServer, startRawServer } from "@heddle/testkit";
import { WebSocket, WebSocketServer } from "ws";
import { bootstrap, cluster, http2Cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// Switching protocols: WebSocket clients and servers that nobody here wrote, on HTTP/1.1 and HTTP/2, and raw bytes.

const faultType = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
const delay = { fixed_delay: "0.02s", percentage: { numerator: 100, denominator: "HUNDRED" } };

let folder: string;
let app: WebSocketServer;
let raw: RawServer;
/** Takes extended CONNECT and sends every byte back. */
const http2App = createHttp2Server({ settings: { enableConnectProtocol: true } });
/** Speaks HTTP/2 without it. */
const plainHttp2App = createHttp2Server();
let proxy: TestProxy;
let session: ClientHttp2Session;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-websocket-"));
  app = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: (offered) => [...offered][0] ?? false });
  await once(app, "listening");
  app.on("connection", (socket) => {
    socket.on("message", (data, isBinary) => {
      if ((data as Buffer).toString() === "bye") socket.close(4001, "as you wish");
      else socket.send(data, { binary: isBinary });
    });
  });
  raw = await startRawServer();
  let isFirst = true;
  http2App.on("stream", (accepted, headers) => {
    const stream = accepted as ServerHttp2Stream;
    stream.on("error", () => stream.destroy());
    if (headers[":path"] === "/h2/second" && isFirst) {
      isFirst = false;
      return stream.respond({ ":status": 503 }, { endStream: true });
    }
    if (headers[":protocol"] !== "websocket") return stream.respond({ ":status": 400 }, { endStream: true });
    stream.respond({ ":status": 200, "x-key": headers["sec-websocket-key"] ?? "none" });
    stream.on("end", () => stream.end());
    // A server's frames are not masked: of what a client sent only its text is sent back.
    stream.on("data", (frame: Buffer) => {
      const mask = frame.subarray(2, 6);
      const text = frame.subarray(6).map((byte, index) => byte ^ mask[index % 4]!);
      stream.write(Buffer.concat([Buffer.from([0x81, text.length]), text]));
    });
  });
  for (const server of [http2App, plainHttp2App]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  const portOf = (server: { address(): string | AddressInfo | null }): number => (server.address() as AddressInfo).port;
  const websocket = { upgrade_configs: [{ upgrade_type: "websocket" }] };
  const routes = [
    route("/off", "app", { upgrade_configs: [{ upgrade_type: "websocket", enabled: false }] }),
    route("/raw", "raw", { upgrade_configs: [{ upgrade_type: "Echo" }], timeout: "0.05s" }),
    route("/idle", "raw", { idle_timeout: "0.05s", timeout: "0s" }),
    route("/late", "raw", { timeout: "0.05s" }, { typed_per_filter_config: { fault: { "@type": faultType, delay } } }),
    route("/h2/second", "h2", { retry_policy: { retry_on: "5xx", num_retries: 1 } }),
    route("/h2", "h2"),
    route("/mute", "mute"),
    route("/plain-h2", "plain-h2"),
    route("/", "app", { timeout: "0.05s" }),
  ];
  const log = accessLog(join(folder, "access.log"), "%REQ(:PATH)% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT%");
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "web",
          routes,
          filters: [{ name: "fault", typed_config: { "@type": faultType } }],
          manager: { ...websocket, ...log, http2_protocol_options: { allow_connect: true } },
        }),
        httpListener({ name: "none", routes }),
        httpListener({ name: "http2-without", routes, manager: websocket }),
      ],
      [
        cluster("app", [portOf(app)]),
        cluster("raw", [raw.port]),
        cluster("h2", [portOf(http2App)], http2Cluster()),
        cluster("mute", [raw.port], { ...http2Cluster(), connect_timeout: "0.1s" }),
        cluster("plain-h2", [portOf(plainHttp2App)], http2Cluster()),
      ],
    ),
  );
  session = connectHttp2(`http://127.0.0.1:${proxy.port("web")}`);
  await once(session, "remoteSettings");
});

after(async () => {
  session?.destroy();
  for (const client of app?.clients ?? []) client.terminate();
  app?.close();
  await proxy?.[Symbol.asyncDispose]();
  await raw?.[Symbol.asyncDispose]();
  http2App.close();
  plainHttp2App.close();
  await rm(folder, { recursive: true, force: true });
});

async function opened(path: string, protocols: string[] = []): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port("web")}${path}`, protocols);
  await once(socket, "open");
  return socket;
}

async function echo(socket: WebSocket, data: string | Buffer): Promise<Buffer> {
  socket.send(data);
  const [answer] = (await once(socket, "message")) as [Buffer];
  return answer;
}

/** The status that a WebSocket client is refused with. */
async function refusal(listener: string, path: string): Promise<number | undefined> {
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port(listener)}${path}`);
  socket.on("error", () => socket.terminate());
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode?: number }];
  socket.terminate();
  return response.statusCode;
}

async function rawUpgrade(path: string, early = ""): Promise<RawPeer> {
  const client = await connectRaw(proxy.port("web"));
  await client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: ECHO\r\n\r\n${early}`);
  return client;
}

const key = "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";

test("a WebSocket client and its server speak through the proxy: text, binary, pings, subprotocol and close", async () => {
  const socket = await opened("/chat", ["v2.chat"]);
  assert.equal(socket.protocol, "v2.chat");
  assert.equal(String(await echo(socket, "hello")), "hello");
  const large = Buffer.alloc(1_000_000, "binary ");
  assert.ok((await echo(socket, large)).equals(large));
  socket.ping("are you there");
  assert.equal(String((await once(socket, "pong"))[0]), "are you there");
  socket.send("bye");
  assert.deepEqual((await once(socket, "close")).map(String), ["4001", "as you wish"]);
  await untilLogged(join(folder, "access.log"), "/chat 101 1000");
  await proxy.whenBalanced();
  assert.ok(proxy.generation.metrics.total("envoy_http_downstream_cx_upgrades_total") > 0);
});

test("only what the listener or the route names is switched to, and the route wins", async () => {
  assert.equal(await refusal("none", "/chat"), 403);
  assert.equal(await refusal("web", "/off"), 403);
  const client = await connectRaw(proxy.port("none"));
  await client.send("GET /raw HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  const peer = await raw.next();
  assert.match(await peer.until("\r\n\r\n"), /\r\nconnection: Upgrade\r\nupgrade: echo\r\n/);
  await peer.send(switching);
  assert.match((await client.response({ head: true })).head, /^HTTP\/1\.1 101 /);
  client.socket.destroy();
  await peer.untilEnd();
  peer.end();
  await proxy.whenBalanced();
});

test("an upstream that does not switch answers as ever, and the connection ends", async () => {
  const client = await rawUpgrade("/raw");
  const peer = await raw.next();
  await peer.until("\r\n\r\n");
  await peer.send(
    "HTTP/1.1 426 Upgrade Required\r\nconnection: close, upgrade\r\nupgrade: other\r\ncontent-length: 5\r\n\r\nother",
  );
  const answer = await client.untilEnd();
  assert.match(answer, /^HTTP\/1\.1 426 [^]*\r\nconnection: close\r\n[^]*\r\n\r\nother$/);
});

test("a request with a body is not switched", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send(
    "POST /raw HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\ncontent-length: 3\r\n\r\nabc",
  );
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 403 /);
});

test("a request that says that it has no body is switched, whatever its method: kubectl asks for SPDY so", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send(
    "POST /raw HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\ncontent-length: 0\r\n\r\n",
  );
  const peer = await raw.next();
  assert.match(await peer.until("\r\n\r\n"), /^POST \/raw HTTP\/1\.1\r\n/);
  await peer.send(switching);
  await client.until("\r\n\r\n");
  await client.send("ping");
  await peer.until("ping");
  client.end();
  await peer.untilEnd();
  peer.end();
  await proxy.whenBalanced();
});

test("bytes that the client sends too early wait for the switch; each side's end is passed on", async () => {
  const client = await rawUpgrade("/raw", "early ");
  const peer = await raw.next();
  assert.doesNotMatch(await peer.until("\r\n\r\n"), /early/);
  assert.equal(peer.received, "");
  await peer.send(`${switching}welcome `);
  assert.match(await client.until("welcome "), /^HTTP\/1\.1 101 Switching Protocols\r\n/);
  await client.send("late");
  client.end();
  assert.equal(await peer.untilEnd(), "early late");
  await peer.send("rest");
  peer.end();
  assert.equal(await client.untilEnd(), "rest");
  await proxy.whenBalanced();
});

test("the route's timeout does not cut what was switched; its idle timeout does", async () => {
  const socket = await opened("/chat");
  // Another request of the same route takes longer than the timeout.
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET /raw HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.match((await client.response()).head, /^HTTP\/1\.1 504 /);
  client.socket.destroy();
  assert.equal(String(await echo(socket, "still here")), "still here");
  socket.terminate();
  (await raw.next()).socket.destroy();

  const idle = await connectRaw(proxy.port("web"));
  await idle.send(`GET /idle HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n${key}\r\n`);
  const peer = await raw.next();
  await peer.until("\r\n\r\n");
  await peer.send(switching.replace("echo", "websocket"));
  await idle.until("\r\n\r\n");
  await idle.untilEnd();
  await peer.untilEnd();
});

test("the route's timeout does not cut what was switched after an injected delay, either", async () => {
  const switched = await connectRaw(proxy.port("web"));
  await switched.send(`GET /late HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n${key}\r\n`);
  const peer = await raw.next();
  await peer.until("\r\n\r\n");
  await peer.send(switching.replace("echo", "websocket"));
  await switched.until("\r\n\r\n");
  const plain = await connectRaw(proxy.port("web"));
  await plain.send("GET /late HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.match((await plain.response()).head, /^HTTP\/1\.1 504 /);
  plain.socket.destroy();
  (await raw.next()).socket.destroy();
  await peer.send("still here");
  assert.equal(await switched.until("still here"), "still here");
  switched.end();
  await peer.untilEnd();
  peer.end();
  await proxy.whenBalanced();
});

/** A masked text frame, as clients must send them. */
function frame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
}

test("WebSocket comes in by HTTP/2's extended CONNECT and goes out as HTTP/1.1", async () => {
  assert.equal(session.remoteSettings.enableConnectProtocol, true);
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/chat",
    ":authority": "shop.example",
    "sec-websocket-version": "13",
  });
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  assert.equal(headers[":status"], 200);
  for (const name of ["sec-websocket-accept", "connection", "upgrade"]) assert.ok(!(name in headers), name);
  stream.write(frame("hello"));
  const [answer] = (await once(stream, "data")) as [Buffer];
  assert.deepEqual(answer, Buffer.concat([Buffer.from([0x81, 5]), Buffer.from("hello")]));
  stream.close();
  await once(stream, "close");
  await proxy.whenBalanced();
});

/** An extended CONNECT, and what a server of HTTP/1.1 by hand answers to the request that becomes of it. */
async function answered(answer: (request: string) => string): Promise<Record<string, unknown>> {
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/idle",
    ":authority": "shop.example",
    "sec-websocket-version": "13",
  });
  const peer = await raw.next();
  await peer.send(answer(await peer.until("\r\n\r\n")));
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  stream.resume();
  stream.close();
  await once(stream, "close");
  await peer.untilEnd();
  peer.end();
  await proxy.whenBalanced();
  return headers;
}

test("a server of HTTP/1.1 that ignores the offer has not switched, whatever it answers to the GET", async () => {
  const found = await answered(() => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
  assert.equal(found[":status"], 502);
  const elsewhere = await answered(() => "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  assert.equal(elsewhere[":status"], 404);
});

for (const { what, field } of [
  { what: "another key", field: "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" },
  { what: "no key", field: "" },
]) {
  test(`a server that proves to have understood ${what} has not understood the key that the proxy made`, async () => {
    const head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
    assert.equal((await answered(() => `${head}${field}\r\n`))[":status"], 502);
  });
}

test("WebSocket goes out by HTTP/2's extended CONNECT, and the client gets its proof", async () => {
  // The client's library refuses a handshake whose sec-websocket-accept is wrong.
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port("web")}/h2`);
  const [[response]] = (await Promise.all([once(socket, "upgrade"), once(socket, "open")])) as [
    [{ headers: Record<string, string> }],
    unknown,
  ];
  assert.equal(response.headers["x-key"], "none", "HTTP/2 has no key");
  assert.equal(String(await echo(socket, "over HTTP/2")), "over HTTP/2");
  socket.terminate();
  await proxy.whenBalanced();
});

test("WebSocket comes in and goes out by HTTP/2's extended CONNECT: frames both ways, and each side's end", async () => {
  const stream = session.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":scheme": "http",
    ":path": "/h2/both",
    ":authority": "shop.example",
    "sec-websocket-version": "13",
  });
  const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
  assert.equal(headers[":status"], 200);
  for (const text of ["first", "second"]) {
    stream.write(frame(text));
    const [answer] = (await once(stream, "data")) as [Buffer];
    assert.deepEqual(answer, Buffer.concat([Buffer.from([0x81, text.length]), Buffer.from(text)]));
  }
  // The server ends its half when the client has ended its own.
  stream.end();
  await once(stream, "end");
  await once(stream, "close");
  assert.equal(stream.rstCode, 0);
  await proxy.whenBalanced();
});

test("a WebSocket client and its server speak across a proxy with HTTP/2 on both sides", async (t) => {
  // The client's library and the server's know HTTP/1.1 alone: the proxies beside them make HTTP/2 of it, and HTTP/1.1 again.
  const start = async (port: number, upstreamIsHttp2: boolean): Promise<TestProxy> => {
    const manager = {
      upgrade_configs: [{ upgrade_type: "websocket" }],
      http2_protocol_options: { allow_connect: true },
    };
    const next = cluster("next", [port], upstreamIsHttp2 ? http2Cluster() : {});
    const started = await TestProxy.start(
      bootstrap([httpListener({ name: "web", routes: [route("/", "next")], manager })], [next]),
    );
    t.after(() => started[Symbol.asyncDispose]());
    return started;
  };
  const last = await start((app.address() as AddressInfo).port, false);
  const middle = await start(last.port("web"), true);
  const first = await start(middle.port("web"), true);
  const socket = new WebSocket(`ws://127.0.0.1:${first.port("web")}/chat`);
  await once(socket, "open");
  assert.equal(String(await echo(socket, "hello")), "hello");
  const large = Buffer.alloc(1_000_000, "binary ");
  assert.ok((await echo(socket, large)).equals(large));
  socket.ping("are you there");
  assert.equal(String((await once(socket, "pong"))[0]), "are you there");
  socket.send("bye");
  assert.deepEqual((await once(socket, "close")).map(String), ["4001", "as you wish"]);
  for (const each of [first, middle, last]) await each.whenBalanced();
  const total = (name: string): number => middle.generation.metrics.total(`envoy_http_downstream_cx_${name}_total`);
  assert.deepEqual([total("http2"), total("http1"), total("upgrades")], [1, 0, 1]);
  assert.equal(last.generation.metrics.total("envoy_http_downstream_cx_http2_total"), 1);
});

test("a handshake that is tried again over HTTP/2 has the client's proof", async () => {
  const socket = await opened("/h2/second");
  assert.equal(String(await echo(socket, "at last")), "at last");
  socket.terminate();
  await proxy.whenBalanced();
});

test("an upstream that never says its SETTINGS is given up after the time for connecting", {
  timeout: 20_000,
}, async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port("web")}/mute`);
  socket.on("error", () => socket.terminate());
  const peer = await raw.next();
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode?: number }];
  socket.terminate();
  assert.equal(response.statusCode, 503);
  await peer.untilEnd();
  await proxy.whenBalanced();
});

test("a server that does not take extended CONNECT is told apart from one that refuses", async () => {
  assert.equal(await refusal("web", "/plain-h2"), 502);
});

test("extended CONNECT is not announced where the listener does not allow it", async () => {
  const other = connectHttp2(`http://127.0.0.1:${proxy.port("http2-without")}`);
  other.on("error", () => other.destroy());
  await once(other, "remoteSettings");
  assert.equal(other.remoteSettings.enableConnectProtocol ?? false, false);
  other.destroy();
});
