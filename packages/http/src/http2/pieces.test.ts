import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  body,
  data,
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

/** Streams that have begun, so that most frames find theirs: most of what follows is not the end of the connection. */
const beginnings = {
  server: Buffer.concat([hello, headers(1, post, false), headers(3, [...post, ["content-length", "5"]], false)]),
  client: Buffer.concat([settings(), headers(1, [[":status", "103"]], false), headers(1, [[":status", "200"]], false)]),
};

const likelyFrame = fc.constantFrom(
  headers(1, [["t", "1"]], true),
  headers(9, get, true),
  headers(11, [["bad name", "1"]], true),
  data(1, "hello"),
  data(3, "hello", true),
  data(3, "hell", true),
  data(1, "", true),
  frame(0, 9, 1, "\x02hi\0\0"),
  settings([4, 20], [1, 100]),
  settings(),
  frame(ping, 0, 0, "12345678"),
  windowUpdate(1, 10),
  windowUpdate(0, 1),
  windowUpdate(3, 0),
  rstStream(1, 8),
  frame(priority, 0, 1, "\0\0\0\0\0"),
  frame(0x50, 0, 0, "unknown"),
  Buffer.concat([frame(HEADERS, 1, 7, "\x82\x86"), frame(continuation, 4, 7, "\x84\x41\x01a")]),
  frame(7, 0, 0, "\0\0\0\0\0\0\0\0bye"),
);
const anyFrame = fc
  .tuple(fc.nat(11), fc.nat(255), fc.nat(5), fc.uint8Array({ maxLength: 20 }))
  .map(([type, flags, id, payload]) => frame(type, flags, id, Buffer.from(payload)));
const randomFrame = fc.oneof({ weight: 15, arbitrary: likelyFrame }, { weight: 1, arbitrary: anyFrame });

test("any split of the input gives the same events and the same output, and nothing crashes", () => {
  const run = (bytes: Buffer, cuts: readonly number[], role: "server" | "client"): unknown => {
    const recorded = new Recorded(role);
    if (role === "client") {
      recorded.connection.openStream(
        { method: "POST", scheme: "http", authority: "a", path: "/", headers: fields() },
        false,
      );
    }
    recorded.react = (event, id) => {
      if (event === "request") recorded.connection.sendHead(id, 200, fields(["k", "v"]), false);
      if (event === "end") recorded.connection.sendData(id, body(30), 0, 30, true);
    };
    for (const [piece, start, end] of pieces(bytes, cuts)) recorded.connection.push(piece, start, end, 0);
    return [recorded.events, recorded.frames()];
  };
  fc.assert(
    fc.property(
      fc.array(randomFrame, { maxLength: 25 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.constantFrom("server" as const, "client" as const),
      (frames, cuts, role) => {
        const bytes = Buffer.concat([beginnings[role], ...frames]);
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
