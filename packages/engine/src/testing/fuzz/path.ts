import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { normalizePath, type PathNormalizationOptions } from "../../path-normalization.ts";

const actions = ["keep", "reject", "unescape-and-redirect", "unescape-and-forward"] as const;

export const target: FuzzTarget = {
  about: "a path that is accepted is its own normal form, climbs nowhere, and holds no NUL; the query is as it was",
  seeds: ["\0/a/../b//c?x=/../y", "\x01/a%2fb", "\x02/%2e%2e/%5c", "\x03/a\\b/..;x=y/%c0%ae", "\0/%%32%65", "\0*"],
  dictionary: [
    "/",
    "//",
    "..",
    ".",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "%00",
    "%25",
    "%",
    "\\",
    ";",
    "?",
    "#",
    "%c0%af",
    "\x80",
    "{",
    "%7e",
  ],
  run(input) {
    if (input.length === 0) return;
    const escapedSlashes = actions[(input[0] as number) % actions.length] as PathNormalizationOptions["escapedSlashes"];
    const options: PathNormalizationOptions = { normalize: true, mergeSlashes: true, escapedSlashes };
    const target = input.toString("latin1", 1);
    const { path, outcome } = normalizePath(target, options);
    if (outcome === "reject") return;
    assert.equal(normalizePath(path, options).path, path);
    assert.equal(path.slice(indexOfQuery(path)), target.slice(indexOfQuery(target)));
    if (!path.startsWith("/")) return;
    const plain = path.slice(0, indexOfQuery(path));
    assert.doesNotMatch(plain, /\/\/|\\|\0|%00|[\x00-\x20\x7f-\xff]/);
    assert.ok(!plain.split("/").some((segment) => segment === "." || segment === ".."), plain);
    if (escapedSlashes !== "keep") assert.doesNotMatch(plain, /%2f|%5c/i);
  },
};

function indexOfQuery(path: string): number {
  const question = path.indexOf("?");
  return question < 0 ? path.length : question;
}
