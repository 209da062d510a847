import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  body,
  data,
  exchange,
  fields,
  get,
  headers,
  post,
  Recorded,
  rstStream,
  settings,
  started,
  windowUpdate,
} from "../testing/http2-frames.ts";

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
  assert.equal(server.connection.sendData(1, body(25), 0, 25, true), "open");
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
  const server = started({ maxQueuedBytes: 64 * 1024 });
  for (const id of [1, 3, 5]) {
    server.push(headers(id, get, true));
    server.connection.sendHead(id, 200, fields(), false);
  }
  // The connection's window is used up, so that all wait.
  server.connection.sendData(1, body(65_535), 0, 65_535, false);
  server.frames();
  server.push(windowUpdate(1, 1 << 20));
  for (const id of [1, 3, 5]) assert.equal(server.connection.sendData(id, body(40_000), 0, 40_000, true), "open");
  assert.ok(!server.connection.hasOutput);
  server.push(windowUpdate(0, 1 << 20));
  assert.deepEqual(server.frames(), [
    ...[1, 3, 5].map((id) => `data 0 ${id} (16384)`),
    ...[1, 3, 5].map((id) => `data 0 ${id} (16384)`),
    ...[1, 3, 5].map((id) => `data 1 ${id} (7232)`),
  ]);
});

test("a queue says when it is full, and when there is room", () => {
  const server = started({ maxQueuedBytes: 1000 })
    .push(settings([4, 100]))
    .push(headers(1, get, true));
  server.connection.sendHead(1, 200, fields(), false);
  assert.equal(server.connection.sendData(1, body(1000), 0, 1000, false), "open", "100 are sent, 900 wait");
  assert.equal(server.connection.sendData(1, body(100), 0, 100, false), "full");
  server.frames();
  server.push(windowUpdate(1, 400)).frames();
  assert.ok(!server.events.includes("writable 1"));
  server.push(windowUpdate(1, 100)).frames();
  assert.equal(server.events.at(-1), "writable 1");
  assert.equal(server.connection.sendData(1, body(100), 0, 100, true), "open");
  server.push(windowUpdate(1, 5000));
  assert.match(server.frames().at(-1) ?? "", /^data 1 1 /);
  assert.equal(server.connection.streamCount, 0);
});

test("the end is said by the last frame of data as long as that has not left", () => {
  const server = started()
    .push(headers(1, get, true))
    .push(headers(3, get, true));
  for (const id of [1, 3]) {
    server.connection.sendHead(id, 200, fields(), false);
    server.connection.sendData(id, body(2), 0, 2, false);
  }
  server.connection.sendData(1, body(0), 0, 0, true);
  const sent = server.frames().filter((frame) => frame.startsWith("data"));
  assert.deepEqual(
    sent.map((frame) => frame.slice(0, 8)),
    ["data 1 1", "data 0 3"],
  );
  server.connection.sendData(3, body(0), 0, 0, true);
  assert.deepEqual(server.frames(), ["data 1 3 (0)"]);
});

test("the rest of a request that is of no use is dropped, and the stream ends with its response", () => {
  const server = started({ streamWindowBytes: 100 }).push(headers(1, post, false));
  server.connection.sendHead(1, 413, fields(), false);
  server.connection.discardRequest(1);
  for (let i = 0; i < 3; i += 1) server.push(data(1, body(60)));
  assert.ok(!server.events.some((event) => event.startsWith("data")));
  assert.equal(
    server.frames().filter((frame) => frame.startsWith("windowUpdate 0 1 ")).length,
    3,
    "its window is given back",
  );
  server.connection.sendData(1, body(1), 0, 1, true);
  assert.match(server.frames().at(-1) ?? "", /^rstStream 0 1 /);
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

test("of a stream's data what was taken as output counts, not what waits for a window or its turn", () => {
  const server = started()
    .push(settings([4, 10]))
    .push(headers(1, post, false));
  const taken = (): number | undefined => server.connection.takenBytes(1);
  server.connection.sendHead(1, 200, fields(), false);
  server.connection.sendData(1, body(4), 0, 4, false);
  server.connection.sendData(1, body(25), 0, 25, false);
  assert.equal(taken(), 0);
  server.frames();
  assert.equal(taken(), 10);
  server.push(windowUpdate(1, 7));
  assert.equal(taken(), 10);
  server.frames();
  assert.equal(taken(), 17);
  let atReset: number | undefined;
  server.react = (event) => {
    if (event.startsWith("reset")) atReset = taken();
  };
  server.push(windowUpdate(1, 5)).push(rstStream(1, 8));
  assert.equal(atReset, 17, "who is told of the reset may ask");
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
  assert.equal(server.connection.sendData(1, body(1), 0, 1, false), "gone", "nothing goes behind the end");
  assert.equal(server.connection.sendData(3, body(0), 0, 0, true), "open");
  assert.deepEqual(server.frames(), ["data 0 1 (4)", "data 1 3 (0)"]);
  server.push(windowUpdate(1, 10));
  assert.match(server.frames().join("; "), /^data 0 1 \(2\); headers 5 1 /);
  assert.equal(server.connection.streamCount, 0);
});

test("any bodies arrive whole over any windows, and no window is ever exceeded", () => {
  const step = fc.record({
    id: fc.constantFrom(1, 3, 5, 7),
    bytes: fc.integer({ min: 0, max: 600 }),
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
          if (action === "send") {
            client.connection.sendData(id, pattern, from, from + bytes, false);
            sent.set(id, from + bytes);
          } else if (action === "consume") consume(id);
          else exchange(client, server);
        }
        for (const id of sent.keys()) client.connection.sendData(id, pattern, 0, 0, true);
        for (let i = 0; i < 40_000 && client.connection.streamCount > 0; i += 1) {
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
