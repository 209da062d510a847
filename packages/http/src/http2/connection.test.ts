import assert from "node:assert/strict";
import { test } from "node:test";
import {
  body,
  bytesOf,
  data,
  exchange,
  fields,
  frame,
  get,
  headers,
  post,
  Recorded,
  rstStream,
  settings,
  started,
  windowUpdate,
} from "../testing/http2-frames.ts";
import { FrameType } from "./frame.ts";

const { headers: HEADERS, priority, ping } = FrameType;

test("a server says its settings and opens its window first", () => {
  assert.deepEqual(new Recorded("server", { enableConnectProtocol: true }).frames(), [
    "settings 0 0 00010000100000040001000000060000f000000300000064000800000001",
    "windowUpdate 0 0 000f0001",
  ]);
});

test("a client says its preface, and refuses push", () => {
  const { connection } = new Recorded("client");
  const output = bytesOf(connection.takeOutput());
  assert.equal(output.toString("latin1", 0, 24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  assert.ok(output.includes(Buffer.from("000200000000", "hex")));
});

test("the smallest table that one SETTINGS frame names is signalled, and then the last (RFC 7541 §4.2)", () => {
  const client = new Recorded("client");
  const headerTableSize = 1;
  client.push(settings([headerTableSize, 0], [headerTableSize, 4096]));
  client.frames();
  client.connection.openStream({ method: "GET", scheme: "http", authority: "a", path: "/", headers: fields() }, true);
  assert.match(client.frames().join(), /^headers 5 1 203fe11f82/);
});

test("what came never-indexed goes on never-indexed, whoever carries its fields (RFC 7541 §6.2.3)", () => {
  const [client, server] = [new Recorded("client"), new Recorded("server")];
  exchange(client, server);
  const headers = fields(["x-open", "1"], ["x-secret", "2"]);
  headers.neverIndexed = [":path", "x-secret"];
  client.connection.openStream({ method: "GET", scheme: "http", authority: "a", path: "/token", headers }, true);
  exchange(client, server);
  assert.deepEqual(server.neverIndexed, [[":path", "x-secret"]]);
  const answer = fields(["x-answer", "3"]);
  answer.neverIndexed = ["x-answer"];
  assert.ok(server.connection.sendHead(1, 200, answer, true));
  exchange(client, server);
  assert.deepEqual(client.neverIndexed, [["x-answer"]]);
});

test("request and response go from our client to our server and back", () => {
  const [client, server] = [new Recorded("client"), new Recorded("server")];
  exchange(client, server);
  const request = {
    method: "POST",
    scheme: "http",
    authority: "a",
    path: "/p",
    headers: fields(["host", "b"], ["connection", "x"], ["te", "trailers"], ["k", "v"]),
  };
  assert.equal(client.connection.openStream(request, false), 1);
  assert.equal(client.connection.sendData(1, Buffer.from("-hello-"), 1, 6, false), "open");
  assert.ok(client.connection.sendTrailers(1, fields(["t", "1"])));
  exchange(client, server);
  assert.ok(server.connection.sendHead(1, 103, fields(["link", "x"]), false));
  assert.ok(server.connection.sendHead(1, 200, fields(["r", "1"]), false));
  assert.equal(server.connection.sendData(1, Buffer.from("world"), 0, 5, true), "open");
  exchange(client, server);
  assert.deepEqual(server.events, [
    "settings 0",
    'request 1 POST http a /p  [["te","trailers"],["k","v"]] false',
    "data 1 hello",
    'trailers 1 [["t","1"]]',
    "end 1",
  ]);
  assert.deepEqual(client.events, [
    "settings 0",
    'informational 1 103 [["link","x"]]',
    'response 1 200 [["r","1"]] false',
    "data 1 world",
    "end 1",
  ]);
  assert.deepEqual([client.connection.streamCount, server.connection.streamCount], [0, 0]);
});

test("what cannot be sent is refused with nothing written, and the tables stay in step", () => {
  const [client, server] = [new Recorded("client"), new Recorded("server")];
  exchange(client, server);
  const request = { method: "GET", scheme: "http", authority: "a", path: "/" };
  for (const bad of [
    ["a", "b\r\nc"],
    ["A", "b"],
    ["a b", "c"],
    ["", "c"],
    ["a", "\u010a"],
    ["a", " b"],
  ] as const) {
    assert.equal(
      client.connection.openStream({ ...request, headers: fields(["fine", "1"], bad) }, true),
      "not-encodable",
    );
  }
  assert.equal(client.connection.openStream({ ...request, path: "a", headers: fields() }, true), "not-encodable");
  assert.equal(
    client.connection.openStream({ ...request, authority: "a b", headers: fields() }, true),
    "not-encodable",
  );
  assert.ok(!client.connection.hasOutput);
  assert.equal(client.connection.openStream({ ...request, headers: fields(["fine", "1"]) }, true), 1);
  exchange(client, server);
  assert.match(server.events.at(-1) ?? "", /fine/);
  assert.ok(!server.connection.sendHead(1, 200, fields(["a", "b\nc"]), true));
  assert.ok(!server.connection.sendHead(1, 101, fields(), true));
  assert.ok(!server.connection.hasOutput);
});

test("extended CONNECT is for peers that have announced it (RFC 8441)", () => {
  const request = {
    method: "CONNECT",
    scheme: "https",
    authority: "a",
    path: "/chat",
    protocol: "websocket",
    headers: fields(),
  };
  const [client, plain] = [new Recorded("client"), new Recorded("server")];
  exchange(client, plain);
  assert.equal(client.connection.openStream(request, false), "no-connect-protocol");
  const [other, server] = [new Recorded("client"), new Recorded("server", { enableConnectProtocol: true })];
  exchange(other, server);
  assert.equal(other.connection.openStream(request, false), 1);
  exchange(other, server);
  assert.equal(server.events.at(-1), "request 1 CONNECT https a /chat websocket [] false");
});

test("CONNECT has an authority alone", () => {
  const server = started().push(
    headers(
      1,
      [
        [":method", "CONNECT"],
        [":authority", "a:80"],
      ],
      false,
    ),
  );
  assert.equal(server.events.at(-1), "request 1 CONNECT  a:80   [] false");
});

test("crumbs of a cookie are joined, and Host stands in for :authority", () => {
  const server = started();
  server.push(
    headers(1, [...get.slice(0, 3), ["cookie", "a=1"], ["host", "h:1"], ["k", "v"], ["cookie", "b=2"]], true),
  );
  assert.equal(server.events.at(-1), 'request 1 GET http h:1 /  [["k","v"],["cookie","a=1; b=2"]] true');
});

test("PING is answered, and an own one comes back", () => {
  const server = started().push(frame(ping, 0, 0, "12345678"));
  assert.deepEqual(server.frames(), ["ping 1 0 3132333435363738"]);
  server.connection.ping(Buffer.from("abcdefgh"));
  server.push(frame(ping, 1, 0, "abcdefgh"));
  assert.equal(server.events.at(-1), "pong 0 abcdefgh");
});

test("unknown frames, settings and flags are ignored, and so is PRIORITY", () => {
  const server = started()
    .push(frame(0x77, 0xff, 0, "abc"))
    .push(settings([0x99, 1]))
    .push(frame(priority, 0, 9, "\0\0\0\0\x10"));
  server
    .push(frame(0x77, 0, 0))
    .push(
      frame(HEADERS, 0xff & ~8, 1, Buffer.concat([Buffer.from([0, 0, 0, 0, 9]), headers(1, get, true).subarray(9)])),
    );
  assert.match(server.events.at(-1) ?? "", /^request 1 GET/);
});

test("padding of HEADERS and DATA is taken off and counts against the windows", () => {
  const block = headers(1, post, false).subarray(9);
  const server = started({ streamWindowBytes: 100 });
  server.push(frame(HEADERS, 0xc, 1, Buffer.concat([Buffer.from([4]), block, Buffer.alloc(4)])));
  server.push(frame(0, 0x8, 1, `\x5fab${"\0".repeat(95)}`));
  assert.equal(server.events.at(-1), "data 1 ab");
  assert.deepEqual(server.frames().at(-1), "windowUpdate 0 1 00000060");
});

test("a reset stream drops what waits, and late frames on it are harmless", () => {
  const server = started()
    .push(settings([4, 1]))
    .push(headers(1, post, false));
  server.connection.sendHead(1, 200, fields(), false);
  server.connection.sendData(1, body(50), 0, 50, true);
  server.frames();
  server.connection.resetStream(1, 8);
  assert.deepEqual(server.frames(), ["rstStream 0 1 00000008"]);
  server
    .push(data(1, "late"))
    .push(windowUpdate(1, 1000))
    .push(rstStream(1, 8))
    .push(headers(3, get, true));
  assert.match(server.events.at(-1) ?? "", /^request 3/);
});

test("a sink may reset a stream from within any event", () => {
  for (const event of ["request", "data", "trailers", "end"]) {
    const server = started();
    server.react = (happened, id) => {
      if (happened === event) server.connection.resetStream(id, 8);
    };
    server.push(Buffer.concat([headers(1, post, false), data(1, "abc"), headers(1, [["t", "1"]], true)]));
    server.react = () => undefined;
    assert.deepEqual(server.frames(), ["rstStream 0 1 00000008"], event);
    server.push(headers(3, get, true));
    assert.match(server.events.at(-1) ?? "", /^request 3/);
  }
});

test("a shutdown has two steps, with a round trip between them", () => {
  const [client, server] = [new Recorded("client"), new Recorded("server")];
  exchange(client, server);
  const request = { method: "GET", scheme: "http", authority: "a", path: "/", headers: fields() };
  client.connection.openStream(request, true);
  server.connection.shutdown();
  // The client does not know yet: this one is served, too.
  client.connection.openStream(request, true);
  exchange(client, server);
  assert.deepEqual(
    client.events.slice(1),
    ["goaway 2147483647 0", "goaway 3 0"].map((event) => `${event} `),
  );
  assert.equal(client.connection.openStream(request, true), "going-away");
  assert.ok(!server.connection.isDrained);
  for (const id of [1, 3]) server.connection.sendHead(id, 204, fields(), true);
  exchange(client, server);
  assert.ok(server.connection.isDrained && client.connection.isDrained);
});

test("requests behind the last GOAWAY are ignored, and its client may try them again", () => {
  const [client, server] = [new Recorded("client"), new Recorded("server")];
  exchange(client, server);
  server.connection.finishShutdown();
  const request = { method: "POST", scheme: "http", authority: "a", path: "/", headers: fields() };
  client.connection.openStream(request, false);
  client.connection.sendData(1, body(10), 0, 10, true);
  exchange(client, server);
  assert.deepEqual(server.events, ["settings 0"]);
  assert.deepEqual(client.events.slice(1), ["goaway 0 0 ", "reset 1 7 peer"]);
});

test("a client keeps to the streams that its server allows", () => {
  const [client, server] = [new Recorded("client"), new Recorded("server", { maxConcurrentStreams: 1 })];
  exchange(client, server);
  const request = { method: "GET", scheme: "http", authority: "a", path: "/", headers: fields() };
  assert.equal(client.connection.availableStreams, 1);
  assert.equal(client.connection.openStream(request, true), 1);
  assert.equal(client.connection.openStream(request, true), "limit");
  exchange(client, server);
  server.connection.sendHead(1, 204, fields(), true);
  exchange(client, server);
  assert.equal(client.connection.openStream(request, true), 3);
});

test("before the server's settings, a client opens no more than a hundred streams", () => {
  const client = new Recorded("client");
  const request = { method: "GET", scheme: "http", authority: "a", path: "/", headers: fields() };
  for (let i = 0; i < 100; i += 1) assert.equal(client.connection.openStream(request, true), 2 * i + 1);
  assert.equal(client.connection.openStream(request, true), "limit");
  assert.ok(!client.connection.isEstablished);
  client.push(settings());
  assert.ok(client.connection.isEstablished);
  assert.equal(client.connection.openStream(request, true), 201);
});

test("a head that has begun is told from one that has not", () => {
  const server = started();
  const [first, second] = [headers(1, get, true), frame(HEADERS, 1, 3, "\x82\x86\x84")];
  const seen: number[] = [];
  for (const piece of [
    Buffer.alloc(0),
    first.subarray(0, 9),
    first.subarray(9),
    second,
    frame(FrameType.continuation, 4, 3, "\x41\x01a"),
  ]) {
    server.push(piece);
    seen.push(server.connection.openHead);
  }
  assert.deepEqual(seen, [0, 1, 0, 2, 0]);
});

test("a client hears that its server needs no more of the request", () => {
  const client = new Recorded("client").push(settings());
  const request = { method: "POST", scheme: "http", authority: "a", path: "/", headers: fields() };
  client.connection.openStream(request, false);
  client.push(headers(1, [[":status", "413"]], true)).push(rstStream(1, 0));
  assert.deepEqual(client.events.slice(1), ["response 1 413 [] true", "reset 1 0 peer"]);
  assert.equal(client.connection.sendData(1, body(1), 0, 1, true), "gone");
});

test("a header block of many frames is sent and read", () => {
  const [client, server] = [new Recorded("client"), new Recorded("server")];
  exchange(client, server);
  const large = fields(...Array.from({ length: 10 }, (_, i) => [`k${i}`, `${i}~`.repeat(2000)] as const));
  client.connection.openStream({ method: "GET", scheme: "http", authority: "a", path: "/", headers: large }, true);
  exchange(client, server);
  assert.match(server.events.at(-1) ?? "", /^request 1 GET .*k9/);
});

test("after the end nothing can be sent", () => {
  const server = started().push(headers(1, post, false));
  server.connection.close(0);
  assert.match(server.frames().join(), /^goAway 0 0 0000000100000000$/);
  assert.ok(!server.connection.sendHead(1, 200, fields(), false));
  assert.equal(server.connection.sendData(1, body(1), 0, 1, false), "gone");
  server.connection.resetStream(1, 8);
  server.connection.consume(1, 1 << 20);
  server.connection.ping(body(8));
  assert.ok(!server.connection.hasOutput);
});
