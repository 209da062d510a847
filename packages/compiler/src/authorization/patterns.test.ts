import assert from "node:assert/strict";
import { test } from "node:test";
import { compileAddressBlock } from "./address-block.ts";
import { compilePath } from "./path.ts";
import { compilePattern, compileWildcards, type StringMatcherInit } from "./string-pattern.ts";

function shown({ matchPattern }: StringMatcherInit): string {
  if (matchPattern?.case === "safeRegex") return `regex ${matchPattern.value.regex}`;
  return typeof matchPattern?.value === "string" ? `${matchPattern.case} ${matchPattern.value}` : "";
}

test("4.1.4 string patterns become the cheapest matcher that means the same", () => {
  const cases: [string, string, string][] = [
    ["abc", "", "exact abc"],
    ["abc*", "", "prefix abc"],
    ["*abc", "", "suffix abc"],
    ["*", "", "regex .+"],
    ["a*c", "", "exact a*c"],
    ["*a*", "", "suffix a*"],
    ["a.c", "spiffe://", "exact spiffe://a.c"],
    ["a.c*", "spiffe://", "prefix spiffe://a.c"],
    ["*a.c", "spiffe://", "regex spiffe://.*a\\.c"],
    ["*", "spiffe://", "regex .+"],
  ];
  for (const [pattern, lead, expected] of cases) assert.equal(shown(compilePattern(pattern, lead)), expected, pattern);
});

test("Text in a regular expression stands for itself", () => {
  assert.equal(shown(compileWildcards("a.b*(c)", "^", ".*", "$")), "regex ^a\\.b.*\\(c\\)$");
});

test("Only paths with operators are templates", () => {
  assert.equal(shown(compilePath("/a/*")), "prefix /a/");
  assert.equal(shown(compilePath("/a/{b}")), "exact /a/{b}");
  assert.match(shown(compilePath("/a.b/{*}")), /^regex \/a\\\.b\/\[.*\]\+$/);
});

test("Addresses are blocks of one, and IPv4 in IPv6 clothes is IPv4", () => {
  const cases: [string, string, number][] = [
    ["10.0.0.1", "10.0.0.1", 32],
    ["10.0.0.0/8", "10.0.0.0", 8],
    ["2001:db8::1", "2001:db8::1", 128],
    ["2001:db8::/32", "2001:db8::", 32],
    ["::ffff:10.0.0.1", "10.0.0.1", 32],
    ["::FFFF:10.0.0.0/104", "10.0.0.0", 8],
    ["::ffff:0.0.0.0/90", "::ffff:0.0.0.0", 90],
    ["0.0.0.0/0", "0.0.0.0", 0],
  ];
  for (const [text, addressPrefix, prefixLen] of cases)
    assert.deepEqual(compileAddressBlock(text), { addressPrefix, prefixLen }, text);
});
