import assert from "node:assert/strict";
import { test } from "node:test";
import { Extension, ThrowawayCa } from "@heddle/testkit";
import { type Certificate, parseCertificate } from "./certificate.ts";
import { SharedIntermediates } from "./shared-intermediates.ts";

async function intermediate(root: ThrowawayCa, paddingBytes: number): Promise<Certificate> {
  const padding = new Extension("1.2.3.4", false, Buffer.alloc(paddingBytes));
  const { certificateDer } = await root.createIntermediate({ extraExtensions: [padding] });
  const certificate = parseCertificate(certificateDer);
  assert.ok(certificate);
  return certificate;
}

test("what one worker has verified all know, until its part is full and begins anew under another generation", async () => {
  const root = await ThrowawayCa.create();
  const [first, second, third] = await Promise.all([20_000, 40_000, 20_000].map((bytes) => intermediate(root, bytes)));
  assert.ok(first && second && third);
  const buffer = SharedIntermediates.createBuffer(2);
  const [one, other] = [new SharedIntermediates(buffer, 0), new SharedIntermediates(buffer, 1)];
  const known = (pool: SharedIntermediates): boolean[] =>
    [first, second, third].map(({ subjectKey }) => pool.bySubject(subjectKey).length === 1);
  one.add(first);
  other.add(first);
  one.add(second);
  assert.deepEqual([known(one), known(other), other.generation], [[true, true, false], [true, true, false], 0]);
  one.add(third);
  assert.deepEqual([known(one), known(other), other.generation], [[false, false, true], [false, false, true], 1]);
  // One that comes in the place of a worker that is gone knows as much.
  assert.deepEqual(known(new SharedIntermediates(buffer, 0)), [false, false, true]);
  assert.deepEqual(one.bySubject(third.subjectKey)[0]?.der, third.der);
});
