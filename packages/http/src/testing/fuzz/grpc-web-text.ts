import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { Base64Decoder } from "../../grpc-web.ts";
import { cutAt, withCuts } from "./splits.ts";

function decode(bytes: Buffer, cuts: readonly number[]): Buffer | undefined {
  const decoder = new Base64Decoder();
  const decoded: Buffer[] = [];
  const places = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  for (let at = 1; at < places.length; at += 1) {
    const piece = decoder.push(bytes, places[at - 1] as number, places[at] as number);
    if (piece === undefined) return undefined;
    decoded.push(piece);
  }
  return Buffer.concat(decoded);
}

export const target: FuzzTarget = {
  about: "base64 in any pieces gives the same bytes, or none",
  seeds: [cutAt([3], "AAAAAAVoZWxsbw=="), cutAt([5, 2], "AAAAAAA=AAAAAAA="), cutAt([], "aGVsbG8gd29ybGQ=")],
  dictionary: ["=", "==", "===", "+", "/", "AAAA", "\n", "-", "_"],
  run(input) {
    const { bytes, cuts } = withCuts(input);
    const whole = decode(bytes, []);
    assert.deepEqual(decode(bytes, cuts), whole);
    assert.deepEqual(decode(bytes, Array.from(bytes.keys())), whole);
  },
};
