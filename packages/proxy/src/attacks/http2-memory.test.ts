import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AttackArena } from "../testing/attack-arena.ts";
import type { Http2Attacker } from "../testing/http2-attacker.ts";
import {
  block,
  type Field,
  frame,
  frameType,
  indexedLiteral,
  newestEntry,
  request,
  requestFields,
  settings,
  windowUpdate,
} from "../testing/http2-frames.ts";

// Few bytes on the wire that become many in memory, and windows that never open so that they stay there (CVE-2019-9511 and 9517, CVE-2024-27316,
// CVE-2026-47774, CVE-2026-73550).

let arena: AttackArena;
// Short enough to be waited for; what is cut off by it would be cut off after five minutes otherwise.
before(async () => (arena = await AttackArena.start({ manager: { stream_idle_timeout: "1s" } })));
after(() => arena[Symbol.asyncDispose]());

const enhanceYourCalm = 11;
const initialWindowSize = 4;
const id = (index: number): number => 2 * index + 1;
const { headers: HEADERS, continuation, rstStream } = frameType;
const streams = Array.from({ length: 100 }, (_, index) => id(index));

/** HEADERS and as many CONTINUATION as it takes, with END_STREAM. */
function longBlock(streamId: number, bytes: Buffer): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 16_384) {
    const isLast = at + 16_384 >= bytes.length;
    const type = at === 0 ? HEADERS : continuation;
    frames.push(frame(type, (at === 0 ? 1 : 0) | (isLast ? 4 : 0), streamId, bytes.subarray(at, at + 16_384)));
  }
  return Buffer.concat(frames);
}

test("a header block without an end is cut off before it has one (CVE-2024-27316)", async () => {
  const stat = "http2.header_overflow";
  const counted = await arena.stat(stat);
  const outcome = await arena.attacks(async (attacker) => {
    await attacker.send(frame(HEADERS, 1, 1, block(requestFields("/app"))));
    const piece = frame(continuation, 0, 1, block([["x-piece", "x".repeat(16_000)]]));
    const sent = await attacker.flood(() => piece, 4000, 10);
    await attacker.cutOff();
    // What the sockets' buffers take besides is never looked at.
    assert.ok(sent < 4000, `${sent} pieces were taken`);
    return attacker.goAway;
  });
  assert.equal(outcome.result?.errorCode, enhanceYourCalm);
  assert.equal(outcome.handled, 0);
  assert.equal(await arena.stat(stat), counted + 1);
});

function isAnswered(attacker: Http2Attacker): boolean {
  return streams.every((streamId) => [HEADERS, rstStream].some((type) => attacker.on(streamId, type).length > 0));
}

interface Bomb {
  readonly what: string;
  /** The block behind the pseudo-header fields. */
  readonly fields: Buffer;
}

const named = (name: string, value: string, times: number): Buffer =>
  Buffer.concat([indexedLiteral(name, value), Buffer.alloc(times, newestEntry)]);

const bombs: readonly Bomb[] = [
  { what: "one large field that is named 100,000 times", fields: named("x-bomb", "x".repeat(4000), 100_000) },
  { what: "100,000 crumbs of a cookie", fields: named("cookie", "a=b", 100_000) },
  { what: "few crumbs that are large", fields: named("cookie", "x".repeat(4000), 90) },
  { what: "copies of Host, which are discarded", fields: named("host", "attacked", 100_000) },
  { what: "few copies of a large Host", fields: named("host", "x".repeat(4000), 90) },
];

for (const { what, fields } of bombs) {
  test(`${what}, on every stream and never let go, cost one answer each and no memory`, async () => {
    const outcome = await arena.attacks(
      async (attacker) => {
        // There is no window: what is answered with a body stays until the proxy ends it.

        const bytes = Buffer.concat([block(requestFields("/app")), fields]);
        for (const streamId of streams) await attacker.send(longBlock(streamId, bytes));
        await attacker.until("an answer or a reset on every stream", () => attacker.isCutOff || isAnswered(attacker));
        assert.ok(await attacker.isBorne(), `the connection ended: ${attacker.goAway?.debugData}`);
        const heads = streams.flatMap((streamId) => attacker.on(streamId, HEADERS));
        // :status as a literal or by index, and 431 in either form; never 200 (index 8).
        for (const { payload } of heads) assert.notEqual(payload[0], 0x88);
      },
      settings([initialWindowSize, 0]),
    );
    assert.equal(outcome.handled, 0);
  });
}

/** Answers that are asked for on every stream while windows stay as they are. */
async function askForAll(attacker: Http2Attacker, path = "/app/large"): Promise<void> {
  await attacker.send(...streams.map((streamId) => request(streamId, path)));
}

const allEnded = (attacker: Http2Attacker): boolean =>
  streams.every((streamId) => attacker.hasEnded(streamId)) || attacker.isCutOff;

test("streams whose window stays shut are ended, and hold no more than their buffers meanwhile (CVE-2019-9517)", async () => {
  const outcome = await arena.attacks(
    async (attacker) => {
      await askForAll(attacker);
      await attacker.until("the end of every stream", () => allEnded(attacker));
      assert.equal(attacker.dataBytes, 0);
    },
    settings([initialWindowSize, 0]),
  );
  assert.ok(outcome.handled <= streams.length);
});

for (const [what, path] of [
  ["answers that are still coming", "/app/large"],
  ["answers that the proxy holds whole", "/app/short"],
] as const) {
  test(`streams whose window is opened drop by drop are ended, with ${what} (CVE-2019-9511, CVE-2026-47774)`, async () => {
    const stat = "http2.tx_flush_timeout";
    const counted = await arena.stat(stat);
    await arena.attacks(
      async (attacker) => {
        await askForAll(attacker, path);
        // A drop for every stream now and then, as long as one is there: something always moves.
        while (!allEnded(attacker)) {
          const before = attacker.dataBytes;
          const open = streams.filter((streamId) => !attacker.hasEnded(streamId));
          await attacker.send(...open.map((streamId) => windowUpdate(streamId, 1)));
          await delay(20);
          await attacker.until("the drops, or the end", () => attacker.dataBytes > before || allEnded(attacker));
        }
        assert.equal(attacker.isCutOff, false, "the connection itself broke no rule");
      },
      settings([initialWindowSize, 1]),
    );
    // An exchange that is not over has its idle time besides, and either may be the first.
    if (path === "/app/short") assert.ok((await arena.stat(stat)) > counted, "the proxy ended what it held whole");
  });
}

test("a client with wide windows that does not read holds no more than one buffer (CVE-2019-9517)", async () => {
  await arena.attacks(
    async (attacker) => {
      await attacker.send(windowUpdate(0, 2 ** 31 - 1 - 65_535));
      attacker.socket.pause();
      await askForAll(attacker);
      // The application is stopped for each of them: none of its answers can be taken whole.
      await arena.untilStat("http.attacked.downstream_rq_active", 0);
    },
    settings([initialWindowSize, 2 ** 31 - 1]),
  );
});

test("requests with fields that are as large as allowed are held once, however many", async () => {
  const fields: Field[] = Array.from({ length: 80 }, (_, index) => [`x-field-${index}`, "x".repeat(600)]);
  const outcome = await arena.attacks(async (attacker) => {
    for (const streamId of streams)
      await attacker.send(longBlock(streamId, block([...requestFields("/app/never"), ...fields])));
    await attacker.until("the end of every stream", () => allEnded(attacker));
  });
  assert.ok(outcome.handled <= streams.length);
});
