import assert from "node:assert/strict";
import { test } from "node:test";
import { getCACertificates } from "node:tls";
import type { SecretConfig, SecretRef, ValidationConfig } from "@heddle/engine";
import { authoritiesOf, type FindSecret } from "./ads-connection.ts";

const rules = { matchSubjectAltNames: [], crlPem: undefined };
const given = (trustedCa: ValidationConfig["trustedCa"]): FindSecret => {
  const secret: SecretConfig = { kind: "validation", name: "anchors", validation: { ...rules, trustedCa } };
  return ({ name }) => (name === secret.name ? secret : undefined);
};
const named = (source: SecretRef["source"], name = "anchors"): ValidationConfig => ({
  ...rules,
  trustedCa: { source, name },
});
const system = getCACertificates("system");

for (const { what, validation, secret, expected } of [
  {
    what: "anchors of its own",
    validation: { ...rules, trustedCa: { pem: "own" } },
    secret: undefined,
    expected: ["own"],
  },
  {
    what: "the machine's store",
    validation: { ...rules, trustedCa: { store: "system" as const } },
    secret: undefined,
    expected: system,
  },
  { what: "a secret with anchors", validation: named("static"), secret: { pem: "secret" }, expected: ["secret"] },
  {
    what: "a secret with the machine's store",
    validation: named("static"),
    secret: { store: "system" as const },
    expected: system,
  },
  { what: "a secret without anchors", validation: named("static"), secret: undefined, expected: [] },
  { what: "a static secret that is not there", validation: named("static", "absent"), secret: undefined, expected: [] },
  {
    what: "the proxy's own bundle, not there yet",
    validation: named("local", "ROOTCA"),
    secret: undefined,
    expected: ["mesh"],
  },
  { what: "a bundle that is yet to come", validation: named("ads", "ROOTCA"), secret: undefined, expected: ["mesh"] },
  { what: "nothing", validation: undefined, secret: undefined, expected: [] },
]) {
  test(`the control plane is vouched for by what its cluster names and nobody else: ${what}`, () => {
    const found = authoritiesOf(validation, given(secret), () => "mesh");
    assert.deepEqual(found, expected);
  });
}
