import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { PathNormalizationOptions } from "./path-normalization.ts";
import { normalizePath } from "./path-normalization.ts";

const all: PathNormalizationOptions = { normalize: true, mergeSlashes: true, escapedSlashes: "keep" };
const onlyNormalize: PathNormalizationOptions = { ...all, mergeSlashes: false };

const normalized: [from: string, to: string][] = [
  // As Envoy's own test of normalize_path expects them.
  ["/xyz", "/xyz"],
  ["/x/y/z", "/x/y/z"],
  ["/a/b/../c", "/a/c"],
  ["/a/b/./c", "/a/b/c"],
  ["/a/b/../../../../c", "/c"],
  ["/a/..\\c", "/c"],
  ["/%c0%af", "/%c0%af"],
  ["/%5c%25", "/%5c%25"],
  ["/a/b/%2E%2E/c", "/a/c"],
  ["/a/b/%2e%2E/c", "/a/c"],
  ["/a/b/%2E./c", "/a/c"],
  ["/a/b/%2E/c", "/a/b/c"],
  ["/../a/b", "/a/b"],
  ["/./a/b", "/a/b"],
  ["/A/B/C", "/A/B/C"],
  ["/a/%2F%2f/c", "/a/%2F%2f/c"],
  // RFC 3986 §5.2.4 and §6.2.2.2.
  ["/", "/"],
  ["/..", "/"],
  ["/.", "/"],
  ["/a/..", "/"],
  ["/a/.", "/a/"],
  ["/a/b/..", "/a/"],
  ["/a//../b", "/a/b"],
  ["/a//b", "/a//b"],
  ["/...", "/..."],
  ["/.a/..b/c..", "/.a/..b/c.."],
  ["/%61dmin", "/admin"],
  ["/%7Euser%2D%5F", "/~user-_"],
  ["/a%3Fb", "/a%3Fb"],
  ["/a%2", "/a%2"],
  ["/a%zz", "/a%zz"],
  ["/%%67", "/%g"],
  ["/%25%65", "/%25e"],
  ["\\a", "\\a"],
  ["/a\\b\\..\\c", "/a/c"],
  ["/a{b}|c", "/a%7Bb%7D%7Cc"],
  ["/..;/a", "/..;/a"],
  ["/a/../b?x=/../y\\z%2e", "/b?x=/../y\\z%2e"],
  ["/a?/../b", "/a?/../b"],
  ["*", "*"],
  ["", ""],
];

for (const [from, to] of normalized) {
  test(`normalises ${JSON.stringify(from)} to ${JSON.stringify(to)}`, () => {
    assert.deepEqual(normalizePath(from, onlyNormalize), { path: to, outcome: "ok" });
  });
}

for (const path of ["/xyz/.%00../abc", "/xyz/%00.%00./abc", "/xyz/AAAAA%%0000/abc", "/a%00"]) {
  test(`rejects the escaped NUL of ${path}`, () => assert.equal(normalizePath(path, onlyNormalize).outcome, "reject"));
}

const merged: [from: string, to: string][] = [
  ["/a//b/c", "/a/b/c"],
  ["//a/b", "/a/b"],
  ["/a/b/c//", "/a/b/c/"],
  ["/a////b", "/a/b"],
  ["/a//b?a=///c", "/a/b?a=///c"],
  ["/a//b?", "/a/b?"],
  ["/a/..//b", "/b"],
  ["/a\\/b", "/a/b"],
];

for (const [from, to] of merged) {
  test(`merges the slashes of ${from}`, () => assert.deepEqual(normalizePath(from, all), { path: to, outcome: "ok" }));
}

test("nothing is changed when nothing is asked for", () => {
  for (const path of ["/a/../b", "/a//b", "/%2e", "/a%00", "/a%2fb"]) {
    assert.deepEqual(normalizePath(path, { normalize: false, mergeSlashes: false, escapedSlashes: "keep" }), {
      path,
      outcome: "ok",
    });
  }
});

const escaped: [action: PathNormalizationOptions["escapedSlashes"], from: string, path: string, outcome: string][] = [
  ["keep", "/a%2Fb", "/a%2Fb", "ok"],
  ["reject", "/a%2Fb", "/a%2Fb", "reject"],
  ["reject", "/a%5cb", "/a%5cb", "reject"],
  ["reject", "/a?b=%2f", "/a?b=%2f", "ok"],
  ["unescape-and-forward", "/a%2fb%5Cc", "/a/b/c", "ok"],
  ["unescape-and-forward", "/a%2f..%2fb?c=%2f", "/b?c=%2f", "ok"],
  ["unescape-and-redirect", "/a%2fb?c", "/a/b?c", "redirect"],
  ["unescape-and-redirect", "/a%2F..%2Fb", "/b", "redirect"],
  ["unescape-and-redirect", "/a/../b", "/b", "ok"],
  ["unescape-and-redirect", "/a%252fb", "/a%252fb", "ok"],
];

for (const [escapedSlashes, from, path, outcome] of escaped) {
  test(`${escapedSlashes}: ${from} becomes ${path} (${outcome})`, () => {
    assert.deepEqual(normalizePath(from, { ...all, escapedSlashes }), { path, outcome });
  });
}

const part = fc.constantFrom(
  "/",
  "\\",
  ".",
  "..",
  "%2e",
  "%2E",
  "%2f",
  "%5C",
  "a",
  "%61",
  "?",
  "%00",
  "%",
  "%2",
  "%65",
  "%32",
  "{",
  "//",
  ";",
  "é",
);
const path = fc.array(part, { maxLength: 12 }).map((parts) => `/${parts.join("")}`);

test("a normalised path stays as it is", () => {
  fc.assert(
    fc.property(path, (target) => {
      const once = normalizePath(target, all);
      if (once.outcome === "reject") return;
      assert.deepEqual(normalizePath(once.path, all), once);
    }),
  );
});

test("no normalised path climbs, has a backslash or an empty segment", () => {
  fc.assert(
    fc.property(path, (target) => {
      const result = normalizePath(target, { ...all, escapedSlashes: "unescape-and-forward" });
      if (result.outcome === "reject") return;
      const only = result.path.split("?")[0] as string;
      assert.ok(only.startsWith("/"));
      assert.doesNotMatch(only, /\\|\/\/|%2f|%5c|(^|\/)\.{1,2}(\/|$)/i);
    }),
  );
});

for (const path of ["/%%32e", "/%2%65"]) {
  test(`rejects ${path}, whose decoding makes an escape that was not there`, () => {
    assert.equal(normalizePath(path, all).outcome, "reject");
  });
}
