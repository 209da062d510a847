import assert from "node:assert/strict";
import { once } from "node:events";
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { connect, constants } from "node:http2";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { EventWaiter } from "@heddle/testkit";
import { HeaderList } from "../header-list.ts";
import type { SocketConnection, TestServer } from "../testing/http2-socket.ts";
import { BodySender, startServer } from "../testing/http2-socket.ts";
import type { Http2Limits } from "./limits.ts";

// The judge is node:http2 (nghttp2) as the client; our codec is the server.

interface Meeting {
  server: TestServer;
  session: ClientHttp2Session;
  changed: EventWaiter;
}

/** A server that sends back what it gets, with the request's trailers. */
async function meet(t: TestContext, limits: Partial<Http2Limits> = {}): Promise<Meeting> {
  const changed = new EventWaiter();
  const senders = new Map<string, BodySender>();
  const server = await startServer(limits, {
    onEvent: (connection, id, event) => {
      const key = `${server.connections.indexOf(connection)} ${id}`;
      if (event === "onRequest") onRequest(connection, id);
      if (event === "onHeadersTooLarge") connection.codec.sendHead(id, 431, HeaderList.of(), true);
      const stream = connection.stream(id);
      if ((event === "onRequest" || event === "onEnd") && stream.isEnded && stream.request?.path !== "/hang") {
        const sender = new BodySender(connection, id, Buffer.concat(stream.body), stream.trailers);
        senders.set(key, sender);
        sender.more();
      }
      if (event === "onWritable") senders.get(key)?.more();
      changed.notify();
    },
  });
  t.after(() => server.close());
  const session = connect(`http://127.0.0.1:${server.port}`, { settings: { enablePush: false } });
  session.on("error", () => changed.notify());
  t.after(() => session.destroy());
  await once(session, "remoteSettings");
  return { server, session, changed };
}

function onRequest({ codec, streams }: SocketConnection, id: number): void {
  const head = streams.get(id)?.request;
  if (head === undefined || head.path === "/hang") return;
  if (head.path === "/early") codec.sendHead(id, 103, HeaderList.of(["link", "</a>"]), false);
  const headers = HeaderList.of(["x-method", head.method], ["x-path", head.path], ["x-authority", head.authority]);
  for (const name of ["cookie", "x-test"]) {
    const value = head.headers.get(name);
    if (value !== undefined) headers.append(`seen-${name}`, value);
  }
  codec.sendHead(id, 200, headers, head.method === "HEAD");
}

async function answer(
  stream: ClientHttp2Stream,
): Promise<{ headers: IncomingHttpHeaders; body: Buffer; trailers: IncomingHttpHeaders }> {
  let headers: IncomingHttpHeaders = {};
  let trailers: IncomingHttpHeaders = {};
  const body: Buffer[] = [];
  stream.on("response", (received) => {
    headers = received;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.on("data", (bytes: Buffer) => body.push(bytes));
  await once(stream, "close");
  return { headers, body: Buffer.concat(body), trailers };
}

test("node:http2 gets answers for GET, HEAD and OPTIONS, with fields as it sent them", async (t) => {
  const { session } = await meet(t);
  const value = "\xe9~ value";
  for (const [method, path] of [
    ["GET", "/a?b=c"],
    ["HEAD", "/h"],
    ["OPTIONS", "*"],
  ] as const) {
    const request: OutgoingHttpHeaders = { ":method": method, ":path": path, cookie: ["a=1", "b=2"], "x-test": value };
    const { headers } = await answer(session.request(request, { endStream: true }));
    assert.deepEqual(
      [headers[":status"], headers["x-method"], headers["x-path"], headers["seen-cookie"], headers["seen-x-test"]],
      [200, method, path, "a=1; b=2", value],
    );
  }
});

test("node:http2 gets back a body that is larger than every window, with trailers", async (t) => {
  const { session } = await meet(t, { connectionWindowBytes: 100_000, streamWindowBytes: 20_000 });
  const sent = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 7) & 0xff));
  const stream = session.request({ ":method": "POST", ":path": "/" }, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
  stream.end(sent);
  const { body, trailers } = await answer(stream);
  assert.ok(body.equals(sent));
  assert.equal(trailers["x-sum"], "1");
});

test("node:http2 has a thousand requests answered on one connection, beyond the stream limit at once", async (t) => {
  const { server, session } = await meet(t);
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async (_, i) => {
      const stream = session.request({ ":method": "POST", ":path": `/${i}`, "x-test": `${i % 50}` });
      stream.end(`body ${i}`);
      return answer(stream);
    }),
  );
  for (const [i, { headers, body }] of answers.entries()) {
    assert.equal(headers["x-path"], `/${i}`);
    assert.equal(body.toString(), `body ${i}`);
  }
  assert.equal(server.connections[0]?.codec.streamCount, 0);
});

test("node:http2 sees an early hint before the answer", async (t) => {
  const { session } = await meet(t);
  const stream = session.request({ ":path": "/early" });
  const early: unknown[] = [];
  stream.on("headers", (headers) => early.push(headers[":status"]));
  const { headers } = await answer(stream);
  assert.deepEqual([early, headers[":status"]], [[103], 200]);
});

test("a stream that node:http2 resets is gone, and the others go on", async (t) => {
  const { server, session, changed } = await meet(t);
  const hanging = session.request({ ":path": "/hang" });
  hanging.on("error", () => undefined);
  await changed.until("the request", () => server.connections[0]?.streams.has(1) === true);
  hanging.close(constants.NGHTTP2_CANCEL);
  await changed.until("the reset", () => server.connections[0]?.stream(1).reset === constants.NGHTTP2_CANCEL);
  assert.equal((await answer(session.request({ ":path": "/" }))).headers[":status"], 200);
});

test("a reset of ours is seen by node:http2 with its code", async (t) => {
  const { server, session, changed } = await meet(t);
  const hanging = session.request({ ":path": "/hang" });
  const failed = once(hanging, "error");
  await changed.until("the request", () => server.connections[0]?.streams.has(1) === true);
  server.connections[0]?.codec.resetStream(1, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  server.connections[0]?.flush();
  await failed;
  assert.equal(hanging.rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test("fields beyond the limits are answered with 431", async (t) => {
  const { session } = await meet(t, { maxHeaders: 10 });
  const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x-${i}`, "1"]));
  assert.equal((await answer(session.request(many))).headers[":status"], 431);
  assert.equal((await answer(session.request({ ":path": "/" }))).headers[":status"], 200);
});

test("pings are answered in both directions", async (t) => {
  const { server, session, changed } = await meet(t);
  await new Promise<void>((resolve, reject) =>
    session.ping((error, _, payload) =>
      error === null && payload.length === 8 ? resolve() : reject(error ?? new Error("no payload")),
    ),
  );
  const [connection] = server.connections;
  connection?.codec.ping(Buffer.from("12345678"));
  connection?.flush();
  await changed.until("the answer to a ping", () => connection?.pongs === 1);
});

test("a graceful shutdown lets node:http2 finish what it has begun", async (t) => {
  const { server, session, changed } = await meet(t);
  const stream = session.request({ ":method": "POST", ":path": "/" });
  stream.write("begun");
  await changed.until("the body", () => (server.connections[0]?.stream(1).body.length ?? 0) > 0);
  const [connection] = server.connections;
  connection?.codec.shutdown();
  connection?.flush();
  await once(session, "goaway");
  stream.end(" and ended");
  assert.equal((await answer(stream)).body.toString(), "begun and ended");
  await changed.until("the drain", () => connection?.codec.isDrained === true);
});

test("a change of node:http2's window and table size is followed", async (t) => {
  const { session } = await meet(t);
  for (const change of [
    { initialWindowSize: 10 },
    { headerTableSize: 0 },
    { initialWindowSize: 100_000, headerTableSize: 8192 },
  ]) {
    await new Promise<void>((resolve) => session.settings(change, () => resolve()));
    const stream = session.request({ ":method": "POST", ":path": "/", "x-test": JSON.stringify(change) });
    stream.end("x".repeat(50_000));
    const { headers, body } = await answer(stream);
    assert.deepEqual([headers["seen-x-test"], body.length], [JSON.stringify(change), 50_000]);
  }
});
