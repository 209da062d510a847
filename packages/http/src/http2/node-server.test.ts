import assert from "node:assert/strict";
import type {
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
  ServerOptions,
} from "node:http2";
import { constants, createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { EventWaiter } from "@heddle/testkit";
import { HeaderList } from "../header-list.ts";
import type { SocketConnection } from "../testing/http2-socket.ts";
import { BodySender, connectClient } from "../testing/http2-socket.ts";

// The judge is node:http2 (nghttp2) as the server; our codec is the client.

interface Meeting {
  client: SocketConnection;
  changed: EventWaiter;
  sessions: ServerHttp2Session[];
  send: (id: number, body: Buffer, trailers?: HeaderList) => void;
}

async function meet(
  t: TestContext,
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  options: ServerOptions = {},
): Promise<Meeting> {
  const changed = new EventWaiter();
  const sessions: ServerHttp2Session[] = [];
  const server: Http2Server = createServer(options);
  server.on("session", (session) => sessions.push(session));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => changed.notify());
    onStream(stream, headers);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const senders = new Map<number, BodySender>();
  const client = await connectClient(
    (server.address() as AddressInfo).port,
    {},
    {
      onEvent: (_, id, event) => {
        if (event === "onWritable") senders.get(id)?.more();
        changed.notify();
      },
    },
  );
  t.after(async () => {
    client.socket.destroy();
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  await changed.until(
    "the server's settings",
    () => client.codec.availableStreams < Number.POSITIVE_INFINITY || sessions.length > 0,
  );
  const send = (id: number, body: Buffer, trailers?: HeaderList): void => {
    const sender = new BodySender(client, id, body, trailers);
    senders.set(id, sender);
    sender.more();
  };
  return { client, changed, sessions, send };
}

function open({ client }: Meeting, method: string, path: string, isEnd: boolean, headers = HeaderList.of()): number {
  const id = client.codec.openStream({ method, scheme: "http", authority: "localhost", path, headers }, isEnd);
  assert.equal(typeof id, "number", String(id));
  client.flush();
  return id as number;
}

const echo = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
  const trailers: Record<string, string>[] = [];
  stream.on("trailers", (received) => trailers.push(received as Record<string, string>));
  stream.respond(
    { ":status": 200, "x-seen": `${headers[":method"]} ${headers[":path"]} ${String(headers["x-test"])}` },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-back": trailers[0]?.["x-sum"] ?? "none" }));
  stream.pipe(stream);
};

test("node:http2 answers requests of our client, with trailers both ways and a body larger than the windows", async (t) => {
  const meeting = await meet(t, echo);
  const { client, changed, send } = meeting;
  const sent = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 11) & 0xff));
  const id = open(meeting, "POST", "/big?x=1", false, HeaderList.of(["x-test", "\xe9"], ["authorization", "Bearer s"]));
  send(id, sent, HeaderList.of(["x-sum", "42"]));
  const stream = client.stream(id);
  await changed.until("the end", () => stream.isEnded);
  assert.equal(stream.response?.headers.get("x-seen"), "POST /big?x=1 \xe9");
  assert.ok(Buffer.concat(stream.body).equals(sent));
  assert.equal(stream.trailers?.get("x-back"), "42");
  assert.equal(client.codec.streamCount, 0);
});

test("node:http2 answers a thousand requests, as many at once as it allows", async (t) => {
  const meeting = await meet(t, echo, { settings: { maxConcurrentStreams: 20 } });
  const { client, changed, send } = meeting;
  await changed.until("the limit", () => client.codec.availableStreams <= 20);
  const ids: number[] = [];
  while (ids.length < 1000) {
    await changed.until("room for a stream", () => client.codec.availableStreams > 0);
    const id = open(meeting, "POST", `/${ids.length}`, false, HeaderList.of(["x-test", `${ids.length % 30}`]));
    send(id, Buffer.from(`body ${ids.length}`));
    ids.push(id);
  }
  await changed.until("all ends", () => ids.every((id) => client.stream(id).isEnded));
  for (const [i, id] of ids.entries()) {
    assert.equal(client.stream(id).response?.headers.get("x-seen"), `POST /${i} ${i % 30}`);
    assert.equal(Buffer.concat(client.stream(id).body).toString(), `body ${i}`);
  }
});

test("HEAD, 204, 304 and early hints of node:http2 are read as what they are", async (t) => {
  const meeting = await meet(t, (stream, headers) => {
    if (headers[":path"] === "/early") stream.additionalHeaders({ ":status": 103, link: "</a>" });
    const status = { "/204": 204, "/304": 304 }[String(headers[":path"])] ?? 200;
    stream.respond(
      { ":status": status, ...(status === 204 ? {} : { "content-length": "5" }) },
      { endStream: status !== 200 },
    );
    if (status === 200) stream.end(headers[":method"] === "HEAD" ? undefined : "hello");
  });
  const { client, changed } = meeting;
  const seen: unknown[] = [];
  for (const [method, path] of [
    ["HEAD", "/"],
    ["GET", "/204"],
    ["GET", "/304"],
    ["GET", "/early"],
  ] as const) {
    const id = open(meeting, method, path, true);
    const stream = client.stream(id);
    await changed.until("the end", () => stream.isEnded || stream.reset !== undefined);
    seen.push([stream.informational, stream.response?.status, Buffer.concat(stream.body).toString(), stream.reset]);
  }
  assert.deepEqual(seen, [
    [[], 200, "", undefined],
    [[], 204, "", undefined],
    [[], 304, "", undefined],
    [[103], 200, "hello", undefined],
  ]);
});

test("a reset of node:http2 and its code are seen, and the connection goes on", async (t) => {
  const meeting = await meet(t, (stream, headers) => {
    if (headers[":path"] === "/reset") stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else stream.respond({ ":status": 204 }, { endStream: true });
  });
  const { client, changed } = meeting;
  const id = open(meeting, "GET", "/reset", true);
  await changed.until("the reset", () => client.stream(id).reset !== undefined);
  assert.equal(client.stream(id).reset, constants.NGHTTP2_REFUSED_STREAM);
  const next = open(meeting, "GET", "/", true);
  await changed.until("the answer", () => client.stream(next).isEnded);
});

test("a GOAWAY of node:http2 lets what has begun end, and nothing begin", async (t) => {
  const held: ServerHttp2Stream[] = [];
  const meeting = await meet(t, (stream) => {
    held.push(stream);
    meeting.changed.notify();
  });
  const { client, changed, sessions } = meeting;
  const id = open(meeting, "GET", "/", true);
  await changed.until("the request", () => held.length === 1);
  sessions[0]?.goaway(constants.NGHTTP2_NO_ERROR, id);
  await changed.until("the GOAWAY", () => client.goAway === id);
  const request = { method: "GET", scheme: "http", authority: "a", path: "/", headers: HeaderList.of() };
  assert.equal(client.codec.openStream(request, true), "going-away");
  held[0]?.respond({ ":status": 200 });
  held[0]?.end("late");
  await changed.until("the end", () => client.stream(id).isEnded);
  assert.ok(client.codec.isDrained);
});

test("extended CONNECT carries bytes both ways with node:http2", async (t) => {
  const meeting = await meet(
    t,
    (stream) => {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
    },
    { settings: { enableConnectProtocol: true } },
  );
  const { client, changed } = meeting;
  await changed.until("the setting", () => client.codec.peerEnablesConnectProtocol);
  const request = {
    method: "CONNECT",
    scheme: "http",
    authority: "a",
    path: "/chat",
    protocol: "websocket",
    headers: HeaderList.of(),
  };
  const id = client.codec.openStream(request, false) as number;
  client.codec.sendData(id, Buffer.from("ping"), 0, 4, false);
  client.flush();
  const stream = client.stream(id);
  await changed.until("the echo", () => Buffer.concat(stream.body).toString() === "ping");
  client.codec.sendData(id, Buffer.alloc(0), 0, 0, true);
  client.flush();
  await changed.until("the end", () => stream.isEnded);
});
