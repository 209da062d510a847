import assert from "node:assert/strict";
import { test } from "node:test";
import { unsupportedFields } from "@heddle/engine/load";
import { ClusterSchema, ListenerSchema, SecretSchema } from "@heddle/xds/api";
import { BootstrapSchema } from "@heddle/xds/api/bootstrap";
import { checkEveryField } from "../../../../scripts/every-field.ts";
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

test("every field of every message of a bootstrap is proven, or refused with its path", () => {
  const resources = new Set([ListenerSchema, ClusterSchema, SecretSchema].map(({ typeName }) => typeName));
  const { proven, refused } = checkEveryField(
    [[BootstrapSchema, (message) => unsupportedFields(BootstrapSchema, message, acceptedBootstrapFields)]],
    acceptedBootstrapFields,
    resources,
  );
  assert.ok(proven > 30, `${proven} proven`);
  assert.ok(refused > 60, `${refused} refused`);
});
