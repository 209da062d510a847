import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { AttackArena } from "../testing/attack-arena.ts";
import {
  block,
  data,
  frame,
  frameType,
  ping,
  request,
  requestFields,
  settings,
  windowUpdate,
} from "../testing/http2-frames.ts";

// CVE-2019-9511 to 9518 and their like: frames that cost the proxy more than whoever sends them.

/** An answer with a field too large for the table of HPACK, so that each takes its five kilobytes. */
const wordy = {
  match: { path: "/wordy" },
  direct_response: { status: 404 },
  response_headers_to_add: [{ header: { key: "x-wordy", value: "w".repeat(5000) } }],
};

let arena: AttackArena;
before(async () => (arena = await AttackArena.start({ routes: [wordy] })));
after(() => arena[Symbol.asyncDispose]());

const enhanceYourCalm = 11;
const id = (index: number): number => 2 * index + 1;
const { headers: HEADERS, continuation, priority } = frameType;

interface ReadFlood {
  readonly what: string;
  /** Envoy's name of the counter. */
  readonly stat: string;
  readonly before?: readonly Buffer[];
  readonly step: (index: number) => Buffer;
  /** Steps that are borne; the next ends the connection. */
  readonly allowed: number;
  /** Requests that reach the application, at most. */
  readonly handled: number;
}

const readFloods: readonly ReadFlood[] = [
  {
    what: "empty DATA frames (CVE-2019-9518)",
    stat: "http2.inbound_empty_frames_flood",
    before: [request(1, "/app", { method: "POST", isEnd: false })],
    step: () => data(1, ""),
    allowed: 1,
    handled: 1,
  },
  {
    what: "DATA frames of padding alone",
    stat: "http2.inbound_empty_frames_flood",
    before: [request(1, "/app", { method: "POST", isEnd: false })],
    step: () => frame(frameType.data, 0x8, 1, "\x01\0"),
    allowed: 1,
    handled: 1,
  },
  {
    what: "PRIORITY frames (CVE-2019-9513)",
    stat: "http2.inbound_priority_frames_flood",
    before: [request(1, "/app/never", { method: "POST", isEnd: false })],
    step: () => frame(priority, 0, 1, "\0\0\0\0\0"),
    allowed: 200,
    handled: 1,
  },
  {
    what: "WINDOW_UPDATE frames",
    stat: "http2.inbound_window_update_frames_flood",
    before: [request(1, "/app/never", { method: "POST", isEnd: false })],
    step: () => windowUpdate(1, 1),
    allowed: 7,
    handled: 1,
  },
  {
    what: "a header block in pieces of nothing",
    stat: "http2.inbound_empty_frames_flood",
    before: [frame(HEADERS, 0, 1, block(requestFields("/app")))],
    // A PING within a header block would be an error of its own: the first step is one that is borne, but cannot be seen to be.
    step: () => Buffer.concat([frame(continuation, 0, 1), frame(continuation, 0, 1)]),
    allowed: 0,
    handled: 0,
  },
];

for (const { what, stat, before: first = [], step, allowed, handled } of readFloods) {
  test(`${what} end the connection at the limit, and not before it`, async () => {
    const counted = await arena.stat(stat);
    const outcome = await arena.attacks(async (attacker) => {
      await attacker.send(...first);
      await attacker.send(...Array.from({ length: allowed }, (_, index) => step(index)));
      if (allowed > 0) assert.ok(await attacker.isBorne(), "the limit itself is borne");
      await attacker.send(step(allowed));
      await attacker.cutOff();
      return attacker.goAway;
    });
    assert.equal(outcome.result?.errorCode, enhanceYourCalm);
    assert.ok(outcome.handled <= handled, `${outcome.handled} requests reached the application`);
    assert.equal(await arena.stat(stat), counted + 1);
  });
}

interface UnreadFlood {
  readonly what: string;
  readonly stat: string;
  readonly step: (index: number) => Buffer;
  /** More than the socket buffers of both sides and the limit take. */
  readonly steps: number;
  readonly handled: number;
}

const unreadFloods: readonly UnreadFlood[] = [
  {
    what: "PING frames (CVE-2019-9512)",
    stat: "http2.outbound_control_flood",
    step: () => ping,
    steps: 1_000_000,
    handled: 0,
  },
  {
    what: "SETTINGS frames (CVE-2019-9515)",
    stat: "http2.outbound_control_flood",
    step: () => settings(),
    steps: 2_000_000,
    handled: 0,
  },
  {
    what: "requests that get long answers",
    stat: "http2.outbound_flood",
    step: (index) => request(id(index), "/wordy"),
    steps: 6000,
    handled: 0,
  },
];

for (const { what, stat, step, steps, handled } of unreadFloods) {
  test(`${what} whose answers are not read end the connection`, async () => {
    const counted = await arena.stat(stat);
    const outcome = await arena.attacks(async (attacker) => {
      attacker.socket.pause();
      await attacker.flood(step, steps, 1000);
      await arena.untilStat(stat, counted + 1);
    });
    assert.ok(outcome.handled <= handled, `${outcome.handled} requests reached the application`);
  });
}
