import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalizePath, type PathNormalizationOptions } from "./path-normalization.ts";

const none: PathNormalizationOptions = { normalize: false, mergeSlashes: false, escapedSlashes: "keep" };
const base: PathNormalizationOptions = { ...none, normalize: true };
const merge: PathNormalizationOptions = { ...base, mergeSlashes: true };
const decode: PathNormalizationOptions = { ...merge, escapedSlashes: "unescape-and-forward" };

/** Columns: input, and the results under Istio's NONE, BASE, MERGE_SLASHES and DECODE_AND_MERGE_SLASHES. */
const table: readonly (readonly [string, string, string, string, string])[] = [
  ["/", "/", "/", "/", "/"],
  ["/app/", "/app/", "/app/", "/app/", "/app/"],
  ["/app/../admin", "/app/../admin", "/admin", "/admin", "/admin"],
  ["/app//", "/app//", "/app//", "/app/", "/app/"],
  ["/app/%2f", "/app/%2f", "/app/%2f", "/app/%2f", "/app/"],
  ["/app%2f/", "/app%2f/", "/app%2f/", "/app%2f/", "/app/"],
  ["/xyz%30..//abc", "/xyz%30..//abc", "/xyz0..//abc", "/xyz0../abc", "/xyz0../abc"],
  ["/app/%2E./admin", "/app/%2E./admin", "/admin", "/admin", "/admin"],
  ["/app\\admin", "/app\\admin", "/app/admin", "/app/admin", "/app/admin"],
  ["/app/\\/\\/\\admin", "/app/\\/\\/\\admin", "/app//////admin", "/app/admin", "/app/admin"],
  [
    "/%2Fapp%5cadmin%5Cabc",
    "/%2Fapp%5cadmin%5Cabc",
    "/%2Fapp%5cadmin%5Cabc",
    "/%2Fapp%5cadmin%5Cabc",
    "/app/admin/abc",
  ],
  [
    "/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc",
    "/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc",
    "/%5Capp%2f%5c%2F..%2fadmin%5c/abc",
    "/%5Capp%2f%5c%2F..%2fadmin%5c/abc",
    "/app/admin/abc",
  ],
  ["/app//../admin", "/app//../admin", "/app/admin", "/app/admin", "/app/admin"],
  ["/app//../../admin", "/app//../../admin", "/admin", "/admin", "/admin"],
  ["/a//b?x=//../%2f", "/a//b?x=//../%2f", "/a//b?x=//../%2f", "/a/b?x=//../%2f", "/a/b?x=//../%2f"],
];

test("istio.md 4.1.13: each level of path normalisation gives Istio's result", () => {
  for (const [input, ...expected] of table) {
    [none, base, merge, decode].forEach((options, level) => {
      assert.deepEqual(
        normalizePath(input, options),
        { path: expected[level], outcome: "ok" },
        `${input} at level ${level}`,
      );
    });
  }
});

test("what looks like an attack but is none to this level stays as it is", () => {
  for (const path of [
    "/0x2e0x2e/admin",
    "/0x2f0x2fadmin",
    "/%25c0%25ae%25c1%259cadmin",
    "/%252e%252e/admin",
    "/%252e%252e%252fadmin",
    "/%c1%9cadmin",
    "/%c0%ae%c0%ae/admin",
    "/%c0%afadmin",
    "/.../admin",
    "/..../admin",
    "/..;/admin",
    "/;/admin",
    "/admin;a=b/xyz",
    "/admin,a=b/xyz",
    "/Admin",
    "*",
  ]) {
    assert.deepEqual(normalizePath(path, decode), { path, outcome: "ok" });
  }
  assert.equal(normalizePath("/%c0%2e%c0%2e/admin", decode).path, "/%c0.%c0./admin");
});

test("every escape from %01 to %ff is undone when its character is unreserved, and kept otherwise", () => {
  for (let byte = 1; byte <= 255; byte++) {
    const input = `/admin%${byte.toString(16).padStart(2, "0")}`;
    const char = String.fromCharCode(byte);
    const expected = /[0-9A-Za-z\-._~]/.test(char)
      ? `/admin${char}`
      : char === "/" || char === "\\"
        ? "/admin/"
        : input;
    assert.equal(normalizePath(input, decode).path, expected);
  }
});

test("dot segments are removed as Envoy's own table has it", () => {
  for (const [input, expected] of [
    ["/a/b/../c", "/a/c"],
    ["/a/b/./c", "/a/b/c"],
    ["/a/b/../../../../c", "/c"],
    ["/a/..\\c", "/c"],
    ["/%c0%af", "/%c0%af"],
    ["/%5c%25", "/%5c%25"],
    ["/a/b/%2E%2E/c", "/a/c"],
    ["/a/b/%2E./c", "/a/c"],
    ["/a/b/%2e/c", "/a/b/c"],
    ["/..", "/"],
    ["/../a/b", "/a/b"],
    ["/./a/b", "/a/b"],
    ["/a/..", "/"],
    ["/a/.", "/a/"],
    ["/A/B/C", "/A/B/C"],
    ["/a/%2F%2f/c", "/a/%2F%2f/c"],
  ] as const) {
    assert.deepEqual(normalizePath(input, base), { path: expected, outcome: "ok" }, input);
  }
});

test("characters that may not stand in a path are escaped", () => {
  assert.equal(normalizePath('/a"b<c>d^e`f{g|h}i\xe9', base).path, "/a%22b%3Cc%3Ed%5Ee%60f%7Bg%7Ch%7Di%E9");
});

test("NUL, a fragment, and escapes that only decoding would make are refused", () => {
  for (const path of [
    "/admin%00",
    "/xyz/.%00../abc",
    "/xyz/%00.%00./abc",
    "/xyz/AAAAA%%0000/abc",
    "/%%30%30",
    "/%%32%65/x",
  ]) {
    assert.equal(normalizePath(path, base).outcome, "reject", path);
  }
  assert.equal(normalizePath("/app#foo", none).outcome, "reject");
});

test("escaped slashes are kept, refused, redirected or undone as configured", () => {
  const of = (escapedSlashes: PathNormalizationOptions["escapedSlashes"]) =>
    normalizePath("/a%2Fb%5cc?q=%2f", { ...base, escapedSlashes });
  assert.deepEqual(of("keep"), { path: "/a%2Fb%5cc?q=%2f", outcome: "ok" });
  assert.equal(of("reject").outcome, "reject");
  assert.deepEqual(of("unescape-and-redirect"), { path: "/a/b/c?q=%2f", outcome: "redirect" });
  assert.deepEqual(of("unescape-and-forward"), { path: "/a/b/c?q=%2f", outcome: "ok" });
  assert.equal(normalizePath("/a?x=%2f", { ...base, escapedSlashes: "reject" }).outcome, "ok");
});

test("normalising twice changes nothing more, and no dot segment survives", () => {
  const piece = fc.constantFrom(
    "/",
    "//",
    ".",
    "..",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "\\",
    "a",
    "B",
    "%41",
    "%",
    "%2",
    ";x",
    "%25",
    "%c3%a9",
    "é",
    "?",
    "~",
    "%7e",
    '"',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      for (const options of [base, merge, decode]) {
        const once = normalizePath(`/${pieces.join("")}`, options);
        if (once.outcome === "reject") continue;
        assert.equal(normalizePath(once.path, options).path, once.path);
        const plain = once.path.split("?")[0] ?? "";
        assert.ok(!plain.split("/").some((segment) => segment === "." || segment === ".."), once.path);
        if (options.mergeSlashes) assert.ok(!plain.includes("//"), once.path);
      }
    }),
    { numRuns: 1000 },
  );
});
