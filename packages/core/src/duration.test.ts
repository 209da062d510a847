import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatDuration, parseDuration } from "./duration.ts";

const readable: [text: string, ms: number][] = [
  ["0", 0],
  ["0s", 0],
  ["10ms", 10],
  ["1.5s", 1500],
  ["1.001s", 1001],
  ["1h2m", 3_720_000],
  ["1h2m3.5s", 3_723_500],
  ["+2s", 2000],
  [".5s", 500],
  ["5.s", 5000],
  ["100us", 0.1],
  ["100\u00b5s", 0.1],
  ["100\u03bcs", 0.1],
  ["1ns", 0.000001],
  ["1s1s", 2000],
  ["0.000000001s", 0.000001],
  ["315576000000s", 315_576_000_000_000],
];

for (const [text, ms] of readable) {
  test(`reads ${text} as ${ms} ms`, () => assert.equal(parseDuration(text), ms));
}

const unreadable = [
  "",
  "+",
  "-1s",
  "1",
  "1.5",
  "s",
  "1 s",
  " 1s",
  "1s ",
  "1d",
  "1S",
  "1s2",
  ".s",
  "1..5s",
  "1e3s",
  "NaNs",
  "Infinitys",
  "0x1s",
  "315576000001s",
  "9".repeat(63) + "s",
  "1s\n",
];

for (const text of unreadable) {
  test(`refuses ${JSON.stringify(text)} as a duration`, () => assert.equal(parseDuration(text), undefined));
}

test("writes durations the way Go does", () => {
  const written = [0, 0.000001, 0.25, 250, 1000, 1500, 60_000, 3_723_500].map(formatDuration);
  assert.deepEqual(written, ["0s", "1ns", "250us", "250ms", "1s", "1.5s", "1m", "1h2m3.5s"]);
});

test("reads back every duration that it writes", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1_000_000_000 }), fc.nat({ max: 999_999 }), (ms, nanoseconds) => {
      const duration = (ms * 1e6 + nanoseconds) / 1e6;
      assert.equal(parseDuration(formatDuration(duration)), duration);
    }),
  );
});

test("never throws on any text", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDuration(text);
      assert.ok(ms === undefined || ms >= 0);
    }),
  );
});
