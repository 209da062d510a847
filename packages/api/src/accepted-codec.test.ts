import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAccepted, serializeAccepted } from "./accepted-codec.ts";
import { documentOf, resourcesOf } from "./testing/resources.ts";

const text = [
  documentOf(
    "VirtualService",
    "hosts: [a]\nhttp:\n- match: [{ headers: { __proto__: { exact: x } } }]\n  route: [{ destination: { host: a } }]",
    "{ name: a, labels: { x: y } }",
  ),
  documentOf("AuthorizationPolicy", "rules: [{}]", "{ name: b, namespace: shop }"),
].join("---\n");

test("accepted versions survive the way to JSON and back, with file and lines", () => {
  const resources = resourcesOf(text, "mesh/a.yaml");
  const restored = parseAccepted(serializeAccepted(resources));
  assert.deepEqual(restored?.dropped, []);
  assert.equal(restored.resources.length, 2);
  restored.resources.forEach((resource, index) => {
    const original = resources[index];
    assert.deepEqual({ ...resource, locate: undefined }, { ...original, locate: undefined });
    assert.deepEqual(resource.locate(["spec", "http", 0, "route"]), original?.locate(["spec", "http", 0, "route"]));
  });
});

test("what these tables do not accept is dropped and named", () => {
  const stored = JSON.parse(serializeAccepted(resourcesOf(text)));
  stored.resources[1].spec = { action: "AUDIT" };
  const restored = parseAccepted(JSON.stringify(stored));
  assert.deepEqual(restored?.dropped, [{ kind: "AuthorizationPolicy", namespace: "shop", name: "b" }]);
  assert.deepEqual(
    restored.resources.map((each) => each.metadata.name),
    ["a"],
  );
});

test("a kind of a later version is dropped and named", () => {
  const stored = JSON.parse(serializeAccepted(resourcesOf(text)));
  stored.resources[0].kind = "Later";
  assert.deepEqual(parseAccepted(JSON.stringify(stored))?.dropped, [
    { kind: "Later", namespace: "default", name: "a" },
  ]);
});

test("a damaged text, another format version or another shape is no accepted set", () => {
  const whole = serializeAccepted(resourcesOf(text));
  const stored = JSON.parse(whole);
  for (const damaged of [
    whole.slice(0, -5),
    "",
    "null",
    "[]",
    JSON.stringify({ ...stored, formatVersion: 2 }),
    JSON.stringify({ ...stored, resources: {} }),
    JSON.stringify({ ...stored, resources: [null] }),
    JSON.stringify({ ...stored, resources: [{ ...stored.resources[0], metadata: {} }] }),
    JSON.stringify({ ...stored, resources: [{ ...stored.resources[0], lines: {} }] }),
  ]) {
    assert.equal(parseAccepted(damaged), undefined);
  }
});
