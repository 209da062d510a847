import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
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
} from "../http2-frames.ts";
import { pieces } from "../recorder.ts";
import { cutAt, withCuts } from "./splits.ts";

type Role = "server" | "client";

interface Run {
  readonly events: readonly string[];
  readonly frames: readonly string[];
}

/** A connection whose owner answers what it is asked, on the input in pieces. */
function run(role: Role, bytes: Buffer, cuts: readonly number[]): Run {
  const recorded = new Recorded(role, {
    maxHeaderListBytes: 2000,
    maxHeaders: 20,
    maxConcurrentStreams: 5,
    enableConnectProtocol: true,
  });
  recorded.push(role === "server" ? hello : settings());
  if (role === "client") {
    for (const method of ["GET", "POST", "HEAD"])
      recorded.connection.openStream(
        { method, scheme: "http", authority: "a", path: "/", headers: fields() },
        method !== "POST",
      );
  }
  recorded.react = (event, id) => {
    if (event === "request") recorded.connection.sendHead(id, 200, fields(["k", "v"]), false);
    if (event === "too-large") recorded.connection.sendHead(id, 431, fields(), true);
    if (event === "end") recorded.connection.sendData(id, body(100), 0, 100, true);
    if (event === "data") recorded.connection.consume(id, 1);
  };
  for (const [piece, start, end] of pieces(bytes, cuts)) recorded.connection.push(piece, start, end, 0);
  return { events: recorded.events, frames: recorded.frames() };
}

export const target: FuzzTarget = {
  about:
    "any pieces give the same events and frames, as server and as client, and nothing is heard of a dead connection",
  seeds: [
    cutAt(
      [12],
      Buffer.concat([Buffer.from([0]), headers(1, get, true), headers(3, post, false), data(3, "hello", true)]),
    ),
    cutAt(
      [],
      Buffer.concat([
        Buffer.from([0]),
        headers(1, [...post, ["content-length", "5"]], false),
        data(1, "hel"),
        data(1, "lo"),
        headers(1, [["t", "1"]], true),
      ]),
    ),
    cutAt(
      [],
      Buffer.concat([
        Buffer.from([0]),
        settings([4, 20], [1, 0]),
        windowUpdate(0, 100),
        headers(1, get, true),
        windowUpdate(1, 50),
        rstStream(1, 8),
      ]),
    ),
    cutAt(
      [],
      Buffer.concat([
        Buffer.from([0]),
        frame(1, 1, 1, "\x82\x86"),
        frame(9, 4, 1, "\x84\x41\x01a"),
        frame(6, 0, 0, "12345678"),
        frame(7, 0, 0, "\0\0\0\0\0\0\0\0x"),
      ]),
    ),
    cutAt(
      [],
      Buffer.concat([
        Buffer.from([1]),
        headers(1, [[":status", "103"]], false),
        headers(1, [[":status", "200"]], false),
        data(1, "hello", true),
      ]),
    ),
    cutAt(
      [],
      Buffer.concat([
        Buffer.from([1]),
        headers(
          3,
          [
            [":status", "200"],
            ["content-length", "2"],
          ],
          false,
        ),
        frame(0, 9, 3, "\x01ok\0"),
        rstStream(3, 0),
        frame(2, 0, 5, "\0\0\0\0\0"),
      ]),
    ),
  ],
  dictionary: [
    headers(1, get, true),
    headers(3, post, false),
    headers(1, [[":status", "200"]], false),
    data(1, "x", true),
    data(1, ""),
    settings(),
    frame(4, 1, 0),
    windowUpdate(1, 1),
    windowUpdate(0, 2 ** 31 - 1),
    rstStream(1, 8),
    frame(6, 0, 0, "12345678"),
    frame(7, 0, 0, "\0\0\0\0\0\0\0\0"),
    "\x82",
    "\x84",
    "\x86",
    "\x88",
    "\0\0\0",
    "\0\0\x01",
    "\0\0\0\x01",
    "\xff\xff\xff\xff",
    "\x7f\xff\xff\xff",
    "\x41\x01a",
    "\x00\x01x\x01y",
    "\x3f\xe1\x1f",
  ],
  run(input) {
    const { bytes, cuts } = withCuts(input);
    if (bytes.length === 0) return;
    const role: Role = ((bytes[0] as number) & 1) === 0 ? "server" : "client";
    const frames = bytes.subarray(1);
    const whole = run(role, frames, []);
    assert.deepEqual(run(role, frames, cuts), whole);
    assert.deepEqual(run(role, frames, Array.from(frames.keys())), whole);
    const end = whole.events.findIndex((event) => event.startsWith("error "));
    assert.ok(end < 0 || end === whole.events.length - 1, "an event behind the last");
  },
};
