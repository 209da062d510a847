import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf } from "../testing/http2-frames.ts";
import { FrameOutput } from "./frame-output.ts";

test("a frame header is nine bytes in network order", () => {
  const output = new FrameOutput();
  output.header(0x010203, 4, 5, 0x7fffffff);
  assert.equal(bytesOf(output.take()).toString("hex"), "01020304057fffffff");
});

test("more than any buffer holds is kept whole, and take begins anew", () => {
  const output = new FrameOutput();
  const block = Buffer.alloc(100_000, "x");
  for (let count = 0; count < 5; count += 1) {
    output.header(block.length, 0, 0, count);
    output.bytes(block, 0, block.length);
  }
  output.setBits(4, 1);
  assert.equal(output.length, 5 * 100_009);
  const bytes = bytesOf(output.take());
  assert.equal(bytes.length, 5 * 100_009);
  assert.equal(bytes[4], 1);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((count) => bytes.readUInt32BE(count * 100_009 + 5)),
    [0, 1, 2, 3, 4],
  );
  assert.equal(bytes.filter((byte) => byte === 0x78).length, 500_000);
  assert.deepEqual([output.length, output.take().used], [0, 0]);
});
