import assert from "node:assert/strict";
import { test } from "node:test";
import { TestProofs } from "../../../../scripts/test-proofs.ts";
import { acceptedBootstrapFields } from "./accepted-fields.ts";

test("the proof of every accepted field of a bootstrap is a test that exists", () => {
  const tests = TestProofs.below(new URL("../../../", import.meta.url));
  for (const [type, fields] of Object.entries(acceptedBootstrapFields)) {
    for (const [field, { proof }] of Object.entries(fields)) {
      assert.equal(tests.problem(proof), undefined, `${type}.${field}`);
    }
  }
});
