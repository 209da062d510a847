import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeAnswer } from "./answer.ts";
import { readName } from "./name.ts";
import { dnsCode, dnsType, parseQuery } from "./query.ts";
import { isReplyTo } from "./reply-match.ts";

interface Parts {
  readonly id?: number;
  readonly flags?: number;
  readonly counts?: readonly [number, number, number, number];
  readonly name?: readonly (string | Uint8Array)[];
  readonly type?: number;
  readonly class?: number;
  readonly rest?: Uint8Array;
}

function encodeName(labels: readonly (string | Uint8Array)[]): Buffer {
  const parts = labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function message(parts: Parts = {}): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(parts.id ?? 0x1234, 0);
  head.writeUInt16BE(parts.flags ?? 0x0100, 2);
  const rest = parts.rest ?? Buffer.alloc(0);
  (parts.counts ?? [1, 0, 0, rest.length > 0 ? 1 : 0]).forEach((count, index) =>
    head.writeUInt16BE(count, 4 + 2 * index),
  );
  const tail = Buffer.alloc(4);
  tail.writeUInt16BE(parts.type ?? dnsType.a, 0);
  tail.writeUInt16BE(parts.class ?? 1, 2);
  return Buffer.concat([head, encodeName(parts.name ?? ["reviews", "default"]), tail, rest]);
}

function opt(udpBytes: number, version = 0): Buffer {
  const record = Buffer.alloc(11);
  record.writeUInt16BE(dnsType.opt, 1);
  record.writeUInt16BE(udpBytes, 3);
  record.writeUInt8(version, 6);
  return record;
}

test("a question is read with its name in lower case, and with the size that the client takes", () => {
  const parsed = parseQuery(message({ name: ["Reviews", "DEFAULT"], type: dnsType.aaaa, rest: opt(4096) }));
  assert.ok(parsed.kind === "query");
  const { id, name, type, recursionDesired, hasEdns, udpBytes } = parsed.query;
  assert.deepEqual(
    { id, name, type, recursionDesired, hasEdns, udpBytes },
    { id: 0x1234, name: "reviews.default", type: 28, recursionDesired: true, hasEdns: true, udpBytes: 1232 },
  );
  const plain = parseQuery(message());
  assert.ok(plain.kind === "query" && !plain.query.hasEdns && plain.query.udpBytes === 512);
});

const circle = Buffer.from([0xc0, 0x0c]);
const refusals: readonly [title: string, bytes: Buffer, code: number | "ignored"][] = [
  ["shorter than a header", Buffer.alloc(11), "ignored"],
  ["an answer", message({ flags: 0x8000 }), "ignored"],
  ["a status request", message({ flags: 0x1000 }), dnsCode.notImp],
  ["a zone transfer's update", message({ flags: 0x2800 }), dnsCode.notImp],
  ["no question", message({ counts: [0, 0, 0, 0] }), dnsCode.formErr],
  ["two questions", message({ counts: [2, 0, 0, 0] }), dnsCode.formErr],
  ["an answer in the question", message({ counts: [1, 1, 0, 0] }), dnsCode.formErr],
  ["a record that is not there", message({ counts: [1, 0, 0, 1] }), dnsCode.formErr],
  ["more records than a client sends", message({ counts: [1, 0, 0, 5] }), dnsCode.formErr],
  ["bytes behind the end", Buffer.concat([message(), Buffer.from([0])]), dnsCode.formErr],
  ["two OPT records", message({ counts: [1, 0, 0, 2], rest: Buffer.concat([opt(512), opt(512)]) }), dnsCode.formErr],
  [
    "a name that points to itself",
    Buffer.concat([message().subarray(0, 12), circle, Buffer.alloc(4)]),
    dnsCode.formErr,
  ],
  ["a label of 64 bytes", message({ name: ["a".repeat(64)] }), dnsCode.formErr],
  [
    "a name of 256 bytes",
    message({ name: [...Array.from({ length: 3 }, () => "a".repeat(63)), "b".repeat(62)] }),
    dnsCode.formErr,
  ],
  ["a name without an end", message().subarray(0, 20), dnsCode.formErr],
  ["another class", message({ class: 3 }), dnsCode.refused],
  ["a version of EDNS that does not exist", message({ rest: opt(1232, 1) }), dnsCode.badVers],
];

test("what is not a question is answered with the code for it, and what must not be answered is not", () => {
  for (const [title, bytes, code] of refusals) {
    const parsed = parseQuery(bytes);
    assert.equal(parsed.kind === "refused" ? parsed.code : parsed.kind, code, title);
  }
  const longest = message({ name: [...Array.from({ length: 3 }, () => "a".repeat(63)), "b".repeat(61)] });
  assert.equal(parseQuery(longest).kind, "query", "a name of 255 bytes");
});

test("no bytes whatever make the parser throw, or read beyond the message", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.record({ at: fc.nat(60), value: fc.nat(255), cut: fc.nat(60) }).map(({ at, value, cut }) => {
      const good = message({ rest: opt(1232) });
      good[at % good.length] = value;
      return good.subarray(0, good.length - (cut % good.length));
    }),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      const parsed = parseQuery(input);
      if (parsed.kind === "ignored") return;
      const about = parsed.kind === "query" ? parsed.query : parsed.refusal;
      assert.ok(about.question.length <= input.length && about.udpBytes >= 512 && about.udpBytes <= 1232);
      const code = parsed.kind === "query" ? dnsCode.noError : parsed.code;
      const reply = encodeAnswer(about, { code, isAuthoritative: true, addresses: [], ttlSeconds: 1 }, about.udpBytes);
      // What answers a question is not itself one, whoever gets it.
      assert.equal(parseQuery(reply).kind, "ignored");
      assert.ok(reply.length <= input.length + 11);
    }),
    { numRuns: 2000 },
  );
});

const label = fc.uint8Array({ minLength: 1, maxLength: 20 });

test("names go there and back: different bytes are different names, but for upper and lower case", () => {
  const spell = (labels: readonly Uint8Array[]): string =>
    labels
      .map((bytes) =>
        Buffer.from(bytes)
          .toString("latin1")
          .replaceAll(/[A-Z]/g, (c) => c.toLowerCase()),
      )
      .join("\0");
  fc.assert(
    fc.property(fc.array(label, { maxLength: 5 }), fc.array(label, { maxLength: 5 }), (one, other) => {
      const [first, second] = [readName(encodeName(one), 0), readName(encodeName(other), 0)];
      assert.ok(first !== undefined && second !== undefined);
      assert.equal(first.end, encodeName(one).length);
      assert.equal(first.name === second.name, spell(one) === spell(other));
    }),
  );
});

test("an answer repeats the question and carries the addresses, and one that does not fit says so", () => {
  const parsed = parseQuery(message({ rest: opt(512) }));
  assert.ok(parsed.kind === "query");
  const addresses = [Buffer.from([240, 240, 0, 1]), Buffer.from([240, 240, 0, 2])];
  const whole = { code: dnsCode.noError, isAuthoritative: true, addresses, ttlSeconds: 30 };
  const reply = encodeAnswer(parsed.query, whole, parsed.query.udpBytes);
  assert.ok(isReplyTo(reply, 0x1234, parsed.query));
  assert.equal(reply.readUInt16BE(2), 0x8580);
  assert.deepEqual([reply.readUInt16BE(4), reply.readUInt16BE(6), reply.readUInt16BE(10)], [1, 2, 1]);
  assert.equal(reply.subarray(29 + 4, 29 + 4 + 16).toString("hex"), "c00c000100010000001e0004f0f00001");
  const many = { ...whole, addresses: Array.from({ length: 40 }, () => Buffer.alloc(16)) };
  const cut = encodeAnswer(parsed.query, many, parsed.query.udpBytes);
  assert.ok(cut.length <= 512 && (cut.readUInt16BE(2) & 0x0200) !== 0 && cut.readUInt16BE(6) === 0);
  assert.equal(encodeAnswer(parsed.query, many, 65_535).readUInt16BE(6), 40);
  const bad = encodeAnswer(parsed.query, { ...whole, code: dnsCode.badVers, addresses: [] }, 512);
  assert.deepEqual([bad.readUInt16BE(2) & 0xf, bad.at(-6)], [0, 1], "the upper bits of the code are in OPT");
});

test("a reply is taken only under its number and for its question", () => {
  const parsed = parseQuery(message());
  assert.ok(parsed.kind === "query");
  const reply = encodeAnswer(parsed.query, { code: 0, isAuthoritative: false, addresses: [], ttlSeconds: 0 }, 512);
  assert.equal(isReplyTo(reply, 0x1234, parsed.query), true);
  assert.equal(isReplyTo(reply, 0x1235, parsed.query), false);
  assert.equal(isReplyTo(message(), 0x1234, parsed.query), false, "a question");
  const other = parseQuery(message({ name: ["ratings", "default"] }));
  assert.ok(other.kind === "query");
  assert.equal(isReplyTo(reply, 0x1234, other.query), false);
  assert.equal(isReplyTo(reply.subarray(0, 11), 0x1234, parsed.query), false);
});
