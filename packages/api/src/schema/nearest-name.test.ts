import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName } from "./nearest-name.ts";

const known = ["hosts", "http", "gateways", "timeout", "perTryTimeout", "directResponse"];

const cases: readonly [string, string | undefined][] = [
  ["host", "hosts"],
  ["HTTP", "http"],
  ["gatewasy", "gateways"],
  ["per_try_timeout", "perTryTimeout"],
  ["timeot", "timeout"],
  ["directResponce", "directResponse"],
  ["selector", undefined],
  ["x", undefined],
  ["", undefined],
];

for (const [written, expected] of cases) {
  test(`${JSON.stringify(written)} is ${expected === undefined ? "near to nothing" : `taken for ${expected}`}`, () => {
    assert.equal(nearestName(written, known), expected);
  });
}
