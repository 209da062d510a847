import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalHost } from "./ip-address.ts";
import { formatProxyHeader, maxProxyHeaderBytes, parseProxyHeader, type ProxyHeader } from "./proxy-protocol.ts";

const signature = "\r\n\r\n\0\r\nQUIT\n";

function parse(text: string | Buffer): ProxyHeader {
  const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  return parseProxyHeader(bytes, 0, bytes.length);
}

/** A version 2 header; `length` other than the body's for what lies. */
function version2(versionAndCommand: number, family: number, body: Buffer, length = body.length): Buffer {
  const head = Buffer.from([versionAndCommand, family, length >> 8, length & 0xff]);
  return Buffer.concat([Buffer.from(signature, "latin1"), head, body]);
}

const tcp4 = Buffer.from("0a0000010a000002c35001bb", "hex");
const tcp6 = Buffer.from("20010db800000000000000000000000120010db8000000000000000000000002c35001bb", "hex");

for (const [text, source, destination] of [
  ["PROXY TCP4 10.0.0.1 10.0.0.2 50000 443\r\n", "10.0.0.1", "10.0.0.2"],
  ["PROXY TCP6 2001:DB8::1 2001:db8:0::2 50000 443\r\n", "2001:db8::1", "2001:db8::2"],
  ["PROXY TCP6 ::ffff:10.0.0.1 ::1 50000 443\r\n", "10.0.0.1", "::1"],
] as const) {
  test(`version 1 tells both ends: ${text.trim()}`, () => {
    assert.deepEqual(parse(`${text}GET /`), {
      kind: "found",
      version: 1,
      length: text.length,
      addresses: { source: { host: source, port: 50_000 }, destination: { host: destination, port: 443 } },
      tlvs: [],
    });
  });
}

test("version 1 may say that nothing is known, and what follows is ignored", () => {
  for (const text of ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff:: ffff:: 65535 65535\r\n"]) {
    assert.deepEqual(parse(text), { kind: "found", version: 1, length: text.length, addresses: undefined, tlvs: [] });
  }
});

for (const text of [
  "PROXY TCP4 10.0.0.1 10.0.0.2 50000\r\n",
  "PROXY TCP4 10.0.0.1 10.0.0.2 50000 443 1\r\n",
  "PROXY TCP4  10.0.0.1 10.0.0.2 50000 443\r\n",
  "PROXY TCP4 10.0.0.1 10.0.0.2 50000 65536\r\n",
  "PROXY TCP4 10.0.0.1 10.0.0.2 050 443\r\n",
  "PROXY TCP4 10.0.0.1 10.0.0.2 -1 443\r\n",
  "PROXY TCP4 10.0.0.01 10.0.0.2 50 443\r\n",
  "PROXY TCP4 10.0.0.1 ::1 50 443\r\n",
  "PROXY TCP4 ::1 ::1 50 443\r\n",
  "PROXY TCP6 10.0.0.1 10.0.0.2 50 443\r\n",
  "PROXY TCP6 fe80::1%eth0 ::1 50 443\r\n",
  "PROXY UDP4 10.0.0.1 10.0.0.2 50 443\r\n",
  "PROXY tcp4 10.0.0.1 10.0.0.2 50 443\r\n",
  "PROXY \r\n",
  `PROXY UNKNOWN ${"x".repeat(100)}\r\n`,
  `PROXY TCP4 ${" ".repeat(200)}`,
]) {
  test(`version 1 is malformed: ${JSON.stringify(text.slice(0, 50))}`, () => {
    const header = parse(text);
    assert.equal(header.kind, "malformed");
    assert.equal(header.kind === "malformed" && header.version, 1);
  });
}

test("version 2 tells both ends and carries TLVs", () => {
  const tlvs = Buffer.from("040000e00003616263", "hex");
  const expected = [
    { type: 4, value: Buffer.alloc(0) },
    { type: 0xe0, value: Buffer.from("abc") },
  ];
  for (const [family, body, source, destination] of [
    [0x11, tcp4, "10.0.0.1", "10.0.0.2"],
    [0x21, tcp6, "2001:db8::1", "2001:db8::2"],
  ] as const) {
    const bytes = version2(0x21, family, Buffer.concat([body, tlvs]));
    assert.deepEqual(parse(Buffer.concat([bytes, Buffer.from("rest")])), {
      kind: "found",
      version: 2,
      length: bytes.length,
      addresses: { source: { host: source, port: 50_000 }, destination: { host: destination, port: 443 } },
      tlvs: expected,
    });
  }
});

test("version 2 of a connection without addresses is taken, and everything in it skipped", () => {
  for (const bytes of [
    version2(0x20, 0x00, Buffer.alloc(0)),
    version2(0x20, 0x11, tcp4),
    version2(0x20, 0xff, Buffer.from("anything")),
    version2(0x21, 0x00, Buffer.from("anything")),
    version2(0x21, 0x31, Buffer.alloc(216, "/run/socket")),
  ]) {
    const expected = { kind: "found", version: 2, length: bytes.length, addresses: undefined, tlvs: [] };
    assert.deepEqual(parse(bytes), expected);
  }
});

for (const [what, bytes] of [
  ["another version", version2(0x11, 0x11, tcp4)],
  ["an unknown command", version2(0x22, 0x11, tcp4)],
  ["datagrams", version2(0x21, 0x12, tcp4)],
  ["an unknown family", version2(0x21, 0x41, tcp4)],
  ["IPv4 addresses that are too short", version2(0x21, 0x11, tcp4.subarray(1))],
  ["IPv6 addresses that are too short", version2(0x21, 0x21, tcp6.subarray(1))],
  ["a TLV without length", version2(0x21, 0x11, Buffer.concat([tcp4, Buffer.from([1, 0])]))],
  ["a TLV that is too long", version2(0x21, 0x11, Buffer.concat([tcp4, Buffer.from([1, 0, 2, 0])]))],
  ["a length above the limit", version2(0x21, 0x11, tcp4, maxProxyHeaderBytes)],
] as const) {
  test(`version 2 is malformed: ${what}`, () => {
    const header = parse(bytes);
    assert.equal(header.kind, "malformed");
    assert.equal(header.kind === "malformed" && header.version, 2);
  });
}

for (const text of ["GET / HTTP/1.1\r\n", "PROXX", "\r\n\r\nGET", "\u0016\u0003\u0001", "proxy TCP4", " PROXY"]) {
  test(`other bytes are none: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parse(text), { kind: "none" });
  });
}

const host4 = fc.ipV4();
const host6 = fc.ipV6().map(canonicalHost);
const plain = { noNullPrototype: true };
const address = fc.record({ host: fc.oneof(host4, host6), port: fc.nat(65_535) }, plain);
const addresses = fc.record({ source: address, destination: address }, plain);
const tlvs = fc.array(
  fc.record({ type: fc.nat(255), value: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) }, plain),
  { maxLength: 8 },
);

test("what is written is read the same, and every beginning of it is incomplete", () => {
  fc.assert(
    fc.property(fc.constantFrom(1, 2), fc.option(addresses, { nil: undefined }), tlvs, (version, ends, values) => {
      const carried = version === 1 || ends === undefined ? [] : values;
      const bytes = formatProxyHeader(version, ends, values);
      const found = { kind: "found", version, length: bytes.length, addresses: ends, tlvs: carried };
      assert.deepEqual(parse(bytes), found);
      assert.deepEqual(parse(Buffer.concat([bytes, Buffer.from("more")])), found);
      for (let length = 0; length < bytes.length; length += 1)
        assert.deepEqual(parse(bytes.subarray(0, length)), { kind: "incomplete" });
    }),
  );
});

test("no bytes make the parser throw, wait beyond its limit, or read over the end", () => {
  const prefix = fc.constantFrom("", "PROXY ", "PROXY TCP4 ", signature, `${signature}!`, `${signature}!\u0011`);
  fc.assert(
    fc.property(prefix, fc.uint8Array({ maxLength: 300 }), (text, rest) => {
      const bytes = Buffer.concat([Buffer.from(text, "latin1"), rest]);
      const header = parse(bytes);
      if (header.kind === "found") assert.ok(header.length <= bytes.length);
    }),
  );
  assert.equal(parse(`PROXY ${"x".repeat(101)}`).kind, "malformed");
  assert.equal(
    parse(version2(0x21, 0x11, Buffer.alloc(maxProxyHeaderBytes - 17), maxProxyHeaderBytes - 16)).kind,
    "incomplete",
  );
});
