import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepEqual } from "./structural-equality.ts";

const cases: [unknown, unknown, boolean][] = [
  [1, 1, true],
  [1, "1", false],
  [null, undefined, false],
  [null, {}, false],
  [{ a: 1, b: [1, 2] }, { b: [1, 2], a: 1 }, true],
  [{ a: 1 }, { a: 1, b: undefined }, false],
  [{ a: undefined }, { b: undefined }, false],
  [[1, 2], [2, 1], false],
  [[1], { 0: 1 }, false],
  [{ 0: 1 }, [1], false],
  [new Map([["a", [1]]]), new Map([["a", [1]]]), true],
  [new Map([["a", 1]]), new Map([["b", 1]]), false],
  [new Map(), {}, false],
  [{}, new Map(), false],
  [Number.NaN, Number.NaN, true],
];

test("Plain data is equal when it holds the same, whatever the order of keys", () => {
  for (const [a, b, expected] of cases)
    assert.equal(isDeepEqual(a, b), expected, `${JSON.stringify(a)} ${JSON.stringify(b)}`);
});
