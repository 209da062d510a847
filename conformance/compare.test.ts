import assert from "node:assert/strict";
import { test } from "node:test";
import { compare } from "./compare.ts";

test("what failed only through the proxy is broken, whatever reason is listed", () => {
  const known = [{ pattern: /./, reason: "any" }];
  const result = compare({ name: "s" }, "w", [{ name: "a" }, { name: "b" }], [{ name: "a", failure: "reset" }], known);
  assert.deepEqual(result.broken, [
    { case: "a", failure: "reset" },
    { case: "b", failure: "did not run through the proxy" },
  ]);
  assert.deepEqual([result.passedStraight, result.passedThrough], [2, 0]);
  assert.deepEqual(compare({ name: "s" }, "w", [], [{ name: "c" }], known).broken, [
    { case: "c", failure: "did not run straight" },
  ]);
});

test("where all must pass, a case that fails straight may not fail through the proxy either", () => {
  const failing = [{ name: "a", failure: "reset" }];
  assert.deepEqual(compare({ name: "s" }, "w", failing, failing, []).broken, []);
  assert.deepEqual(compare({ name: "s", allMustPass: true }, "w", failing, failing, []).broken, [
    { case: "a", failure: "reset" },
  ]);
});

test("each difference has the reason that is listed for it, or none", () => {
  const straight = [
    { name: "a", seen: { same: "1", changed: "1", gone: "1" } },
    { name: "b", failure: "no" },
    { name: "c", failure: "no" },
  ];
  const through = [
    { name: "a", seen: { same: "1", changed: "2", more: "1" } },
    { name: "b" },
    { name: "c", failure: "no" },
  ];
  const { differences, broken } = compare({ name: "s" }, "w", straight, through, [
    { pattern: /^s · w · a · changed: 1 → 2$/, reason: "so it is" },
  ]);
  assert.deepEqual(broken, []);
  assert.deepEqual(differences, [
    { suite: "s", way: "w", case: "a", text: "changed: 1 → 2", reason: "so it is" },
    { suite: "s", way: "w", case: "a", text: "gone removed: 1" },
    { suite: "s", way: "w", case: "a", text: "more added: 1" },
    { suite: "s", way: "w", case: "b", text: "fails straight, passes through" },
  ]);
});
