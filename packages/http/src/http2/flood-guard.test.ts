import assert from "node:assert/strict";
import { test } from "node:test";
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
import { FrameType } from "./frame.ts";

const { headers: HEADERS, continuation, priority, ping } = FrameType;

interface Flood {
  what: string;
  rule: string;
  /** Frames before the flood. */
  before?: Buffer[];
  /** The frames of one step. */
  step: (index: number) => Buffer[];
  /** Steps that are borne. */
  allowed: number;
  /** Whether the output is taken after each step, as it is when the peer reads. */
  isRead: boolean;
}

const id = (index: number): number => 2 * index + 1;

const floods: Flood[] = [
  {
    what: "PINGs whose answers are not read (CVE-2019-9512)",
    rule: "outboundControlFlood",
    step: () => [frame(ping, 0, 0, "12345678")],
    allowed: 1000,
    isRead: false,
  },
  {
    what: "SETTINGS whose answers are not read (CVE-2019-9515)",
    rule: "outboundControlFlood",
    step: () => [settings()],
    allowed: 1000,
    isRead: false,
  },
  {
    what: "empty DATA (CVE-2019-9518)",
    rule: "emptyFrameFlood",
    before: [headers(1, post, false)],
    step: () => [data(1, "")],
    allowed: 1,
    isRead: true,
  },
  {
    what: "padded empty DATA",
    rule: "emptyFrameFlood",
    before: [headers(1, post, false)],
    step: () => [frame(0, 8, 1, "\x01\0")],
    allowed: 1,
    isRead: true,
  },
  {
    what: "empty CONTINUATION",
    rule: "emptyFrameFlood",
    before: [frame(HEADERS, 0, 1, "\x82")],
    step: () => [frame(continuation, 0, 1)],
    allowed: 1,
    isRead: true,
  },
  {
    what: "PRIORITY (CVE-2019-9513)",
    rule: "priorityFlood",
    before: [headers(1, post, false)],
    step: () => [frame(priority, 0, 1, "\0\0\0\0\0")],
    allowed: 200,
    isRead: true,
  },
  {
    what: "WINDOW_UPDATE",
    rule: "windowUpdateFlood",
    before: [headers(1, post, false)],
    step: () => [windowUpdate(1, 1)],
    allowed: 7,
    isRead: true,
  },
  {
    what: "rapid reset within a second (CVE-2023-44487)",
    rule: "prematureResetFlood",
    step: (index) => [headers(id(index), get, true), rstStream(id(index), 8)],
    // More than half of the first 500 streams, whatever the others do.
    allowed: 250,
    isRead: true,
  },
  {
    what: "resets of streams that have lasted",
    rule: "resetFlood",
    step: (index) => [headers(id(index), get, true), rstStream(id(index), 8)],
    allowed: 1000,
    isRead: true,
  },
  {
    what: "overflows that make us reset (CVE-2025-8671)",
    rule: "causedResetFlood",
    step: (index) => [headers(id(index), get, true), windowUpdate(id(index), 2 ** 31 - 1)],
    allowed: 1000,
    isRead: true,
  },
  {
    what: "malformed requests",
    rule: "causedResetFlood",
    step: (index) => [headers(id(index), [], true)],
    allowed: 1000,
    isRead: true,
  },
  {
    what: "a header block without an end (CVE-2024-27316)",
    rule: "headerBlockTooLarge",
    before: [frame(HEADERS, 0, 1, "\x82")],
    step: () => [frame(continuation, 0, 1, Buffer.alloc(16384, 0x82))],
    allowed: 7,
    isRead: true,
  },
];

for (const { what, rule, before = [], step, allowed, isRead } of floods) {
  test(`${what} is cut off by ${rule}, and not before its limit`, () => {
    const lastsLong = rule === "resetFlood";
    const server = new Recorded("server", lastsLong ? { prematureResetMs: 0 } : {}).push(hello);
    for (const bytes of before) server.push(bytes);
    server.frames();
    for (let index = 0; index < allowed; index += 1) {
      for (const bytes of step(index)) server.push(bytes);
      if (isRead) server.frames();
    }
    assert.ok(!server.connection.isDead, server.events.at(-1) ?? "");
    for (const bytes of step(allowed)) server.push(bytes);
    assert.equal(server.events.at(-1), `error 0 11 ${rule}`);
    assert.match(server.frames().at(-1) ?? "", /^goAway 0 0 [0-9a-f]{8}0000000b/);
  });
}

test("answers that are not read are cut off by outboundFlood, and not before its limit", () => {
  const server = new Recorded("server").push(hello);
  server.frames();
  server.react = (event, streamId) => {
    if (event === "request") server.connection.sendHead(streamId, 404, fields(), true);
  };
  for (let index = 0; index < 10_000; index += 1) server.push(headers(id(index), get, true));
  assert.ok(!server.connection.isDead, server.events.at(-1) ?? "");
  server.push(headers(id(10_000), get, true));
  assert.ok(server.events.includes("error 0 11 outboundFlood"));
});

test("resets are borne again as time goes by", () => {
  const server = new Recorded("server", { prematureResetMs: 0 }).push(hello);
  for (let index = 0; index < 3000; index += 1) {
    server.nowMs += 31;
    server
      .push(headers(id(index), get, true))
      .push(rstStream(id(index), 8))
      .frames();
  }
  assert.ok(!server.connection.isDead);
});

test("a client that resets fewer than half of its streams at once is borne", () => {
  const server = new Recorded("server").push(hello);
  for (let index = 0; index < 1500; index += 1) {
    server.push(headers(id(index), get, true));
    if (index % 3 === 0) server.push(rstStream(id(index), 8));
    else server.connection.sendHead(id(index), 204, fields(), true);
    server.frames();
  }
  assert.ok(!server.connection.isDead, server.events.at(-1) ?? "");
});

test("a client has reset enough on a connection long before its peer has", () => {
  for (const isAnswered of [true, false]) {
    const [client, server] = [new Recorded("client"), new Recorded("server")];
    exchange(client, server);
    const reset = (): void => {
      const request = { method: "GET", scheme: "http", authority: "a", path: "/", headers: fields() };
      const id = client.connection.openStream(request, true) as number;
      exchange(client, server);
      if (isAnswered) server.connection.sendHead(id, 200, fields(), false);
      exchange(client, server);
      client.connection.resetStream(id, 8);
      exchange(client, server);
    };
    let count = 0;
    for (; !client.connection.hasResetEnough; count += 1) reset();
    assert.equal(count, isAnswered ? 501 : 126);
    // All that may be open by then, and the server still bears it.
    for (let more = 0; more < 100; more += 1) reset();
    assert.ok(!server.connection.isDead);
  }
});

test("a reset behind the head of the answer is not premature", () => {
  const server = new Recorded("server").push(hello);
  for (let index = 0; index < 900; index += 1) {
    server.push(headers(id(index), get, true));
    server.connection.sendHead(id(index), 200, fields(), false);
    server.push(rstStream(id(index), 8)).frames();
  }
  assert.ok(!server.connection.isDead, server.events.at(-1) ?? "");
});

test("heads that are not read are cut off by their octets, long before their number", () => {
  const server = new Recorded("server", { maxOutboundBytes: 100_000 }).push(hello);
  server.frames();
  const large = "x".repeat(5000);
  server.react = (event, streamId) => {
    if (event === "request") server.connection.sendHead(streamId, 200, fields(["x-large", large]), true);
  };
  for (let index = 0; index < 40 && !server.connection.isDead; index += 1) server.push(headers(id(index), get, true));
  assert.ok(server.events.includes("error 0 11 outboundFlood"));
  assert.ok(server.events.length < 40, `${server.events.length} events`);
});

test("informational responses are borne 32 times", () => {
  const client = new Recorded("client").push(settings());
  client.connection.openStream({ method: "GET", scheme: "http", authority: "a", path: "/", headers: fields() }, true);
  client.frames();
  for (let count = 0; count < 32; count += 1) client.push(headers(1, [[":status", "103"]], false));
  assert.equal(client.events.filter((event) => event.startsWith("informational")).length, 32);
  client.push(headers(1, [[":status", "103"]], false));
  assert.equal(client.events.at(-1), "reset 1 11 tooManyInformational");
  assert.deepEqual(client.violations, ["tooManyInformational"]);
});

test("streams above the limit are refused, and may be tried again", () => {
  const server = new Recorded("server", { maxConcurrentStreams: 2 }).push(hello);
  server.push(headers(1, get, true)).push(headers(3, get, true));
  server.frames();
  server.push(headers(5, get, true));
  assert.deepEqual(server.frames(), ["rstStream 0 5 00000007"]);
  server.connection.sendHead(1, 204, fields(), true);
  server.push(headers(7, get, true));
  assert.match(server.events.at(-1) ?? "", /^request 7 /);
});

test("one large field named again and again costs one answer and no memory", () => {
  const server = new Recorded("server").push(hello);
  server.frames();
  // With indexing, so that each 0xbe names the field again.
  const entry = Buffer.concat([
    Buffer.from([0x40, 0x01, 0x78, 0x7f, 0x80 + 45, 30]),
    Buffer.alloc(127 + 45 + 30 * 128, 0x79),
  ]);
  const block = Buffer.concat([headers(1, get, true).subarray(9), entry, Buffer.alloc(10_000, 0xbe)]);
  server.push(frame(HEADERS, 5, 1, block));
  assert.deepEqual(server.events.slice(1), ["too-large 1"]);
  assert.ok(server.connection.sendHead(1, 431, fields(), true));
  server.push(headers(3, get, true));
  assert.match(server.events.at(-1) ?? "", /^request 3 /);
});

test("crumbs of a cookie are counted one by one", () => {
  const server = new Recorded("server").push(hello);
  server.push(headers(1, [...get, ...Array.from({ length: 96 }, () => ["cookie", "a=b"] as const)], true));
  server.push(headers(3, [...get, ...Array.from({ length: 97 }, () => ["cookie", "a=b"] as const)], true));
  assert.match(server.events[1] ?? "", /^request 1 .*a=b; a=b/);
  assert.equal(server.events[2], "too-large 3");
});

test("the body of a request beyond the limits is not handed on, and ends with the answer", () => {
  const server = new Recorded("server", { maxHeaders: 5 }).push(hello);
  server.push(headers(1, [...post, ["a", "1"], ["b", "2"]], false)).push(data(1, "body"));
  server.frames();
  assert.ok(server.connection.sendHead(1, 431, fields(), true));
  assert.match(server.frames().at(-1) ?? "", /^rstStream 0 1 00000000/);
  assert.deepEqual(server.events.slice(1), ["too-large 1"]);
  assert.equal(server.connection.streamCount, 0);
});
