import assert from "node:assert/strict";
import type { FuzzTarget } from "@heddle/testkit";
import { certificatePem, parseCertificate, parseCertificatesPem } from "../../certificate.ts";
import { parseRevocationListsPem } from "../../revocation-list.ts";

/** A leaf with a SPIFFE URI, a DNS name, key usage and purposes; its key is thrown away. */
const leaf = [
  "MIIB9jCCAZygAwIBAgIUVHafg6vAk9wkNbr9g5j75YQwnScwCgYIKoZIzj0EAwIwHjENMAsGA1UECgwERnV6ejENMAsGA1UEAwwEc2VlZDAgFw0yNjExMzAw",
  "NjIxNDBaGA8yMTI2MTEwNjA2MjE0MFowHjENMAsGA1UECgwERnV6ejENMAsGA1UEAwwEc2VlZDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHnXBD807z+b",
  "ZY/N7ZWm3v7vEVIsdzbum3DTN11crSUy94qMhHeNwJzargDHm73e3GlTq1VUt6mM8WVH0F0ZqrmjgbUwgbIwHQYDVR0OBBYEFDErKV2IU8oDMeMaMMuRuNgo",
  "5pEPMB8GA1UdIwQYMBaAFDErKV2IU8oDMeMaMMuRuNgo5pEPMA8GA1UdEwEB/wQFMAMBAf8wMwYDVR0RBCwwKoYgc3BpZmZlOi8vY2x1c3Rlci5sb2NhbC9u",
  "cy9hL3NhL2KCBmEudGVzdDALBgNVHQ8EBAMCAYYwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMAoGCCqGSM49BAMCA0gAMEUCICI+l5anwlgQNbSP",
  "9+o+M2FVEMUB7XV8KzFc8sgKu1L5AiEAjmDCz5lGq4uY6e9/vKueyDMWSVB5KWtcK6NpwjqnQUQ=",
].join("");
/** A list without entries that it signed. */
const list = [
  "MIG4MF8CAQEwCgYIKoZIzj0EAwIwHjENMAsGA1UECgwERnV6ejENMAsGA1UEAwwEc2VlZBcNMjYxMTMwMDYyMTQwWhgPMjEyNjExMDYwNjIxNDBaoA4wDDAK",
  "BgNVHRQEAwIBATAKBggqhkjOPQQDAgNJADBGAiEAjOHCNs2ZxncW6pz98cPOPq7jsSB+lS8sJ36+nhxaIUkCIQCg8lXddBdutPoEeM9Ivgw4MBi2SJl8csJT",
  "su7tIQnqwQ==",
].join("");

const asList = (der: Buffer): string => `-----BEGIN X509 CRL-----\n${der.toString("base64")}\n-----END X509 CRL-----\n`;

export const target: FuzzTarget = {
  about: "no octets crash the readers of certificates and revocation lists; DER and PEM of it are read alike",
  seeds: [Buffer.from(leaf, "base64"), Buffer.from(list, "base64")],
  dictionary: [
    "\x30\x80",
    "\x30\x00",
    "\x30\x82\xff\xff",
    "\x02\x01\x00",
    "\x05\x00",
    "\xa3\x82",
    "\x06\x03\x55\x1d\x11",
    "\x06\x03\x55\x1d\x13",
    "\x01\x01\xff",
    "\x17\x0d",
    "\x18\x0f",
    "\x86\x09spiffe://",
    "\x82\x01*",
    "\x87\x04",
    "\x04\x82",
  ],
  run(input) {
    const certificate = parseCertificate(input);
    const byPem = parseCertificatesPem(certificatePem(input));
    assert.equal(byPem?.length, certificate === undefined ? undefined : 1);
    if (certificate !== undefined) assert.deepEqual(byPem?.[0]?.uriSans, certificate.uriSans);
    parseRevocationListsPem(asList(input));
    parseCertificatesPem(input.toString("latin1"));
  },
};
