import assert from "node:assert/strict";
import { test } from "node:test";
import { formatGrpcTimeout, parseGrpcTimeout } from "./grpc-timeout.ts";

test("a gRPC timeout is read in every unit, and what is not one is not read", () => {
  const read: readonly (readonly [text: string, milliseconds: number | undefined])[] = [
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["4m", 4],
    ["5u", 1],
    ["2001u", 3],
    ["1000000n", 1],
    ["1000001n", 2],
    ["0n", 0],
    ["99999999H", 359_999_996_400_000],
    ["100000000m", undefined],
    ["", undefined],
    ["m", undefined],
    ["1", undefined],
    ["1s", undefined],
    ["-1m", undefined],
    ["+1m", undefined],
    ["1.5S", undefined],
    [" 1m", undefined],
  ];
  for (const [text, milliseconds] of read) assert.equal(parseGrpcTimeout(text), milliseconds, text);
  assert.equal(parseGrpcTimeout(undefined), undefined);
});

test("a gRPC timeout is written in the smallest unit that holds it", () => {
  const written: readonly (readonly [milliseconds: number, text: string])[] = [
    [0, "0m"],
    [1.9, "1m"],
    [99_999_999, "99999999m"],
    [100_000_000, "100000S"],
    [100_000_000_000, "1666666M"],
    [6_000_000_000_000, "1666666H"],
    [1e30, "99999999H"],
  ];
  for (const [milliseconds, text] of written) assert.equal(formatGrpcTimeout(milliseconds), text);
});
