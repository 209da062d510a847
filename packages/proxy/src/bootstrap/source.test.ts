import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { type DocumentPath, readCanonicalJson } from "./source.ts";
import { readYaml } from "./yaml-source.ts";

const value = {
  ...bootstrap(
    [httpListener({ name: "web", direction: "OUTBOUND", routes: [route("/", "app")] })],
    [cluster("app", [1])],
  ),
  empty: { list: [], object: {}, text: "a: {\n[", nothing: null },
};
const text = `${JSON.stringify(value, undefined, 2)}\n`;

function* pathsIn(at: unknown, path: DocumentPath = []): Generator<DocumentPath> {
  yield path;
  if (typeof at !== "object" || at === null) return;
  for (const [key, inner] of Object.entries(at))
    yield* pathsIn(inner, [...path, Array.isArray(at) ? Number(key) : key]);
}

test("canonical JSON has the value and the lines that YAML finds in it", () => {
  const json = readCanonicalJson(text);
  const yaml = readYaml(text).source;
  assert.deepEqual(json?.value, value);
  const paths = [...pathsIn(value), ["static_resources", "missing"], ["static_resources", "listeners", 7, "name"]];
  assert.ok(paths.length > 40);
  assert.deepEqual(
    paths.map((path) => [path, json?.lineOf(path)]),
    paths.map((path) => [path, yaml?.lineOf(path)]),
  );
});

for (const [what, other] of [
  ["a key that comes twice", text.replace('"name": "web",', '"name": "web",\n      "name": "web",')],
  ["another indentation", JSON.stringify(value)],
  ["YAML", "node: { id: a }"],
  ["a comment", `${text}# end\n`],
] as const) {
  test(`${what} is left to YAML`, () => {
    assert.notEqual(other, text);
    assert.equal(readCanonicalJson(other), undefined);
  });
}
