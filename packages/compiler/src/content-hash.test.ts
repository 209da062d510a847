import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, create, RBACSchema } from "@heddle/xds/api";
import { contentHash, hashBytes } from "./content-hash.ts";

/** Memory order of the reference implementation: four little-endian words. */
function toMemory(hash: string): number[] {
  return [0, 8, 16, 24].flatMap((at) => {
    const word = Number.parseInt(hash.slice(at, at + 8), 16);
    return [word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24];
  });
}

test("The hash is MurmurHash3 x86 128: it has SMHasher's verification value", () => {
  const keys = Uint8Array.from({ length: 256 }, (_, i) => i);
  const all: number[] = [];
  for (let length = 0; length < 256; length++) all.push(...toMemory(hashBytes(keys.subarray(0, length), 256 - length)));
  const [a = 0, b = 0, c = 0, d = 0] = toMemory(hashBytes(Uint8Array.from(all), 0));
  assert.equal(((d << 24) | (c << 16) | (b << 8) | a) >>> 0, 0xb3ece62a);
});

test("A view into a larger buffer hashes as its own bytes", () => {
  const buffer = Uint8Array.from({ length: 64 }, (_, i) => (i * 37) & 255);
  assert.equal(hashBytes(buffer.subarray(3, 40), 0), hashBytes(buffer.slice(3, 40), 0));
});

test("Equal messages have equal hashes, and every field counts", () => {
  const one = create(ClusterSchema, { name: "outbound|9080||reviews.default.svc.cluster.local" });
  const same = create(ClusterSchema, { name: "outbound|9080||reviews.default.svc.cluster.local" });
  const other = create(ClusterSchema, { name: "outbound|9080||reviews.default.svc.cluster.local", altStatName: "x" });
  assert.equal(contentHash(one), contentHash(same));
  assert.notEqual(contentHash(one), contentHash(other));
  assert.match(contentHash(one), /^[0-9a-f]{32}$/);
});

test("A message that no discovery service carries is refused", () => {
  assert.throws(() => contentHash(create(RBACSchema)), /envoy\.config\.rbac\.v3\.RBAC is not a resource/);
});
