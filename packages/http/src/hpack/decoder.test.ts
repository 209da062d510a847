import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as fc from "fast-check";
import type { Fields } from "../testing/hpack.ts";
import { decodeBlock, encodeBlock, noLimits } from "../testing/hpack.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";

const request1: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "www.example.com"],
];
const request2: Fields = [...request1, ["cache-control", "no-cache"]];
const request3: Fields = [
  [":method", "GET"],
  [":scheme", "https"],
  [":path", "/index.html"],
  [":authority", "www.example.com"],
  ["custom-key", "custom-value"],
];
const response1: Fields = [
  [":status", "302"],
  ["cache-control", "private"],
  ["date", "Mon, 21 Oct 2013 20:13:21 GMT"],
  ["location", "https://www.example.com"],
];
const response2: Fields = [[":status", "307"], ...response1.slice(1)];
const response3: Fields = [
  [":status", "200"],
  ["cache-control", "private"],
  ["date", "Mon, 21 Oct 2013 20:13:22 GMT"],
  ["location", "https://www.example.com"],
  ["content-encoding", "gzip"],
  ["set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"],
];

/** RFC 7541 Appendix C: blocks of one connection, what they say, and the size of the table behind each. */
const examples: { name: string; tableBytes: number; blocks: readonly (readonly [string, Fields, number])[] }[] = [
  {
    name: "C.2.1, literal with indexing",
    tableBytes: 4096,
    blocks: [["400a637573746f6d2d6b65790d637573746f6d2d686561646572", [["custom-key", "custom-header"]], 55]],
  },
  {
    name: "C.2.2, literal without indexing",
    tableBytes: 4096,
    blocks: [["040c2f73616d706c652f70617468", [[":path", "/sample/path"]], 0]],
  },
  {
    name: "C.2.3, literal never indexed",
    tableBytes: 4096,
    blocks: [["100870617373776f726406736563726574", [["password", "secret"]], 0]],
  },
  { name: "C.2.4, indexed", tableBytes: 4096, blocks: [["82", [[":method", "GET"]], 0]] },
  {
    name: "C.3, requests without Huffman",
    tableBytes: 4096,
    blocks: [
      ["828684410f7777772e6578616d706c652e636f6d", request1, 57],
      ["828684be58086e6f2d6361636865", request2, 110],
      ["828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", request3, 164],
    ],
  },
  {
    name: "C.4, requests with Huffman",
    tableBytes: 4096,
    blocks: [
      ["828684418cf1e3c2e5f23a6ba0ab90f4ff", request1, 57],
      ["828684be5886a8eb10649cbf", request2, 110],
      ["828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", request3, 164],
    ],
  },
  {
    name: "C.6, responses with Huffman and eviction",
    tableBytes: 256,
    blocks: [
      [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        response1,
        222,
      ],
      ["4883640effc1c0bf", response2, 222],
      [
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        response3,
        215,
      ],
    ],
  },
];

for (const { name, tableBytes, blocks } of examples) {
  test(`RFC 7541 ${name}`, () => {
    const decoder = new HpackDecoder(tableBytes, noLimits);
    for (const [hex, fields, bytes] of blocks) {
      assert.deepEqual(decodeBlock(decoder, hex), {
        fields,
        neverIndexed: hex.startsWith("10") ? ["password"] : [],
        error: "",
      });
      assert.equal(decoder.tableBytes, bytes);
    }
  });
}

const stories = fileURLToPath(new URL("../../../../../shared/vectors/hpack/", import.meta.url));
interface Story {
  cases: { header_table_size?: number; wire: string; headers: Record<string, string>[] }[];
}

test("the stories of other encoders are decoded", {
  skip: existsSync(stories) ? false : "needs ../shared/vectors beside the repository",
}, () => {
  const files = readdirSync(stories, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".json"));
  assert.ok(files.length > 0);
  for (const file of files) {
    const { cases } = JSON.parse(readFileSync(stories + file, "utf8")) as Story;
    const decoder = new HpackDecoder(4096, noLimits);
    const [again, encoder] = [new HpackDecoder(4096, noLimits), new HpackEncoder(4096)];
    for (const { header_table_size: tableBytes, wire, headers } of cases) {
      if (tableBytes !== undefined) {
        decoder.setMaxTableBytes(tableBytes);
        again.setMaxTableBytes(tableBytes);
        encoder.setPeerMaxTableBytes(tableBytes);
      }
      const fields = headers.flatMap((header) => Object.entries(header));
      assert.deepEqual(decodeBlock(decoder, wire), { fields, neverIndexed: [], error: "" }, file);
      assert.deepEqual(decodeBlock(again, encodeBlock(encoder, fields)).fields, fields, file);
    }
  }
});

const field = fc.oneof(
  fc.tuple(fc.constantFrom("a", "b", "cookie", "x-long", "accept", ":path"), fc.constantFrom("", "1", "gzip", "/")),
  fc.tuple(
    fc.stringMatching(/^[a-z-]{1,20}$/),
    fc.uint8Array({ maxLength: 90 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  ),
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(field, { maxLength: 12 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 600 }) },
);

test("what is encoded is decoded the same, whatever sizes the table goes through", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), fc.integer({ min: 0, max: 500 }), (steps, ownBytes) => {
      const [encoder, decoder] = [new HpackEncoder(ownBytes), new HpackDecoder(4096, noLimits)];
      for (const step of steps) {
        if (typeof step === "number") {
          encoder.setPeerMaxTableBytes(step);
          decoder.setMaxTableBytes(step);
        } else {
          const { fields, error } = decodeBlock(decoder, encodeBlock(encoder, step));
          assert.equal(error, "");
          assert.deepEqual(fields, step);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("no bytes crash the decoder", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 4 }), (blocks) => {
      const decoder = new HpackDecoder(200, noLimits);
      for (const block of blocks) if (decodeBlock(decoder, Buffer.from(block)).error !== "") break;
      assert.ok(decoder.tableBytes <= 200);
    }),
    { numRuns: 3000 },
  );
});

for (const [what, hex, error] of [
  ["index 0", "80", "badIndex"],
  ["an index beyond both tables", "be", "badIndex"],
  ["a name index beyond both tables", "7e0161", "badIndex"],
  ["an integer above 2^28", "ffffffffff7f", "integerTooLarge"],
  ["an integer of many bytes", "ff80808080808080808000", "integerTooLarge"],
  ["an integer without its end", "ff80", "truncated"],
  ["a string without its end", "0005616263", "truncated"],
  ["a name without a value", "000161", "truncated"],
  ["a table size update above the limit", "3fe21f", "badTableSizeUpdate"],
  ["a table size update behind a field", "8220", "badTableSizeUpdate"],
  ["a Huffman string with the end symbol", "000161 84 ffffffff", "badHuffman"],
] as const) {
  test(`${what} in a header block is ${error}`, () => {
    assert.equal(decodeBlock(new HpackDecoder(4096, noLimits), hex).error, error);
  });
}

test("a lowered table size must be followed by an update", () => {
  const decoder = new HpackDecoder(4096, noLimits);
  decoder.setMaxTableBytes(100);
  assert.equal(decodeBlock(decoder, "82").error, "badTableSizeUpdate");
  const other = new HpackDecoder(4096, noLimits);
  other.setMaxTableBytes(100);
  assert.equal(decodeBlock(other, "3f4582").error, "");
});

test("a block that names one large entry again and again is not kept beyond the limit", () => {
  const decoder = new HpackDecoder(4096, { maxListBytes: 60 * 1024, maxFields: 1000 });
  const encoder = new HpackEncoder(4096);
  const large: Fields = [["x", "y".repeat(2900)]];
  decodeBlock(decoder, encodeBlock(encoder, large));
  const { fields, error } = decodeBlock(decoder, Buffer.alloc(50_000, 0xbe));
  assert.equal(error, "");
  assert.equal(fields.length, Math.floor((60 * 1024) / 2933));
  assert.ok(decoder.isTooLarge);
  assert.deepEqual(decodeBlock(decoder, "be").fields, large);
  assert.ok(!decoder.isTooLarge);
});

test("fields are counted, crumbs of a cookie too, and the table goes on beyond the limit", () => {
  const decoder = new HpackDecoder(4096, { maxListBytes: 60 * 1024, maxFields: 100 });
  const crumbs = Array.from({ length: 101 }, () => Buffer.from("0f110161", "hex"));
  const { fields } = decodeBlock(decoder, Buffer.concat([...crumbs, Buffer.from("40016b0176", "hex")]));
  assert.equal(fields.length, 100);
  assert.ok(decoder.isTooLarge);
  assert.deepEqual(decodeBlock(decoder, "be").fields, [["k", "v"]]);
});
