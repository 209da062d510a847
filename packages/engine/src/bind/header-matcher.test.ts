import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeaderCondition, StringMatch } from "../config/string-match.ts";
import { requestView } from "../testing/fixtures.ts";
import { BoundHeaderMatch } from "./header-matcher.ts";
import { encodeUtf8AsLatin1 } from "./regex.ts";
import { NO, UNREADABLE, type Verdict, YES } from "./verdict.ts";

function verdict(
  condition: HeaderCondition,
  value: string | undefined,
  options: { invert?: boolean; treatMissingAsEmpty?: boolean } = {},
): Verdict {
  const match = new BoundHeaderMatch({
    name: "x",
    condition,
    invert: options.invert ?? false,
    treatMissingAsEmpty: options.treatMissingAsEmpty ?? false,
  });
  return match.verdict(requestView({ headers: value === undefined ? {} : { x: value } }));
}

function text(kind: "exact" | "prefix" | "suffix" | "contains", value: string, ignoreCase = false): HeaderCondition {
  return { kind: "string", match: { kind, value, ignoreCase } };
}

test("a header matches by exact value, prefix, suffix and substring", () => {
  const table: [HeaderCondition, string, Verdict][] = [
    [text("exact", "abc"), "abc", YES],
    [text("exact", "abc"), "ABC", NO],
    [text("exact", "abc", true), "ABC", YES],
    [text("prefix", "ab"), "abc", YES],
    [text("prefix", "ab"), "cab", NO],
    [text("prefix", "AB", true), "abc", YES],
    [text("suffix", "bc"), "abc", YES],
    [text("suffix", "bc"), "bcd", NO],
    [text("contains", "b"), "abc", YES],
    [text("contains", "x"), "abc", NO],
    [text("contains", "B", true), "abc", YES],
    [text("exact", "é"), encodeUtf8AsLatin1("é"), YES],
    [text("exact", "É", true), encodeUtf8AsLatin1("é"), NO],
  ];
  for (const [condition, value, expected] of table)
    assert.equal(verdict(condition, value), expected, JSON.stringify([condition, value]));
});

test("a header matches a regex as a whole, and bytes that are not UTF-8 are unreadable", () => {
  const match: StringMatch = { kind: "regex", regex: "a.*" };
  assert.equal(verdict({ kind: "string", match }, "abc"), YES);
  assert.equal(verdict({ kind: "string", match }, "xabc"), NO);
  assert.equal(verdict({ kind: "string", match }, "a\x80"), UNREADABLE);
  assert.equal(verdict({ kind: "string", match }, "a\x80", { invert: true }), UNREADABLE);
});

test("a range is half-open and takes whole integers only", () => {
  const range: HeaderCondition = { kind: "range", start: -10, end: 0 };
  for (const [value, expected] of [
    ["-10", YES],
    ["-1", YES],
    ["0", NO],
    ["-11", NO],
    ["-1somestring", NO],
    ["", NO],
    ["+0", NO],
    [" -5 ", YES],
  ] as const) {
    assert.equal(verdict(range, value), expected, value);
  }
});

test("presence and absence can be asked for, and inverted", () => {
  const present: HeaderCondition = { kind: "present", present: true };
  const absent: HeaderCondition = { kind: "present", present: false };
  assert.equal(verdict(present, ""), YES);
  assert.equal(verdict(present, undefined), NO);
  assert.equal(verdict(present, undefined, { invert: true }), YES);
  assert.equal(verdict(absent, undefined), YES);
  assert.equal(verdict(absent, "x"), NO);
  assert.equal(verdict(absent, "x", { invert: true }), YES);
  assert.equal(verdict(present, undefined, { treatMissingAsEmpty: true }), YES);
});

test("an inverted condition on a missing header matches only when missing is treated as empty", () => {
  const condition = text("exact", "a");
  assert.equal(verdict(condition, "b", { invert: true }), YES);
  assert.equal(verdict(condition, "a", { invert: true }), NO);
  assert.equal(verdict(condition, undefined, { invert: true }), NO);
  assert.equal(verdict(condition, undefined, { invert: true, treatMissingAsEmpty: true }), YES);
  assert.equal(verdict(text("exact", ""), undefined, { treatMissingAsEmpty: true }), YES);
});

test("several values of a header are judged joined with commas", () => {
  const view = requestView({ headers: {} });
  view.headers.append("x", "a");
  view.headers.append("x", "b");
  const match = new BoundHeaderMatch({
    name: "x",
    condition: text("exact", "a,b"),
    invert: false,
    treatMissingAsEmpty: false,
  });
  assert.equal(match.verdict(view), YES);
});

test("pseudo-headers and host are parts of the request", () => {
  const view = requestView({ method: "POST", path: "/a?b", authority: "shop.example", scheme: "https" });
  for (const [name, value] of [
    [":method", "POST"],
    [":path", "/a?b"],
    [":authority", "shop.example"],
    ["host", "shop.example"],
    [":scheme", "https"],
  ] as const) {
    const match = new BoundHeaderMatch({
      name,
      condition: text("exact", value),
      invert: false,
      treatMissingAsEmpty: false,
    });
    assert.equal(match.verdict(view), YES, name);
  }
});
