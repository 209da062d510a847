import assert from "node:assert/strict";
import { test } from "node:test";
import type { TapMatch } from "./config.ts";
import { matchesTap, type TapSubject } from "./match.ts";

const web = "spiffe://cluster.local/ns/shop/sa/web";
const reviews = "spiffe://cluster.local/ns/shop/sa/reviews";
const values = new Map([
  ["x-user", ["ann", "bob"]],
  ["x-empty", [""]],
]);

const subject: TapSubject = {
  method: "GET",
  path: "/books/1?page=2",
  authority: "Reviews:9080",
  scheme: "https",
  headers: { getAll: (name) => values.get(name) ?? [] },
  sourceIdentity: web,
  destinationIdentity: reviews,
  direction: "inbound",
};

const rows: readonly [match: Partial<TapMatch>, expected: boolean][] = [
  [{}, true],
  [{ method: "GET" }, true],
  [{ method: "get" }, false],
  [{ path: { exact: "/books/1" } }, true],
  [{ path: { exact: "/books" } }, false],
  [{ path: { prefix: "/books/" } }, true],
  [{ path: { prefix: "/book/" } }, false],
  [{ authority: "reviews:9080" }, true],
  [{ authority: "reviews" }, false],
  [{ scheme: "https" }, true],
  [{ scheme: "http" }, false],
  [{ headers: [{ name: "x-user", exact: undefined }] }, true],
  [{ headers: [{ name: "x-empty", exact: "" }] }, true],
  [{ headers: [{ name: "x-user", exact: "bob" }] }, true],
  [{ headers: [{ name: "x-user", exact: "ann,bob" }] }, false],
  [
    {
      headers: [
        { name: "x-user", exact: undefined },
        { name: "x-none", exact: undefined },
      ],
    },
    false,
  ],
  [{ sourceIdentity: web }, true],
  [{ sourceIdentity: reviews }, false],
  [{ destinationIdentity: reviews }, true],
  [{ destinationIdentity: web }, false],
  [{ direction: "inbound" }, true],
  [{ direction: "outbound" }, false],
  [{ method: "GET", sourceIdentity: reviews }, false],
];
for (const [match, expected] of rows) {
  test(`${JSON.stringify(match)} ${expected ? "takes" : "leaves out"} the request`, () => {
    assert.equal(matchesTap({ headers: [], ...match }, subject), expected);
  });
}
