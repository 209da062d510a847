import assert from "node:assert/strict";
import { before, test } from "node:test";
import { ThrowawayCa } from "@heddle/testkit";
import { isSignedBy, parseCertificate } from "./certificate.ts";
import { KnownCertificates } from "./known-certificates.ts";

const reviews = "spiffe://cluster.local/ns/default/sa/reviews";

let root: ThrowawayCa;
let other: ThrowawayCa;

before(async () => {
  [root, other] = await Promise.all([ThrowawayCa.create(), ThrowawayCa.create()]);
});

function derOf({ certificatePem }: ThrowawayCa): Buffer {
  return Buffer.from(certificatePem.replace(/-----[^-]+-----|\s/g, ""), "base64");
}

async function leafDer(): Promise<Buffer> {
  const [der] = (await root.issue(reviews)).chainDer;
  assert.ok(der);
  return der;
}

test("the same bytes are the same certificate once they are remembered, and others are not", async () => {
  const known = new KnownCertificates();
  const der = await leafDer();
  const first = known.parse(der);
  assert.ok(first);
  assert.notEqual(known.parse(Buffer.from(der)), first, "nobody has verified it");
  known.remember(first);
  assert.equal(known.parse(Buffer.from(der)), first);
  const damaged = Buffer.from(der);
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
  assert.notEqual(known.parse(damaged), first);
});

test("as many are kept as there is room for, and those that were shown last", async () => {
  const known = new KnownCertificates(2);
  const ders = await Promise.all([leafDer(), leafDer(), leafDer()]);
  const [first, second, third] = ders.map((der) => parseCertificate(der));
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  for (const certificate of [first, second, first, third]) known.remember(certificate);
  assert.equal(known.size, 2);
  assert.deepEqual(
    ders.map((der) => [first, second, third].includes(known.parse(Buffer.from(der)) ?? first)),
    [true, false, true],
  );
});

test("a signature that was good is checked once, for these two certificates only; one that was not is checked again", async () => {
  let checks = 0;
  const known = new KnownCertificates(2, (certificate, issuer) => {
    checks += 1;
    return isSignedBy(certificate, issuer);
  });
  const leaf = parseCertificate(await leafDer());
  const [issuer, stranger] = [parseCertificate(derOf(root)), parseCertificate(derOf(other))];
  assert.ok(leaf !== undefined && issuer !== undefined && stranger !== undefined);
  for (const _again of [1, 2]) {
    assert.equal(known.isSignedBy(leaf, issuer), true);
    assert.equal(known.isSignedBy(leaf, stranger), false);
    assert.equal(known.isSignedBy(issuer, leaf), false);
  }
  assert.equal(checks, 5);
});
