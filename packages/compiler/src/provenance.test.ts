import assert from "node:assert/strict";
import { test } from "node:test";
import { metadataOf, provenanceOf, rulePath } from "./provenance.ts";

const origin = { kind: "VirtualService", namespace: "default", name: "reviews", generation: 3 };

test("Provenance names the resource, the rule and the generation, and no file", () => {
  assert.deepEqual(provenanceOf(origin, "http[0]"), {
    kind: "VirtualService",
    namespace: "default",
    name: "reviews",
    rule: "http[0]",
    generation: "3",
  });
  assert.deepEqual(provenanceOf({ ...origin, generation: 0 }, ""), {
    kind: "VirtualService",
    namespace: "default",
    name: "reviews",
  });
});

test("Metadata holds its parts in the order of their keys", () => {
  const metadata = metadataOf({ istio: { b: "1" }, "heddle.dev": { a: "1" }, none: undefined });
  assert.deepEqual(Object.keys(metadata?.filterMetadata ?? {}), ["heddle.dev", "istio"]);
  assert.equal(metadataOf({ none: undefined }), undefined);
});

test("A rule's path leads to its place in the file", () => {
  assert.deepEqual(rulePath("http[0].match[1]"), ["spec", "http", 0, "match", 1]);
  assert.deepEqual(rulePath("subsets[2].trafficPolicy"), ["spec", "subsets", 2, "trafficPolicy"]);
  assert.deepEqual(rulePath(""), ["spec"]);
});
