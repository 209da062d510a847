import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AttackArena } from "../testing/attack-arena.ts";
import {
  data,
  frame,
  frameType,
  headers,
  request,
  requestFields,
  rstStream,
  windowUpdate,
} from "../testing/http2-frames.ts";

// Requests that are begun and ended at once: by the client (CVE-2023-44487, rapid reset) or by faults that make the proxy reset them (CVE-2025-8671,
// MadeYouReset; CVE-2019-9514). What they cost is what reaches the application.

let arena: AttackArena;
before(async () => (arena = await AttackArena.start()));
after(() => arena[Symbol.asyncDispose]());

const enhanceYourCalm = 11;
const id = (index: number): number => 2 * index + 1;

test("requests that are reset at once end the connection when they can no longer be less than half of 500", async () => {
  const stat = "http.attacked.downstream_rq_too_many_premature_resets";
  const counted = await arena.stat(stat);
  const outcome = await arena.attacks(async (attacker) => {
    const step = (index: number): Buffer => Buffer.concat([request(id(index), "/app/never"), rstStream(id(index), 8)]);
    await attacker.send(...Array.from({ length: 250 }, (_, index) => step(index)));
    assert.ok(await attacker.isBorne(), "half of the streams may be reset");
    await attacker.send(...Array.from({ length: 1000 }, (_, index) => step(250 + index)));
    await attacker.cutOff();
    return attacker.goAway;
  });
  assert.equal(outcome.result?.errorCode, enhanceYourCalm);
  assert.ok(outcome.handled <= 251, `${outcome.handled} requests reached the application`);
  assert.equal(await arena.stat(stat), counted + 1);
});

test("a client that resets its requests once their answers have begun keeps its connection", async () => {
  const outcome = await arena.attacks(async (attacker) => {
    for (let index = 0; index < 300; index += 1) {
      await attacker.send(request(id(index), "/app/large"));
      await attacker.until(
        "an answer",
        () => attacker.isCutOff || attacker.on(id(index), frameType.headers).length > 0,
      );
      await attacker.send(rstStream(id(index), 8));
    }
    await attacker.isBorne();
    return attacker.goAway;
  });
  assert.equal(outcome.result, undefined);
});

test("a client that goes on resetting what it has had answers to spends its tokens, and no more", async () => {
  const outcome = await arena.attacks(async (attacker) => {
    // The streams have ended: nothing is premature, and each RST_STREAM must be read all the same.
    await attacker.send(request(1, "/missing"));
    await attacker.until("the answer", () => attacker.on(1, frameType.headers).length > 0);
    const sent = await attacker.flood(() => rstStream(1, 8), 20_000, 500);
    assert.ok(sent < 20_000, "the connection was cut off");
    return attacker.goAway;
  });
  assert.equal(outcome.result?.debugData, "resetFlood");
  assert.equal(outcome.handled, 0);
});

interface Fault {
  readonly what: string;
  readonly step: (streamId: number) => Buffer;
  readonly stat: string;
}

const get = (streamId: number): Buffer => request(streamId, "/app/never");
const post = (streamId: number): Buffer => request(streamId, "/app/never", { method: "POST", isEnd: false });
const messaging = "http2.rx_messaging_error";

const faults: readonly Fault[] = [
  {
    what: "a window beyond its end",
    step: (streamId) => Buffer.concat([get(streamId), windowUpdate(streamId, 2 ** 31 - 1)]),
    stat: messaging,
  },
  {
    what: "WINDOW_UPDATE by nothing",
    step: (streamId) => Buffer.concat([get(streamId), windowUpdate(streamId, 0)]),
    stat: messaging,
  },
  {
    what: "DATA behind the end of a stream",
    step: (streamId) => Buffer.concat([get(streamId), data(streamId, "x")]),
    stat: messaging,
  },
  {
    what: "HEADERS behind the end of a stream",
    step: (streamId) => Buffer.concat([get(streamId), request(streamId, "/app")]),
    stat: messaging,
  },
  {
    what: "a stream that depends on itself",
    step: (streamId) => {
      const priority = Buffer.alloc(5);
      priority.writeUInt32BE(streamId);
      return Buffer.concat([post(streamId), frame(frameType.priority, 0, streamId, priority)]);
    },
    stat: messaging,
  },
  {
    what: "a body longer than announced",
    step: (streamId) =>
      Buffer.concat([
        request(streamId, "/app/never", { method: "POST", fields: [["content-length", "1"]], isEnd: false }),
        data(streamId, "xx"),
      ]),
    stat: messaging,
  },
  {
    what: "a field without a name (CVE-2019-9516)",
    step: (streamId) => headers(streamId, [...requestFields("/app"), ["", ""]], true),
    stat: messaging,
  },
  {
    what: "requests beyond the streams that are allowed",
    step: get,
    stat: "http2.stream_refused_errors",
  },
];

for (const { what, step, stat } of faults) {
  test(`resets that are made by ${what} are limited, and so is what reaches the application`, async () => {
    const counted = await arena.stat(stat);
    const flooded = await arena.stat("http2.rx_messaging_error");
    const outcome = await arena.attacks(async (attacker) => {
      const sent = await attacker.flood((index) => step(id(index)), 4000);
      await attacker.cutOff();
      assert.ok(sent <= 4000);
      return attacker.goAway;
    });
    assert.equal(outcome.result?.errorCode, enhanceYourCalm);
    assert.equal(outcome.result?.debugData, "causedResetFlood");
    assert.ok(outcome.handled <= 1100, `${outcome.handled} requests reached the application`);
    assert.ok((await arena.stat(stat)) - counted >= 1000);
    assert.ok((await arena.stat("http2.rx_messaging_error")) > flooded, "the flood itself is counted");
  });
}
