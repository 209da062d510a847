import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFile } from "@heddle/api";
import type { MeshPlan } from "./plan.ts";
import { fingerprint, hasSettingsOf, planMesh, urlVariable } from "./plan.ts";

function plan(spec: string): MeshPlan {
  const text = `apiVersion: heddle.dev/v1alpha1\nkind: LocalMesh\nmetadata: { name: shop }\nspec:\n${spec}`;
  const { resources, findings } = parseFile(text, "mesh.yaml");
  assert.deepEqual(findings, []);
  const [mesh] = resources;
  assert.ok(mesh?.kind === "LocalMesh");
  return planMesh(mesh);
}

test("replicas are numbered, and defaults are filled in", () => {
  const { instances, edge, trustDomain } = plan(`  workloads:
    - { name: api, service: api, command: [a], port: 80, replicas: 2 }
`);
  assert.deepEqual(
    instances.map(({ id }) => id),
    ["api-0", "api-1"],
  );
  const [first] = instances;
  assert.deepEqual(
    [first?.namespace, first?.serviceAccount, first?.protocol, first?.version],
    ["default", "api", "http", ""],
  );
  assert.deepEqual(first?.labels, { app: "api" });
  assert.deepEqual([trustDomain, edge], ["cluster.local", undefined]);
  assert.equal(first?.place, "mesh.yaml:6");
});

test("labels hold service and version, and the file's own win", () => {
  const { instances } = plan(`  workloads:
    - { name: api, service: api, version: v2, command: [a], port: 80, labels: { version: blue, tier: back } }
`);
  assert.deepEqual(instances[0]?.labels, { app: "api", version: "blue", tier: "back" });
});

test("a workload may call every other service, or those that it names", () => {
  const { instances } = plan(`  workloads:
    - { name: web, service: web, command: [a], port: 80 }
    - { name: api, service: api, command: [a], port: 80, calls: [store.data, web] }
    - { name: store, service: store, namespace: data, command: [a], port: 80 }
`);
  const calls = instances.map((instance) => instance.calls.map(({ name, namespace }) => `${name}.${namespace}`));
  assert.deepEqual(calls, [
    ["api.default", "store.data"],
    ["store.data", "web.default"],
    ["web.default", "api.default"],
  ]);
});

test("a service of bytes has a URL that says so", () => {
  const { instances } = plan(`  workloads:
    - { name: web, service: web, command: [a], port: 80 }
    - { name: db, service: db, command: [a], port: 5432, protocol: tcp }
    - { name: any, service: any, command: [a], port: 81, protocol: auto }
`);
  assert.deepEqual(
    instances[0]?.calls.map(({ name, scheme }) => `${scheme}://${name}`),
    ["tcp://db", "http://any"],
  );
  assert.deepEqual(
    instances.map(({ protocol }) => protocol),
    ["http", "tcp", "auto"],
  );
});

test("the edge has an identity of its own in the root namespace", () => {
  const { edge, edgePlace } = plan(`  rootNamespace: root
  edge: { service: web, port: 0 }
  workloads: [{ name: web, service: web, command: [a], port: 80 }]
`);
  assert.deepEqual(edge, {
    address: "127.0.0.1",
    port: 0,
    service: { name: "web", namespace: "default" },
    serviceAccount: "edge",
    namespace: "root",
  });
  assert.equal(edgePlace, "mesh.yaml:6");
});

test("the variable of a service is its name, with the namespace when that is another", () => {
  assert.equal(urlVariable({ name: "user-reviews", namespace: "default" }, "default"), "USER_REVIEWS_URL");
  assert.equal(urlVariable({ name: "store", namespace: "data" }, "default"), "STORE_DATA_URL");
});

test("where a workload stands in the file does not make it another", () => {
  const before = plan("  workloads: [{ name: web, service: web, command: [a], port: 80 }]\n").instances[0];
  const moved = plan("  # a comment\n  workloads: [{ name: web, service: web, command: [a], port: 80 }]\n")
    .instances[0];
  const changed = plan("  workloads: [{ name: web, service: web, command: [b], port: 80 }]\n").instances[0];
  assert.ok(before !== undefined && moved !== undefined && changed !== undefined);
  assert.equal(fingerprint(before), fingerprint(moved));
  assert.notEqual(fingerprint(before), fingerprint(changed));
});

test("trust domain and root namespace are told apart from the rest of a plan", () => {
  const workloads = `  workloads: [{ name: api, service: api, command: [a], port: 80 }]
`;
  const running = plan(workloads);
  assert.equal(
    hasSettingsOf(
      plan(`${workloads}  edge: { service: api }
`),
      running,
    ),
    true,
  );
  assert.equal(
    hasSettingsOf(
      plan(`${workloads}  trustDomain: other.example
`),
      running,
    ),
    false,
  );
  assert.equal(
    hasSettingsOf(
      plan(`${workloads}  rootNamespace: roots
`),
      running,
    ),
    false,
  );
});
