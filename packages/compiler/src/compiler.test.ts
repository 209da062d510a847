import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { everyCapability } from "./audience.ts";
import { Compiler, type ProxyResources } from "./compiler.ts";
import type { CompiledResource, Dialect, MeshInputs } from "./inputs.ts";
import { contentHash } from "./content-hash.ts";
import { type Edit, editSequences, emptyMesh, makeResource } from "./testing/random-mesh.ts";
import { readScene } from "./testing/scene.ts";

const dialects: Dialect[] = ["heddle", "envoy"];
const capabilities = everyCapability;

function allResources(compiler: Compiler, inputs: MeshInputs): Map<string, CompiledResource> {
  const all = new Map<string, CompiledResource>();
  for (const { id } of inputs.instances) {
    for (const dialect of dialects) {
      for (const [kind, list] of Object.entries(compiler.resourcesFor({ instanceId: id, dialect, capabilities }))) {
        for (const resource of list) all.set([id, dialect, kind, resource.name].join(" "), resource);
      }
    }
  }
  return all;
}

test("After any edits the output equals a compile from scratch, and what stays the same stays the same object", () => {
  fc.assert(
    fc.property(editSequences, (edits: Edit[]) => {
      const compiler = new Compiler();
      let inputs = emptyMesh;
      let before = new Map<string, CompiledResource>();
      for (const edit of edits) {
        inputs = edit(inputs);
        compiler.update(inputs);
        const now = allResources(compiler, inputs);
        const scratch = new Compiler();
        scratch.update(inputs);
        const fresh = allResources(scratch, inputs);
        assert.deepEqual(
          [...now].map(([key, { version }]) => [key, version]),
          [...fresh].map(([key, { version }]) => [key, version]),
        );
        for (const [key, resource] of now) {
          assert.equal(resource.version, contentHash(resource.message));
          if (before.get(key)?.version === resource.version) {
            assert.equal(before.get(key), resource, `${key} is an object of its own`);
          }
        }
        before = now;
      }
    }),
    { numRuns: 100 },
  );
});

const shop = `
apiVersion: heddle.dev/v1alpha1
kind: LocalMesh
metadata: { name: shop }
spec:
  edge: { service: web }
  workloads:
    - { name: web, service: web, version: v1, command: [web], port: 8080 }
    - { name: books, service: books, version: v1, command: [books], port: 9080 }
    - { name: reviews-v1, service: reviews, version: v1, command: [reviews], port: 9080 }
    - { name: reviews-v2, service: reviews, version: v2, command: [reviews], port: 9080 }
`;

function routeTo(subset: string) {
  return makeResource(
    "VirtualService",
    { name: "reviews", namespace: "default", labels: {}, annotations: {}, generation: 1 },
    { hosts: ["reviews"], http: [{ route: [{ destination: { host: "reviews", subset } }] }] },
  );
}

function askAll(compiler: Compiler, { instances }: MeshInputs): ProxyResources[] {
  return instances.map(({ id }) => compiler.resourcesFor({ instanceId: id, dialect: "heddle", capabilities }));
}

test("An edit of one VirtualService compiles the one table that it speaks for, once for all callers", () => {
  const { inputs } = readScene(shop, "shop.yaml");
  const compiler = new Compiler();
  const withRoute = (subset: string) => ({ ...inputs, resources: [...inputs.resources, routeTo(subset)] });
  compiler.update(withRoute("v1"));
  askAll(compiler, inputs);
  assert.equal(compiler.computed().get("service routes"), 3);
  compiler.update(withRoute("v2"));
  askAll(compiler, inputs);
  assert.deepEqual(
    [...compiler.computed()].filter(([name]) => /routes|listener|cluster|endpoints/.test(name)),
    [["service routes", 1]],
  );
});

test("A replica that stops being ready costs its service's endpoints and nothing else", () => {
  const { inputs } = readScene(shop, "shop.yaml");
  const compiler = new Compiler();
  compiler.update(inputs);
  const before = askAll(compiler, inputs);
  const instances = inputs.instances.map((each) => (each.id === "reviews-v2-0" ? { ...each, ready: false } : each));
  compiler.update({ ...inputs, instances });
  const after = askAll(compiler, inputs);
  for (const [index, { listeners, routes, clusters, endpoints }] of after.entries()) {
    const was = before[index];
    assert.ok(was);
    assert.equal(listeners, was.listeners);
    assert.equal(routes, was.routes);
    assert.equal(clusters, was.clusters);
    const changed = endpoints.filter((resource, at) => resource !== was.endpoints[at]).map(({ name }) => name);
    assert.ok(
      changed.every((name) => name === "outbound|9080||reviews.default.svc.cluster.local"),
      changed.join(),
    );
  }
  assert.equal(compiler.computed().get("endpoints"), 1);
});

test("Inputs that say the same in other objects and another order compute nothing and change nothing", () => {
  const first = readScene(shop, "shop.yaml").inputs;
  const second = readScene(`\n\n# A comment.\n${shop}`, "moved.yaml").inputs;
  const compiler = new Compiler();
  compiler.update(first);
  const before = askAll(compiler, first);
  compiler.update({ ...second, instances: [...second.instances].reverse() });
  const after = askAll(compiler, first);
  assert.ok(after.every((resources, index) => resources === before[index]));
  assert.deepEqual([...compiler.computed()], []);
});

test("A proxy whose workload the mesh does not know is told nothing", () => {
  const compiler = new Compiler();
  compiler.update(readScene(shop, "shop.yaml").inputs);
  assert.deepEqual(compiler.resourcesFor({ instanceId: "nobody", dialect: "heddle" }), {
    listeners: [],
    routes: [],
    clusters: [],
    endpoints: [],
    secrets: [],
  });
});

test("What was compiled for a workload that is gone for long is not kept for ever", () => {
  const { inputs } = readScene(shop, "shop.yaml");
  const compiler = new Compiler();
  compiler.update(inputs);
  const books = compiler.resourcesFor({ instanceId: "books-0", dialect: "heddle" });
  for (let i = 0; i < 80; i++) {
    compiler.update(inputs);
    compiler.resourcesFor({ instanceId: "web-0", dialect: "heddle" });
  }
  const again = compiler.resourcesFor({ instanceId: "books-0", dialect: "heddle" });
  assert.notEqual(again, books);
  assert.deepEqual(
    again.listeners.map(({ version }) => version),
    books.listeners.map(({ version }) => version),
  );
});
