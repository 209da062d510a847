import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { removeHopByHop } from "../../hop-by-hop.ts";
import { HpackDecoder } from "../../hpack/decoder.ts";
import { HpackEncoder } from "../../hpack/encoder.ts";
import { encodeRequestHead } from "../../http1/encoder.ts";
import { MessageReader } from "../../http2/message-head.ts";
import { encodeBlock, type Fields, noLimits } from "../hpack.ts";
import { decodeRequests, testLimits } from "../recorder.ts";

/** Fields with an octet of their own between them, and another between name and value, so that most mutations change one field. */
function fieldsOf(input: Buffer): Fields {
  return input
    .toString("latin1")
    .split(fieldMark)
    .map((field) => {
      const [name = "", ...values] = field.split(valueMark);
      return [name, values.join("")];
    });
}
const fieldMark = "\xfe";
const valueMark = "\xfd";

const seed = (...fields: Fields): Buffer =>
  Buffer.from(fields.map(([name, value]) => name + valueMark + value).join(fieldMark), "latin1");
const get: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/a?b"],
  [":authority", "a:80"],
];

export const target: FuzzTarget = {
  about:
    "a request that is read from HTTP/2 and sent on is one request of HTTP/1.1, with the same method, path and fields",
  seeds: [
    seed(...get),
    seed(...get, ["cookie", "a=b"], ["cookie", "c=d"], ["te", "trailers"], ["accept", "*/*"]),
    seed(...get.slice(0, 3), ["host", "a"], ["content-length", "0"], ["x-empty", ""]),
    seed([":method", "OPTIONS"], [":scheme", "https"], [":path", "*"], [":authority", "[::1]"]),
  ],
  dictionary: [
    fieldMark,
    valueMark,
    "\r\n",
    "\n",
    "\0",
    ":",
    " ",
    "\t",
    "host",
    "connection",
    "transfer-encoding",
    "chunked",
    "content-length",
    "upgrade",
    ":path",
    ":authority",
    "cookie",
    "\x80",
    "\x85",
    " HTTP/1.1\r\n",
    "X",
  ],
  run(input) {
    const reader = new MessageReader(new HpackDecoder(4096, noLimits));
    const block = encodeBlock(new HpackEncoder(0), fieldsOf(input));
    const head = reader.readRequest(block, 0, block.length, false);
    if (typeof head === "string" || head.method === "CONNECT") return;
    removeHopByHop(head.headers, false);
    const expected = head.headers.toPairs().filter(([name]) => name !== "content-length");
    const text = encodeRequestHead(head.method, head.path, head.authority, head.headers, { kind: "none" });
    assert.ok(text !== undefined);
    const run = decodeRequests(
      Buffer.from(text, "latin1"),
      [],
      { ...testLimits, maxHeadBytes: 1 << 20, maxHeaders: 10_000 },
      true,
    );
    assert.equal(run.violation, "");
    assert.equal(run.requests.length, 1);
    const again = run.requests[0]?.head;
    assert.deepEqual([again?.method, again?.path, again?.authority], [head.method, head.path, head.authority]);
    const lengths = again?.headers.filter(([name]) => name === "content-length") ?? [];
    // There is no body, which some methods have to say.
    assert.ok(lengths.length <= 1 && lengths.every(([, value]) => value === "0"));
    assert.deepEqual(
      again?.headers.filter(([name]) => name !== "host" && name !== "content-length"),
      expected,
    );
  },
};
