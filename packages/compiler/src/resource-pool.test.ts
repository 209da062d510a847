import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterLoadAssignmentSchema, ClusterSchema, create, RouteConfigurationSchema } from "@heddle/xds/api";
import { ResourcePool } from "./resource-pool.ts";

test("The same content is the same object", () => {
  const pool = new ResourcePool();
  const first = pool.intern(create(ClusterSchema, { name: "a" }));
  assert.equal(pool.intern(create(ClusterSchema, { name: "a" })), first);
  assert.notEqual(pool.intern(create(ClusterSchema, { name: "b" })), first);
  pool.sweep();
  assert.equal(pool.intern(create(ClusterSchema, { name: "a" })), first);
});

test("Resources of two types are two, though their bytes are the same", () => {
  const pool = new ResourcePool();
  const assignment = pool.intern(create(ClusterLoadAssignmentSchema, { clusterName: "a" }));
  const table = pool.intern(create(RouteConfigurationSchema, { name: "a" }));
  assert.equal(assignment.version, table.version);
  assert.notEqual(assignment.message.$typeName, table.message.$typeName);
  assert.deepEqual([assignment.name, table.name], ["a", "a"]);
});
