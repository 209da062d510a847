import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "@heddle/core";
import { type JsonObject, SecretSchema } from "@heddle/xds/api";
import { secretFromTransfer, secretToTransfer } from "../config/secret.ts";
import { configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { loadSecret } from "./secret.ts";

const load = (json: JsonObject) => loadSecret(fromEnvoyJson(SecretSchema, json));
const certificate = {
  name: "default",
  tls_certificate: {
    certificate_chain: { inline_string: "CHAIN" },
    private_key: { inline_bytes: Buffer.from("KEY").toString("base64") },
  },
};

test("a secret is a certificate with its key or a validation context", () => {
  const own = configOf(load(certificate));
  assert.ok(own.kind === "certificate");
  assert.deepEqual([own.name, own.certificateChainPem, own.privateKey.reveal()], ["default", "CHAIN", "KEY"]);
  const anchors = configOf(load({ name: "ROOTCA", validation_context: { trusted_ca: { inline_string: "PEM" } } }));
  assert.deepEqual(anchors, {
    kind: "validation",
    name: "ROOTCA",
    validation: {
      trustedCa: { pem: "PEM" },
      matchSubjectAltNames: [],
      crlPem: undefined,
    },
  });
  assert.deepEqual(problemsOf(load({ name: "x" })), [": the secret is empty"]);
  assert.deepEqual(problemsOf(load({ name: "x", generic_secret: { secret: { inline_string: "x" } } })), [
    "generic_secret: envoy.extensions.transport_sockets.tls.v3.Secret.generic_secret is not supported",
  ]);
  assert.deepEqual(problemsOf(load({ name: "", tls_certificate: {} })), [
    "name: the field is empty",
    "tls_certificate.certificate_chain: there is no data",
    "tls_certificate.private_key: there is no data",
  ]);
});

test("a secret crosses a thread in a form of its own", () => {
  const own = configOf(load(certificate));
  const transferred = structuredClone(secretToTransfer(own));
  const back = secretFromTransfer(transferred, (pem) => new Secret(pem));
  assert.ok(back.kind === "certificate" && own.kind === "certificate");
  assert.equal(back.privateKey.reveal(), "KEY");
  const anchors = configOf(load({ name: "ROOTCA", validation_context: { trusted_ca: { inline_string: "PEM" } } }));
  assert.equal(
    secretFromTransfer(secretToTransfer(anchors), (pem) => new Secret(pem)),
    anchors,
  );
});
