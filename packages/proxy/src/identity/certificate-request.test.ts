import "reflect-metadata";
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { cryptoProvider, Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "@peculiar/x509";
import { createCertificateRequest } from "./certificate-request.ts";

cryptoProvider.set(globalThis.crypto);

const uris = [
  "spiffe://cluster.local/ns/default/sa/web",
  `spiffe://cluster.local/ns/${"n".repeat(200)}/sa/${"s".repeat(200)}`,
];
for (const uri of uris) {
  test(`a certificate request for a URI of ${uri.length} characters is read by another library`, async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const request = new Pkcs10CertificateRequest(createCertificateRequest(privateKey, uri));
    assert.equal(await request.verify(), true);
    assert.equal(request.subject, "");
    const [extension] = request.getExtensions("2.5.29.17");
    assert.ok(extension);
    assert.equal(extension.critical, true);
    assert.deepEqual(new SubjectAlternativeNameExtension(extension.rawData).names.toJSON(), [
      { type: "url", value: uri },
    ]);
  });
}
