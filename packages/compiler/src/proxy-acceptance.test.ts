// What the compiler says, Heddle's own proxy understands: every resource passes the loader that refuses each field it does not know.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { capabilities, loadCluster, loadEndpoints, loadListener, loadRouteConfiguration } from "@heddle/engine/load";
import fc from "fast-check";
import { Compiler } from "./compiler.ts";
import type { Dialect, MeshInputs } from "./inputs.ts";
import { editSequences, emptyMesh } from "./testing/random-mesh.ts";
import { readScene } from "./testing/scene.ts";
import { anyTlsFile, loadAll } from "./testing/traffic.ts";

const dialects: Dialect[] = ["heddle", "envoy"];

function loadEverything(inputs: MeshInputs): number {
  const compiler = new Compiler();
  compiler.update(inputs);
  let count = 0;
  for (const { id } of inputs.instances) {
    for (const dialect of dialects) {
      const { listeners, routes, clusters, endpoints } = compiler.resourcesFor({
        instanceId: id,
        dialect,
        capabilities,
      });
      count += loadAll(listeners, (message) => loadListener(message)).length;
      count += loadAll(routes, (message) => loadRouteConfiguration(message)).length;
      count += loadAll(clusters, (message) => loadCluster(message, anyTlsFile)).length;
      count += loadAll(endpoints, (message) => loadEndpoints(message)).length;
    }
  }
  return count;
}

test("Whatever the mesh is, Heddle's proxy loads all of its resources, of either dialect", () => {
  fc.assert(
    fc.property(editSequences, (edits) => {
      loadEverything(edits.reduce((inputs, edit) => edit(inputs), emptyMesh));
    }),
    { numRuns: 50 },
  );
});

const root = new URL(".", import.meta.url);
for (const input of globSync("*/testdata/*.in.yaml", { cwd: root }).sort()) {
  test(`Heddle's proxy loads all that ${input} compiles to`, () => {
    const text = readFileSync(new URL(input, root), "utf8");
    assert.ok(loadEverything(readScene(text.slice(text.indexOf("\n---\n") + 5), input).inputs) > 0);
  });
}
