import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteWriter } from "../byte-writer.ts";
import { decodeBlock, encodeBlock, noLimits } from "../testing/hpack.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";

test("requests are encoded as in RFC 7541 C.4", () => {
  const encoder = new HpackEncoder();
  const request = [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "www.example.com"],
  ] as const;
  assert.equal(encodeBlock(encoder, request).toString("hex"), "828684418cf1e3c2e5f23a6ba0ab90f4ff");
  const second = [...request, ["cache-control", "no-cache"] as const];
  assert.equal(encodeBlock(encoder, second).toString("hex"), "828684be5886a8eb10649cbf");
});

test("credentials and short cookies are never indexed, and nothing else without being told", () => {
  const encoder = new HpackEncoder();
  const writer = new ByteWriter();
  encoder.begin(writer);
  encoder.field(writer, "authorization", "Bearer abc");
  encoder.field(writer, "cookie", "a=b");
  encoder.field(writer, "cookie", "c=0123456789012345678901234567890");
  encoder.field(writer, "x-secret", "1", true);
  encoder.field(writer, "x-open", "1");
  const { neverIndexed, error } = decodeBlock(new HpackDecoder(4096, noLimits), writer.take());
  assert.deepEqual([error, neverIndexed], ["", ["authorization", "cookie", "x-secret"]]);
});

test("what differs in each request does not push out what repeats", () => {
  const encoder = new HpackEncoder();
  encodeBlock(encoder, [["x-tenant", "blue"]]);
  for (let i = 0; i < 1000; i += 1) encodeBlock(encoder, [["x-request-id", `${i}`.repeat(10)]]);
  assert.equal(encodeBlock(encoder, [["x-tenant", "blue"]]).length, 1);
});

test("what repeats is in Huffman code; what does not is not worth the time", () => {
  const encoder = new HpackEncoder();
  const id = "7f3f1c2a-9e00-4000-8000-000000000001";
  const block = encodeBlock(encoder, [
    ["x-tenant", "www.example.com"],
    ["x-request-id", id],
    ["authorization", "Bearer abc"],
  ]);
  assert.ok(block.includes("f1e3c2e5f23a6ba0ab90f4ff", "hex"));
  assert.ok(block.includes(id) && block.includes("Bearer abc"));
});

test("a table size that went down and up again is announced with both", () => {
  const encoder = new HpackEncoder();
  encodeBlock(encoder, [["a", "b"]]);
  encoder.setPeerMaxTableBytes(0);
  encoder.setPeerMaxTableBytes(4096);
  assert.equal(encodeBlock(encoder, [[":method", "GET"]]).toString("hex"), "203fe11f82");
});

test("no more is spent on a table than this side allows", () => {
  const encoder = new HpackEncoder(100);
  assert.equal(encodeBlock(encoder, [[":method", "GET"]]).toString("hex"), "3f4582");
  encoder.setPeerMaxTableBytes(1 << 20);
  assert.equal(encodeBlock(encoder, [[":method", "GET"]]).toString("hex"), "82");
});
