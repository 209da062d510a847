import assert from "node:assert/strict";
import { test } from "node:test";
import { compareAge } from "./age.ts";

/** `namespace/name[@creationTimestamp]` of resources, in the order of their age. */
function order(...written: readonly string[]): string[] {
  const resources = written.map((text) => {
    const [identity = "", creationTimestamp] = text.split("@");
    const [namespace = "", name = ""] = identity.split("/");
    const metadata = { name, namespace, labels: {}, annotations: {}, generation: 1 };
    return { text, metadata: creationTimestamp === undefined ? metadata : { ...metadata, creationTimestamp } };
  });
  return resources.sort(compareAge).map((each) => each.text);
}

test("4.9: the earlier timestamp goes first, whatever its time zone", () => {
  assert.deepEqual(order("a/a@2026-01-01T01:00:00Z", "a/b@2026-01-01T01:30:00+01:00"), [
    "a/b@2026-01-01T01:30:00+01:00",
    "a/a@2026-01-01T01:00:00Z",
  ]);
});

test("4.9: of the same age the name decides, then the namespace", () => {
  assert.deepEqual(order("b/b", "a/b", "z/a"), ["z/a", "a/b", "b/b"]);
  assert.deepEqual(order("b/b@2026-01-01T00:00:00Z", "z/a@2026-01-01T00:00:00Z"), [
    "z/a@2026-01-01T00:00:00Z",
    "b/b@2026-01-01T00:00:00Z",
  ]);
});

test("a resource without a timestamp is the younger beside one that has one", () => {
  assert.deepEqual(order("a/a", "z/z@2026-01-01T00:00:00Z"), ["z/z@2026-01-01T00:00:00Z", "a/a"]);
});

test("the order does not depend on a locale: capitals go before small letters", () => {
  assert.deepEqual(order("n/a", "n/B"), ["n/B", "n/a"]);
});
