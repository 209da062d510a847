import assert from "node:assert/strict";
import { test } from "node:test";
import {
  compileFullMatch,
  compileRewrite,
  decodeLatin1AsUtf8,
  encodeUtf8AsLatin1,
  regexProblem,
  rewriteProblem,
} from "./regex.ts";

test("a pattern must match the whole value", () => {
  for (const pattern of ["b+", "(?i)B+"]) {
    const match = compileFullMatch(pattern);
    assert.equal(match.test("bbb"), true);
    assert.equal(match.test("abbb"), false);
    assert.equal(match.test("bbbc"), false);
  }
});

test("alternatives inside a pattern are all anchored", () => {
  const match = compileFullMatch("a|bc");
  assert.equal(match.test("a"), true);
  assert.equal(match.test("bc"), true);
  assert.equal(match.test("ac"), false);
});

test("a dot stands for one character of UTF-8, however many bytes it has", () => {
  const match = compileFullMatch("/caf.");
  assert.equal(match.test(encodeUtf8AsLatin1("/café")), true);
  assert.equal(match.test(encodeUtf8AsLatin1("/caf€")), true);
  assert.equal(match.test(encodeUtf8AsLatin1("/caféé")), false);
});

test("a dot does not match a line feed", () => {
  assert.equal(compileFullMatch(".*").test("a\nb"), false);
  assert.equal(compileFullMatch("(?s).*").test("a\nb"), true);
});

test("bytes that are not UTF-8 are unreadable, never a plain mismatch", () => {
  for (const pattern of [".*", "(?i)x.*"]) {
    assert.equal(compileFullMatch(pattern).verdict("x\x80y"), "unreadable");
    assert.equal(compileFullMatch(pattern).test("x\x80y"), false);
  }
  for (let byte = 0x80; byte <= 0xff; byte++) {
    assert.equal(compileFullMatch(".+").verdict(String.fromCharCode(byte)), "unreadable", byte.toString(16));
  }
});

test("RE2 syntax is the rule: lookaround, backreferences and runaway sizes are refused", () => {
  for (const pattern of [
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    "(?<!a)b",
    "(a)\\1",
    "a{1001}",
    "[a",
    "a**",
    "(",
    "(x{1000}){20}",
    "a".repeat(5000),
  ]) {
    assert.notEqual(regexProblem(pattern), undefined, pattern.slice(0, 20));
  }
  for (const pattern of ["", "a|b", "(?i)x", "[[:alpha:]]+", "\\pL*"])
    assert.equal(regexProblem(pattern), undefined, pattern);
});

test("rewrites replace every match as RE2::GlobalReplace does", () => {
  const table: [string, string, string, string][] = [
    ["^/service/([^/]+)(/.*)$", "\\2/instance/\\1", "/service/foo/v1/api", "/v1/api/instance/foo"],
    ["one", "two", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/two/zzz"],
    ["^(.*?)one(.*)$", "\\1two\\2", "/xxx/one/yyy/one/zzz", "/xxx/two/yyy/one/zzz"],
    ["(?i)/xxx/", "/yyy/", "/aaa/XxX/bbb", "/aaa/yyy/bbb"],
    ["b*", "-", "abc", "-a-c-"],
    ["x", "\\\\\\0", "axb", "a\\xb"],
    ["nothing", "y", "/abc", "/abc"],
    ["/caf(.)", "/\\1", "/caf\xc3\xa9", "/\xc3\xa9"],
    ["a", "b", "a\xff", "a\xff"],
    ["^", "/v1", "/x", "/v1/x"],
  ];
  for (const [pattern, substitution, value, expected] of table) {
    assert.equal(rewriteProblem(pattern, substitution), undefined);
    assert.equal(compileRewrite(pattern, substitution)(value), expected, `${pattern} → ${substitution}`);
  }
});

test("a substitution that names a missing group or an unknown escape is refused", () => {
  assert.match(rewriteProblem("(a)", "\\2") ?? "", /group 2/);
  assert.match(rewriteProblem("(a)", "\\n") ?? "", /backslash/);
  assert.match(rewriteProblem("(a", "b") ?? "", /missing closing/);
});

test("bytes and text convert both ways", () => {
  assert.equal(decodeLatin1AsUtf8(encodeUtf8AsLatin1("grüße €")), "grüße €");
  assert.equal(decodeLatin1AsUtf8("\xff"), undefined);
  assert.equal(decodeLatin1AsUtf8("\u0100"), undefined);
});
