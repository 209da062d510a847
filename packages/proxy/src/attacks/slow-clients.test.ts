import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connectRaw, type RawPeer } from "@heddle/testkit";
import { AttackArena } from "../testing/attack-arena.ts";
import { Http2Attacker } from "../testing/http2-attacker.ts";
import { block, data, frame, frameType, request, requestFields, windowUpdate } from "../testing/http2-frames.ts";

// Slowloris, slow bodies and slow readers (slowhttptest's three): many connections that never quite stop. Each ends when its time is over, however
// often something moves.

let arena: AttackArena;
before(async () => {
  arena = await AttackArena.start({
    manager: {
      request_headers_timeout: "1s",
      request_timeout: "1s",
      stream_idle_timeout: "2s",
      common_http_protocol_options: { idle_timeout: "2s" },
      delayed_close_timeout: "0.1s",
    },
  });
});
after(() => arena[Symbol.asyncDispose]());

const crowd = 200;
/** From one drop to the next: the pace of the attack. */
const paceMs = 100;

/** Opens many connections, says `first`, and adds a drop to each now and then until all have been ended. @returns what each was told */
async function drip(port: number, first: string, drop: string): Promise<string[]> {
  const clients = await Promise.all(Array.from({ length: crowd }, () => connectRaw(port)));
  try {
    await Promise.all(clients.map((client) => client.send(first)));
    while (clients.some((client) => !client.isEnded)) {
      await delay(paceMs);
      await Promise.all(clients.filter((client) => !client.isEnded).map((client) => client.send(drop)));
    }
    return clients.map((client) => client.received);
  } finally {
    await Promise.all(clients.map((client: RawPeer) => client[Symbol.asyncDispose]()));
  }
}

test("heads that come drop by drop are ended by request_headers_timeout (slowloris)", async () => {
  const outcome = await arena.endures((port) => drip(port, "GET /app HTTP/1.1\r\nhost: a\r\nx-slow: ", "x"));
  for (const answer of outcome.result) assert.match(answer, /^HTTP\/1\.1 408 /);
  assert.equal(outcome.handled, 0);
  assert.ok((await arena.stat("http.attacked.downstream_rq_4xx")) >= crowd);
});

test("fields that come one by one are ended by it as well", async () => {
  const outcome = await arena.endures((port) => drip(port, "GET /app HTTP/1.1\r\nhost: a\r\n", "x-slow: 1\r\n"));
  for (const answer of outcome.result) assert.match(answer, /^HTTP\/1\.1 408 /);
  assert.equal(outcome.handled, 0);
});

test("bodies that come drop by drop are ended by request_timeout", async () => {
  const head = "POST /app HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
  const outcome = await arena.endures((port) => drip(port, head, "x"));
  for (const answer of outcome.result) assert.match(answer, /^HTTP\/1\.1 408 /);
});

test("connections that say nothing at all are ended by idle_timeout", async () => {
  await arena.endures(async (port) => {
    const clients = await Promise.all(Array.from({ length: crowd }, () => connectRaw(port)));
    await Promise.all(clients.map((client) => client.untilEnd()));
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
});

test("clients that do not read their answers are ended by stream_idle_timeout, and hold one buffer each", async () => {
  await arena.endures(async (port) => {
    const clients = await Promise.all(Array.from({ length: crowd / 4 }, () => connectRaw(port)));
    for (const client of clients) client.socket.pause();
    await Promise.all(clients.map((client) => client.send("GET /app/large HTTP/1.1\r\nhost: a\r\n\r\n")));
    await arena.untilStat("http.attacked.downstream_rq_active", clients.length);
    await arena.untilStat("http.attacked.downstream_rq_active", 0);
    for (const client of clients) await client[Symbol.asyncDispose]();
  });
});

test("a header block of HTTP/2 that comes drop by drop ends its connection", async () => {
  const outcome = await arena.attacks(async (attacker) => {
    await attacker.send(frame(frameType.headers, 0, 1, block(requestFields("/app"))));
    while (!attacker.isCutOff) {
      await delay(paceMs);
      await attacker.send(frame(frameType.continuation, 0, 1, block([["x", "y"]])));
    }
    return attacker.goAway;
  });
  assert.equal(outcome.result?.errorCode, 11);
  assert.equal(outcome.handled, 0);
});

test("a frame of HTTP/2 that comes byte by byte ends its connection", async () => {
  const outcome = await arena.attacks(async (attacker) => {
    const bytes = request(1, "/app", { fields: [["x-long", "x".repeat(10_000)]] });
    for (let at = 0; at < bytes.length && !attacker.isCutOff; at += 1) {
      await attacker.send(bytes.subarray(at, at + 1));
      if (at > 20) await delay(paceMs);
    }
    return attacker.goAway;
  });
  assert.equal(outcome.result?.errorCode, 11);
});

test("a client of HTTP/2 that says no preface is ended", async () => {
  await arena.endures(async (port) => {
    const client = await connectRaw(port);
    await client.send("PRI * HTTP/2.0\r\n\r\n");
    await client.untilEnd();
    await client[Symbol.asyncDispose]();
  });
});

test("bodies of HTTP/2 that come drop by drop are ended by request_timeout, and their connection goes on", async () => {
  await arena.attacks(async (attacker) => {
    const ids = Array.from({ length: 50 }, (_, index) => 2 * index + 1);
    for (const id of ids) await attacker.send(request(id, "/app", { method: "POST", isEnd: false }));
    while (!ids.every((id) => attacker.hasEnded(id)) && !attacker.isCutOff) {
      await delay(paceMs);
      await attacker.send(...ids.filter((id) => !attacker.hasEnded(id)).map((id) => data(id, "x")));
    }
    assert.ok(await attacker.isBorne());
  });
});

test("a client that always has its next head on the way is no slow one", async () => {
  await Http2Attacker.attack(arena.port, async (client) => {
    const heads = (index: number): Buffer => request(2 * index + 1, "/app");
    const endsAt = performance.now() + 1500;
    let index = 0;
    await client.send(windowUpdate(0, 2 ** 30), heads(0).subarray(0, 20));
    // Longer than request_headers_timeout: at no moment is there no head that has begun.
    while (performance.now() < endsAt) {
      await client.send(Buffer.concat([heads(index).subarray(20), heads(index + 1).subarray(0, 20)]));
      await client.until("the answer", () => client.isCutOff || client.hasEnded(2 * index + 1));
      assert.equal(client.isCutOff, false, `the connection ended after ${index} requests`);
      index += 1;
    }
  });
});
