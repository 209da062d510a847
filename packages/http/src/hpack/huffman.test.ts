import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteWriter } from "../byte-writer.ts";
import { decodeHuffman, encodeHuffman, huffmanDecodedLimit, huffmanLength } from "./huffman.ts";

function encode(text: string): Buffer {
  const writer = new ByteWriter();
  encodeHuffman(writer, text);
  return writer.take();
}

function decode(bytes: Buffer): string | undefined {
  const target = Buffer.alloc(huffmanDecodedLimit(bytes.length));
  const length = decodeHuffman(bytes, 0, bytes.length, target);
  return length < 0 ? undefined : target.toString("latin1", 0, length);
}

test("Huffman codes are those of RFC 7541 Appendix C", () => {
  assert.equal(encode("www.example.com").toString("hex"), "f1e3c2e5f23a6ba0ab90f4ff");
  assert.equal(encode("no-cache").toString("hex"), "a8eb10649cbf");
  assert.equal(encode("Mon, 21 Oct 2013 20:13:21 GMT").toString("hex"), "d07abe941054d444a8200595040b8166e082a62d1bff");
});

test("any text that is coded by Huffman and decoded is the same text", () => {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString("latin1");
  assert.equal(decode(encode(everyByte)), everyByte);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const text = Buffer.from(bytes).toString("latin1");
      assert.equal(encode(text).length, huffmanLength(text));
      assert.equal(decode(encode(text)), text);
    }),
  );
});

test("any bytes decode to a text with this very code, or to none", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const text = decode(Buffer.from(bytes));
      if (text !== undefined) assert.deepEqual(encode(text), Buffer.from(bytes));
    }),
    { numRuns: 2000 },
  );
});

for (const [what, hex] of [
  ["the end symbol", "ffffffff"],
  ["the end symbol behind a character", "1fffffffff"],
  ["padding of eight bits", "1fff"],
  ["padding with zeros", "18"],
  ["nothing but a byte of padding", "ff"],
] as const) {
  test(`${what} is an error in a Huffman coded string`, () => {
    assert.equal(decode(Buffer.from(hex, "hex")), undefined);
  });
}
