import assert from "node:assert/strict";
import { test } from "node:test";
import { readAuthority } from "./authority.ts";

const good: [text: string, authority: string][] = [
  ["a", "a"],
  ["Books.default.svc.cluster.local:9080", "Books.default.svc.cluster.local:9080"],
  ["127.0.0.1:0", "127.0.0.1:0"],
  ["a:65535", "a:65535"],
  ["a:", "a"],
  ["under_score", "under_score"],
  ["[::1]", "[::1]"],
  ["[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80"],
];

for (const [text, authority] of good) test(`reads ${text}`, () => assert.equal(readAuthority(text), authority));

const bad = [
  "",
  ":",
  ":80",
  "a:b",
  "a:65536",
  "a:123456",
  "a:-1",
  "a: 1",
  "a:1:2",
  "a b",
  "a/",
  "a?b",
  "a#b",
  "a@b",
  "a,b",
  "a\\b",
  "a%2eb",
  "a\0",
  "é",
  "\u0161",
  "<a>",
  '"a"',
  "[",
  "[]",
  "[:]x",
  "[::1",
  "::1",
  "[::1]80",
  "[::1%25eth0]",
  "[v1.a]",
  "[1234]",
  "[::g]",
  "{a}",
];

for (const text of bad) test(`refuses ${JSON.stringify(text)}`, () => assert.equal(readAuthority(text), undefined));
