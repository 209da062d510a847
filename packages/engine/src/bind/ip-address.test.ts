import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { BoundCidr, canonicalIp, cidrProblem, isLoopback, parseIp } from "./ip-address.ts";

test("addresses are read as inet_pton reads them", () => {
  assert.deepEqual(parseIp("10.1.2.3"), [0x0a010203]);
  assert.deepEqual(parseIp("::1"), [0, 0, 0, 1]);
  assert.deepEqual(parseIp("2001:db8::ff00:42:8329"), [0x20010db8, 0, 0xff00, 0x428329]);
  for (const wrong of [
    "",
    "1.2.3",
    "1.2.3.4.5",
    "256.1.1.1",
    "01.2.3.4",
    "1.2.3.4 ",
    "a.b.c.d",
    ":",
    ":::",
    "1::2::3",
    "12345::",
    "1:2:3:4:5:6:7",
    "::1.2.3",
    "1:2:3:4:5:6:7:8:9",
  ]) {
    assert.equal(parseIp(wrong), undefined, wrong);
  }
});

test("IPv4-mapped IPv6 is IPv4, in every spelling", () => {
  for (const text of ["::ffff:10.0.0.1", "::FFFF:0a00:0001", "0:0:0:0:0:ffff:10.0.0.1"]) {
    assert.deepEqual(parseIp(text), parseIp("10.0.0.1"));
    assert.equal(canonicalIp(text), "10.0.0.1");
    assert.equal(new BoundCidr({ address: "10.0.0.0", prefixLength: 8 }).contains(parseIp(text) ?? []), true);
  }
  assert.equal(
    new BoundCidr({ address: "::ffff:10.0.0.0", prefixLength: 104 }).contains(parseIp("10.9.9.9") ?? []),
    true,
  );
  assert.equal(
    new BoundCidr({ address: "::ffff:10.0.0.0", prefixLength: 104 }).contains(parseIp("11.9.9.9") ?? []),
    false,
  );
});

test("a valid address is one to the runtime, too", () => {
  const v6 = fc.ipV6();
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), v6, fc.string({ maxLength: 12 })), (text) => {
      assert.equal(parseIp(text) !== undefined, isIP(text) !== 0, text);
      const canonical = canonicalIp(text);
      if (canonical !== undefined) assert.deepEqual(parseIp(canonical), parseIp(text));
    }),
  );
});

test("a range holds what shares its first bits", () => {
  const bits = (words: readonly number[]): string => words.map((word) => word.toString(2).padStart(32, "0")).join("");
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV4(), fc.integer({ min: 0, max: 32 }), (a, b, length) => {
      const expected = bits(parseIp(a) ?? []).slice(0, length) === bits(parseIp(b) ?? []).slice(0, length);
      assert.equal(new BoundCidr({ address: a, prefixLength: length }).contains(parseIp(b) ?? []), expected);
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV6(), fc.integer({ min: 0, max: 128 }), (a, b, length) => {
      const [left, right] = [parseIp(a) ?? [], parseIp(b) ?? []];
      if (left.length === 1 || right.length === 1) return;
      const expected = bits(left).slice(0, length) === bits(right).slice(0, length);
      assert.equal(new BoundCidr({ address: a, prefixLength: length }).contains(right), expected);
    }),
  );
});

test("families never match each other", () => {
  assert.equal(new BoundCidr({ address: "0.0.0.0", prefixLength: 0 }).contains(parseIp("::1") ?? []), false);
  assert.equal(new BoundCidr({ address: "::", prefixLength: 0 }).contains(parseIp("10.0.0.1") ?? []), false);
});

test("impossible ranges are named", () => {
  assert.match(cidrProblem({ address: "x", prefixLength: 0 }) ?? "", /not an IP address/);
  assert.match(cidrProblem({ address: "10.0.0.0", prefixLength: 33 }) ?? "", /between 0 and 32/);
  assert.match(cidrProblem({ address: "::ffff:10.0.0.0", prefixLength: 8 }) ?? "", /IPv4 and IPv6/);
  assert.equal(cidrProblem({ address: "::", prefixLength: 128 }), undefined);
});

test("loopback is 127.0.0.0/8 and ::1", () => {
  for (const [text, expected] of [
    ["127.0.0.1", true],
    ["127.255.0.1", true],
    ["128.0.0.1", false],
    ["::1", true],
    ["::2", false],
    ["::ffff:127.0.0.1", true],
  ] as const) {
    assert.equal(isLoopback(parseIp(text) ?? []), expected, text);
  }
});
