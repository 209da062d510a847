import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  data,
  exchange,
  fields,
  frame,
  get,
  headers,
  hello,
  post,
  Recorded,
  rstStream,
  settings,
  windowUpdate,
} from "../testing/http2-frames.ts";
import { pieces } from "../testing/recorder.ts";
import { FrameType } from "./frame.ts";

const { headers: HEADERS, continuation, priority, ping } = FrameType;
const body = (length: number): Buffer => Buffer.alloc(length, 0x78);

function started(limits: ConstructorParameters<typeof Recorded>[1] = {}): Recorded {
  const server = new Recorded("server", limits).push(hello);
  server.frames();
  return server;
}

test("a server says its settings and opens its window first", () => {
  assert.deepEqual(new Recorded("server", { enableConnectProtocol: true }).frames(), [
    "settings 0 0 00010000100000040001000000060000f000000300000064000800000001",
    "windowUpdate 0 0 000f0001",
  ]);
});

test("a client says its preface, and refuses push", () => {
  const { connection } = new Recorded("client");
  const output = connection.takeOutput();
  assert.equal(output.toString("latin1", 0, 24), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  assert.ok(output.includes(Buffer.from("000200000000", "hex")));
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
  assert.equal(client.connection.sendData(1, Buffer.from("-hello-"), 1, 6, false), 5);
  assert.ok(client.connection.sendTrailers(1, fields(["t", "1"])));
  exchange(client, server);
  assert.ok(server.connection.sendHead(1, 103, fields(["link", "x"]), false));
  assert.ok(server.connection.sendHead(1, 200, fields(["r", "1"]), false));
  assert.equal(server.connection.sendData(1, Buffer.from("world"), 0, 5, true), 5);
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

test("the connection's window is given back on receipt, a stream's on consumption", () => {
  const server = started({ streamWindowBytes: 60_000, connectionWindowBytes: 65_535 });
  server.push(headers(1, post, false)).push(headers(3, post, false));
  for (const id of [1, 3, 1, 3]) server.push(data(id, body(10_000)));
  assert.deepEqual(server.frames(), [`windowUpdate 0 0 ${(40_000).toString(16).padStart(8, "0")}`]);
  server.connection.consume(1, 20_000);
  assert.deepEqual(server.frames(), [], "less than half a window");
  server.connection.consume(1, 10_000);
  assert.deepEqual(server.frames(), [`windowUpdate 0 1 ${(30_000).toString(16).padStart(8, "0")}`]);
});

test("more than a stream's window resets the stream, more than the connection's ends it", () => {
  const server = started({ streamWindowBytes: 10_000, connectionWindowBytes: 65_535 });
  server.push(headers(1, post, false)).push(data(1, body(10_001)));
  assert.equal(server.events.at(-1), "reset 1 3 windowExceeded");
  const eager = started({ streamWindowBytes: 1 << 20, connectionWindowBytes: 65_535 });
  eager.push(headers(1, post, false));
  for (let i = 0; i < 4; i += 1) eager.push(data(1, body(16_384)));
  assert.ok(!eager.connection.isDead, "given back in between");
});

test("data waits for the peer's windows, also for negative ones", () => {
  const server = started()
    .push(settings([4, 10]))
    .push(headers(1, get, true))
    .push(headers(3, get, true));
  server.connection.sendHead(1, 200, fields(), false);
  server.frames();
  assert.equal(server.connection.sendData(1, body(25), 0, 25, true), 25);
  assert.deepEqual(server.frames(), ["data 0 1 (10)"]);
  server.push(settings([4, 3]));
  assert.deepEqual(server.frames(), ["settings 1 0 "], "the window is -7");
  server.push(windowUpdate(1, 7));
  assert.deepEqual(server.frames(), [], "the window is 0");
  server.push(windowUpdate(1, 5));
  assert.deepEqual(server.frames(), ["data 0 1 (5)"]);
  server.push(settings([4, 100]));
  assert.deepEqual(server.frames(), ["settings 1 0 ", "data 1 1 (10)"]);
  assert.equal(server.connection.streamCount, 1);
});

test("streams take turns, and none sends more than its share", () => {
  const server = started();
  for (const id of [1, 3, 5]) {
    server.push(headers(id, get, true));
    server.connection.sendHead(id, 200, fields(), false);
  }
  // The connection's window is used up, so that all wait.
  server.connection.sendData(1, body(65_535), 0, 65_535, false);
  server.frames();
  server.push(windowUpdate(1, 1 << 20));
  for (const id of [1, 3, 5]) assert.equal(server.connection.sendData(id, body(40_000), 0, 40_000, true), 40_000);
  assert.ok(!server.connection.hasOutput);
  server.push(windowUpdate(0, 1 << 20));
  assert.deepEqual(server.frames(), [
    ...[1, 3, 5].map((id) => `data 0 ${id} (16384)`),
    ...[1, 3, 5].map((id) => `data 0 ${id} (16384)`),
    ...[1, 3, 5].map((id) => `data 1 ${id} (7232)`),
  ]);
});

test("a queue takes no more than its limit, and says when there is room", () => {
  const server = started({ maxQueuedBytes: 1000 })
    .push(settings([4, 100]))
    .push(headers(1, get, true));
  server.connection.sendHead(1, 200, fields(), false);
  assert.equal(server.connection.sendData(1, body(5000), 0, 5000, true), 1100);
  assert.equal(server.connection.sendData(1, body(5000), 1100, 5000, true), 0);
  server.frames();
  server.push(windowUpdate(1, 400)).frames();
  assert.ok(!server.events.includes("writable 1"));
  server.push(windowUpdate(1, 100)).frames();
  assert.equal(server.events.at(-1), "writable 1");
  assert.equal(server.connection.sendData(1, body(5000), 1100, 1200, true), 100);
  server.push(windowUpdate(1, 5000));
  assert.match(server.frames().at(-1) ?? "", /^data 1 1 /);
  assert.equal(server.connection.streamCount, 0);
});

test("many small messages wait in few buffers, and go in few frames", () => {
  const server = started()
    .push(settings([4, 0]))
    .push(headers(1, get, true));
  server.connection.sendHead(1, 200, fields(), false);
  server.frames();
  const message = Buffer.from("0123456789");
  for (let i = 0; i < 1000; i += 1) server.connection.sendData(1, message, 0, 10, false);
  server.connection.sendData(1, message, 0, 0, true);
  server.push(windowUpdate(1, 20_000));
  assert.deepEqual(server.frames(), ["data 0 1 (4096)", "data 0 1 (4096)", "data 1 1 (1808)"]);
  const [sender, reader] = [new Recorded("client"), new Recorded("server", { streamWindowBytes: 7000 })];
  exchange(sender, reader);
  sender.connection.openStream({ method: "POST", scheme: "http", authority: "a", path: "/", headers: fields() }, false);
  for (let i = 0; i < 3000; i += 1) sender.connection.sendData(1, Buffer.from(`${i},`), 0, `${i},`.length, i === 2999);
  reader.react = (event, id) => {
    if (event === "data") reader.connection.consume(id, 7000);
  };
  exchange(sender, reader);
  assert.equal(reader.events[2], `data 1 ${Array.from({ length: 3000 }, (_, i) => `${i},`).join("")}`);
});

test("a stream whose peer opens its window drop by drop is named as stalled, and others are not", () => {
  const server = started().push(settings([4, 0]));
  for (const id of [1, 3, 5]) {
    server.push(headers(id, get, true));
    server.connection.sendHead(id, 200, fields(), false);
    server.connection.sendData(id, body(50_000), 0, 50_000, true);
  }
  const stalled = (nowMs: number): number[] => server.connection.stalledStreams(nowMs, 1000, 100);
  server.push(windowUpdate(5, 50_000)).frames();
  assert.deepEqual(stalled(0), [], "waiting begins");
  server.push(windowUpdate(1, 99)).push(windowUpdate(3, 100)).frames();
  assert.deepEqual(stalled(999), []);
  assert.deepEqual(stalled(1000), [1]);
  assert.deepEqual(stalled(2000), [1, 3]);
});

test("trailers wait behind the data, and an end without data is an empty frame", () => {
  const server = started()
    .push(settings([4, 4]))
    .push(headers(1, get, true))
    .push(headers(3, get, true));
  for (const id of [1, 3]) server.connection.sendHead(id, 200, fields(), false);
  server.frames();
  server.connection.sendData(1, body(6), 0, 6, false);
  assert.ok(server.connection.sendTrailers(1, fields(["t", "1"])));
  assert.equal(server.connection.sendData(1, body(1), 0, 1, false), -1, "nothing goes behind the end");
  assert.equal(server.connection.sendData(3, body(0), 0, 0, true), 0);
  assert.deepEqual(server.frames(), ["data 0 1 (4)", "data 1 3 (0)"]);
  server.push(windowUpdate(1, 10));
  assert.match(server.frames().join("; "), /^data 0 1 \(2\); headers 5 1 /);
  assert.equal(server.connection.streamCount, 0);
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
  assert.equal(server.connection.sendData(1, body(1), 0, 1, false), -1);
  server.connection.resetStream(1, 8);
  server.connection.consume(1, 1 << 20);
  server.connection.ping(body(8));
  assert.ok(!server.connection.hasOutput);
});

const randomFrame = fc.oneof(
  fc.constantFrom(
    headers(1, get, true),
    headers(1, post, false),
    headers(3, [...post, ["content-length", "5"]], false),
    headers(1, [["t", "1"]], true),
    headers(5, [["bad name", "1"]], true),
    data(1, "hello"),
    data(3, "hello", true),
    data(3, "hell", true),
    data(1, "", true),
    frame(0, 9, 1, "\x02hi\0\0"),
    settings([4, 20], [1, 100]),
    settings(),
    frame(ping, 0, 0, "12345678"),
    frame(ping, 0, 0, "1234"),
    windowUpdate(1, 10),
    windowUpdate(0, 1),
    windowUpdate(3, 0),
    rstStream(1, 8),
    frame(priority, 0, 1, "\0\0\0\0\0"),
    frame(0x50, 0, 0, "unknown"),
    Buffer.concat([frame(HEADERS, 1, 7, "\x82\x86"), frame(continuation, 4, 7, "\x84\x41\x01a")]),
    frame(7, 0, 0, "\0\0\0\0\0\0\0\0bye"),
  ),
  fc
    .tuple(fc.nat(11), fc.nat(255), fc.nat(5), fc.uint8Array({ maxLength: 20 }))
    .map(([type, flags, id, payload]) => frame(type, flags, id, Buffer.from(payload))),
);

test("any split of the input gives the same events and the same output, and nothing crashes", () => {
  const run = (bytes: Buffer, cuts: readonly number[], role: "server" | "client"): unknown => {
    const recorded = new Recorded(role);
    if (role === "client")
      recorded.connection.openStream(
        { method: "POST", scheme: "http", authority: "a", path: "/", headers: fields() },
        false,
      );
    recorded.react = (event, id) => {
      if (event === "request") recorded.connection.sendHead(id, 200, fields(["k", "v"]), false);
      if (event === "end") recorded.connection.sendData(id, body(30), 0, 30, true);
    };
    for (const [piece, start, end] of pieces(bytes, cuts)) recorded.connection.push(piece, start, end, 0);
    return [recorded.events, recorded.frames()];
  };
  fc.assert(
    fc.property(
      fc.array(randomFrame, { maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.constantFrom("server", "client"),
      (frames, cuts, role) => {
        const bytes = Buffer.concat([role === "server" ? hello : settings(), ...frames]);
        const whole = run(bytes, [], role);
        assert.deepEqual(run(bytes, cuts, role), whole);
        assert.deepEqual(
          run(
            bytes,
            Array.from({ length: bytes.length }, (_, i) => i),
            role,
          ),
          whole,
        );
      },
    ),
    { numRuns: 1000 },
  );
});

test("any bodies arrive whole over any windows, and no window is ever exceeded", () => {
  const step = fc.record({
    id: fc.constantFrom(1, 3, 5, 7),
    bytes: fc.integer({ min: 0, max: 3000 }),
    action: fc.constantFrom("send", "send", "consume", "carry"),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 0, max: 500 }),
      (steps, streamWindowBytes, queued) => {
        const client = new Recorded("client", { maxQueuedBytes: queued + 1 });
        const server = new Recorded("server", { streamWindowBytes, connectionWindowBytes: 65_535 });
        exchange(client, server);
        const request = { method: "POST", scheme: "http", authority: "a", path: "/", headers: fields() };
        const sent = new Map([1, 3, 5, 7].map((id) => [id, 0]));
        const received = new Map([1, 3, 5, 7].map((id) => [id, 0]));
        for (const id of sent.keys()) assert.equal(client.connection.openStream(request, false), id);
        const pattern = Buffer.from(Array.from({ length: 70_000 }, (_, i) => 33 + (i % 89)));
        const consumed = new Map(received);
        const consume = (id: number): void => {
          const arrived = server.events.filter((event) => event.startsWith(`data ${id} `));
          received.set(
            id,
            arrived.reduce((sum, event) => sum + event.length - `data ${id} `.length, 0),
          );
          server.connection.consume(id, (received.get(id) ?? 0) - (consumed.get(id) ?? 0));
          consumed.set(id, received.get(id) ?? 0);
        };
        for (const { id, bytes, action } of steps) {
          const from = sent.get(id) ?? 0;
          if (action === "send")
            sent.set(id, from + client.connection.sendData(id, pattern, from, from + bytes, false));
          else if (action === "consume") consume(id);
          else exchange(client, server);
        }
        for (const id of sent.keys()) client.connection.sendData(id, pattern, 0, 0, true);
        for (let i = 0; i < 1000 && client.connection.streamCount > 0; i += 1) {
          exchange(client, server);
          for (const id of sent.keys()) consume(id);
          for (const id of sent.keys()) {
            if (server.events.includes(`end ${id}`)) server.connection.sendHead(id, 204, fields(), true);
          }
        }
        for (const [id, bytes] of sent) {
          const body = server.events.filter((event) => event.startsWith(`data ${id} `));
          assert.equal(
            body.map((event) => event.slice(`data ${id} `.length)).join(""),
            pattern.toString("latin1", 0, bytes),
          );
          assert.ok(server.events.includes(`end ${id}`));
        }
        assert.ok(![...client.events, ...server.events].some((event) => /^(error|reset) /.test(event)));
      },
    ),
    { numRuns: 200 },
  );
});
