import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { HpackDecoder } from "../../hpack/decoder.ts";
import { HpackEncoder } from "../../hpack/encoder.ts";
import { decodeBlock, encodeBlock, noLimits } from "../hpack.ts";

/** An input is blocks, each behind an octet with its length. */
function blocksOf(input: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 0; at < input.length; ) {
    const length = input[at] as number;
    blocks.push(input.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return blocks;
}

const seed = (...hex: readonly string[]): Buffer =>
  Buffer.concat(
    hex.map((text) => {
      const block = Buffer.from(text, "hex");
      return Buffer.concat([Buffer.from([block.length]), block]);
    }),
  );

export const target: FuzzTarget = {
  about:
    "no block crashes or passes a limit; the table stays below its size; what is decoded, encoded again, decodes to the same",
  // RFC 7541, appendix C.2 to C.6.
  seeds: [
    seed("400a637573746f6d2d6b65790d637573746f6d2d686561646572"),
    seed(
      "828684410f7777772e6578616d706c652e636f6d",
      "828684be58086e6f2d6361636865",
      "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
    ),
    seed("828684418cf1e3c2e5f23a6ba0ab90f4ff", "828684be5886a8eb10649cbf"),
    seed("4803333032580770726976617465611d4d6f6e", "4803333037c1c0bf"),
    seed("20", "3fe11f", "1008736563726574036f6e65"),
  ],
  dictionary: [
    "\x20",
    "\x3f\xe1\x1f",
    "\xff\xff\xff\xff\x0f",
    "\x40\x01a\x01b",
    "\x00\x01a\x01b",
    "\x10\x01a\x01b",
    "\xbe",
    "\x82",
    "\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
    "\x7f\x80\x01",
  ],
  run(input) {
    const limits = { maxListBytes: 500, maxFields: 10 };
    const [free, bounded] = [new HpackDecoder(4096, noLimits), new HpackDecoder(4096, limits)];
    const [encoder, mirror] = [new HpackEncoder(4096), new HpackDecoder(4096, noLimits)];
    for (const bytes of blocksOf(input)) {
      const decoded = decodeBlock(free, bytes);
      const limited = decodeBlock(bounded, bytes);
      assert.equal(limited.error, decoded.error, "limits change no table");
      assert.ok(limited.fields.length <= limits.maxFields);
      assert.ok(free.tableBytes <= 4096);
      if (decoded.error !== "") return;
      const again = decodeBlock(mirror, encodeBlock(encoder, decoded.fields));
      assert.equal(again.error, "");
      assert.deepEqual(again.fields, decoded.fields);
    }
  },
};
