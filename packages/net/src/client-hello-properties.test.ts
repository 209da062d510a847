import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type ClientHelloInspection, inspectClientHello } from "./client-hello.ts";

interface Extension {
  readonly type: number;
  readonly value: Buffer;
}

/** A vector of TLS: its length in so many bytes, and what it holds. */
function vector(lengthBytes: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(body.length, 0, lengthBytes);
  return Buffer.concat([length, body]);
}

const serverName = (name: string): Extension => ({
  type: 0,
  value: vector(2, Buffer.of(0), vector(2, Buffer.from(name, "latin1"))),
});
const protocols = (names: readonly string[]): Extension => ({
  type: 16,
  value: vector(2, ...names.map((name) => vector(1, Buffer.from(name, "latin1")))),
});

/** The message of RFC 8446 §4.1.2. */
function handshake(sessionId: Uint8Array, suites: Uint8Array, extensions: readonly Extension[]): Buffer {
  const encoded = extensions.map(({ type, value }) =>
    Buffer.concat([Buffer.of(type >> 8, type & 0xff), vector(2, value)]),
  );
  const head = Buffer.concat([Buffer.of(3, 3), Buffer.alloc(32, 7)]);
  const body = [head, vector(1, sessionId), vector(2, suites), vector(1, Buffer.of(0)), vector(2, ...encoded)];
  return Buffer.concat([Buffer.of(1), vector(3, ...body)]);
}

/** In records of these lengths, in turn. */
function inRecords(message: Buffer, lengths: readonly number[]): Buffer {
  const records: Buffer[] = [];
  for (let at = 0, turn = 0; at < message.length; turn += 1) {
    const piece = message.subarray(at, at + lengths[turn % lengths.length]!);
    records.push(Buffer.of(22, 3, 1), vector(2, piece));
    at += piece.length;
  }
  return Buffer.concat(records);
}

const latin1 = (least: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: least, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
const hello = fc.record({
  sni: latin1(1),
  alpn: fc.array(latin1(1), { minLength: 1, maxLength: 5 }),
  sessionId: fc.uint8Array({ maxLength: 32 }),
  suites: fc.uint8Array({ minLength: 2, maxLength: 40 }),
  others: fc.array(fc.record({ type: fc.integer({ min: 17, max: 0xffff }), value: fc.uint8Array({ maxLength: 60 }) })),
  records: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
});
const seldom = { numRuns: 40 };

test("what is written into a ClientHello is read from it, in any records, and no shorter part decides", () => {
  fc.assert(
    fc.property(hello, ({ sni, alpn, sessionId, suites, others, records }) => {
      const unknown = others.map(({ type, value }) => ({ type, value: Buffer.from(value) }));
      const message = handshake(sessionId, suites, [...unknown, serverName(sni), protocols(alpn)]);
      const bytes = inRecords(message, records);
      const found: ClientHelloInspection = { kind: "tls", sni: sni.toLowerCase(), alpn };
      assert.deepEqual(inspectClientHello(bytes, 0, bytes.length), found);
      const followed = Buffer.concat([Buffer.from("xyz"), bytes, Buffer.of(20, 3, 3, 0, 1, 1)]);
      assert.deepEqual(inspectClientHello(followed, 3, followed.length), found);
      for (let length = 0; length < bytes.length; length += 1)
        assert.deepEqual(inspectClientHello(bytes, 0, length), { kind: "incomplete" });
    }),
    seldom,
  );
});

/** A ClientHello of which some bytes are others, or bytes that only begin like one. */
const doubtful = fc.oneof(
  fc
    .tuple(hello, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }))
    .map(([{ sni, alpn, sessionId, suites, records }, changes]) => {
      const bytes = inRecords(handshake(sessionId, suites, [serverName(sni), protocols(alpn)]), records);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    }),
  fc
    .tuple(fc.constantFrom("", "\x16", "\x16\x03\x01", "\x16\x03\x01\x00\x20\x01"), fc.uint8Array({ maxLength: 200 }))
    .map(([start, rest]) => Buffer.concat([Buffer.from(start, "latin1"), rest])),
);

test("whatever comes is judged without a throw, and in the same way however its bytes arrive", () => {
  fc.assert(
    fc.property(doubtful, fc.array(fc.nat(), { maxLength: 8 }), (bytes, cuts) => {
      const whole = inspectClientHello(bytes, 0, bytes.length);
      const lengths = cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b);
      const decided = lengths
        .map((length) => inspectClientHello(bytes, 0, length))
        .find(({ kind }) => kind !== "incomplete");
      assert.deepEqual(decided ?? whole, whole);
    }),
  );
});

test("bytes without an end are cut off at the limit, in whatever records", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 16_384 }), { minLength: 1, maxLength: 4 }), (records) => {
      const endless = Buffer.concat([Buffer.of(1, 0, 0x40, 0), Buffer.alloc(16_383)]);
      const bytes = inRecords(endless, records);
      assert.deepEqual(inspectClientHello(bytes, 0, bytes.length), { kind: "too-long" });
    }),
    seldom,
  );
});
