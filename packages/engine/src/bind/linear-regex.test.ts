import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { linearNativeRegExp } from "./linear-regex.ts";

test("patterns that Istio's compiler writes run natively", () => {
  for (const pattern of [
    ".+",
    ".*",
    ".*/ns/default/.*",
    "spiffe://cluster\\.local/ns/foo/.*",
    "/api/v1/.*",
    ".*\\.png",
    "[^/]+",
    "/users/[^/]+/posts/[0-9]+",
    "(GET|HEAD)",
    "v[0-9]",
    "^/a.*$",
  ]) {
    assert.notEqual(linearNativeRegExp(pattern), undefined, pattern);
  }
});

test("patterns that could take more than linear time are left to re2js", () => {
  const refused = [
    "(a+)+",
    "(a*)*b",
    "(a|a)*",
    "(.*)*",
    "a*a*a*b",
    ".*.*x",
    ".*a[ab]*c",
    ".*x.*y",
    "[a-z]*[a-m]*q",
    "(?:a|ab)(?:c|bcd)(?:d*)",
    "a?a?a?a?a?aaaaa",
    "(a|b|c|d|e)(a|b|c|d|e)",
    "\\d+\\d+x",
    "x{3,}",
    "(ab)?c",
  ];
  for (const pattern of refused) assert.equal(linearNativeRegExp(pattern), undefined, pattern);
});

test("syntax that means something else in JavaScript, or that is not understood, is left to re2js", () => {
  for (const pattern of [
    "(?i)abc",
    "\\bfoo",
    "[[:alpha:]]",
    "\\pL",
    "a\\x41",
    "é",
    "a^b",
    "a$b",
    "\\Qa.b\\E",
    "(?P<n>a)",
    "[]a]",
    "a{2}",
    "[é]",
    "\\t",
    "^a|b$",
    "a)",
    "]",
    "}",
  ]) {
    assert.equal(linearNativeRegExp(pattern), undefined, pattern);
  }
});

const atoms = [
  "a",
  "b",
  "/",
  ".",
  "[^/]",
  "[a-b]",
  "\\.",
  "\\d",
  "[\\d-]",
  "-",
  "(?:a|b/)",
  "(ab|c)",
  "\\w",
  "\\s",
  "[^\\w]",
];
const pattern = fc
  .array(fc.tuple(fc.constantFrom(...atoms), fc.constantFrom("", "", "*", "+", "?")), { minLength: 1, maxLength: 6 })
  .map((pieces) => pieces.map(([atom, repeat]) => atom + (atom.startsWith("(") ? "" : repeat)).join(""));
const input = fc
  .array(fc.constantFrom("a", "b", "c", "/", ".", "-", "1", " ", "\t", "\v", "_"), { maxLength: 12 })
  .map((chars) => chars.join(""));

test("what runs natively gives RE2's answer", () => {
  let native = 0;
  fc.assert(
    fc.property(pattern, fc.array(input, { minLength: 1, maxLength: 8 }), (source, values) => {
      const compiled = linearNativeRegExp(source);
      if (compiled === undefined) return;
      native++;
      const reference = RE2JS.compile(source);
      for (const value of values)
        assert.equal(compiled.test(value), reference.testExact(value), `${source} on ${JSON.stringify(value)}`);
    }),
    { numRuns: 2000 },
  );
  assert.ok(native > 200, "the generator must reach the native path");
});
