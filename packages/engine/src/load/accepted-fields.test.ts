import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ClusterLoadAssignmentSchema,
  ClusterSchema,
  create,
  type DescField,
  ListenerSchema,
  type Message,
  RouteConfigurationSchema,
  SecretSchema,
} from "@heddle/xds/api";
import { checkEveryField, type Judge, reachable, type Root } from "../../../../scripts/every-field.ts";
import { TestProofs } from "../../../../scripts/test-proofs.ts";
import { acceptedFields } from "./accepted-fields.ts";
import { loadCluster } from "./cluster.ts";
import { loadEndpoints } from "./endpoints.ts";
import { loadListener } from "./listener.ts";
import type { Loaded } from "./loading.ts";
import { loadRouteConfiguration } from "./route-table.ts";
import { loadSecret } from "./secret.ts";

test("the proof of every accepted field is a test that exists", () => {
  const tests = TestProofs.below(new URL("../../../", import.meta.url));
  for (const [type, fields] of Object.entries(acceptedFields)) {
    for (const [field, { proof, loadProof = proof }] of Object.entries(fields)) {
      assert.equal(tests.problem(proof), undefined, `${type}.${field}`);
      assert.equal(tests.problem(loadProof), undefined, `${type}.${field}`);
    }
  }
});

/** Fields that only name or hold others, or say where a value comes from: that it arrives is all that they do. */
const containers: ReadonlySet<string> = new Set([
  "a test of provenance: engine/src/load/listener.test.ts › provenance comes from the metadata of heddle.dev",
  "sources of values: engine/src/load/core-types.test.ts › data comes inline, from a file or from the environment",
  "sources of secrets: engine/src/load/tls.test.ts › secrets come from ADS, the local identity, the bootstrap or the context itself",
  "sinks: engine/src/load/access-log.test.ts › an access log's sink, format and filter arrive",
  "two ways to say one thing: engine/src/load/cluster.test.ts › the load balancer comes from lb_policy or from load_balancing_policy",
  "labels: engine/src/load/cluster.test.ts › the services behind a cluster come from Istio's metadata",
]);

test("that a value arrives proves a field only where it does nothing more than hold, name or lead to others", () => {
  const allowed = new Set([...containers].map((entry) => entry.slice(entry.indexOf(": ") + 2)));
  const used = new Set(
    Object.values(acceptedFields).flatMap((fields) => Object.values(fields).map(({ proof }) => proof)),
  );
  assert.deepEqual(
    [...allowed].filter((proof) => !used.has(proof)),
    [],
    "containers that nothing uses",
  );
  for (const [type, fields] of Object.entries(acceptedFields)) {
    for (const [field, { proof }] of Object.entries(fields)) {
      assert.ok(!proof.startsWith("engine/src/load/") || allowed.has(proof), `${type}.${field}: ${proof}`);
    }
  }
});

const judge =
  <M extends Message>(load: (message: M) => Loaded<unknown>): Judge =>
  (message) =>
    load(message as M).problems;

const roots: readonly Root[] = [
  [ListenerSchema, judge(loadListener)],
  [RouteConfigurationSchema, judge(loadRouteConfiguration)],
  [ClusterSchema, judge(loadCluster)],
  [ClusterLoadAssignmentSchema, judge(loadEndpoints)],
  [SecretSchema, judge(loadSecret)],
];

test("every field of every message that can be reached is proven, or refused with its path", () => {
  const { proven, refused } = checkEveryField(roots, acceptedFields);
  assert.ok(proven > 350, `${proven} proven`);
  assert.ok(refused > 300, `${refused} refused`);
});

test("the table names only messages that can be reached, and only fields that they have", () => {
  const places = new Map(reachable(roots, acceptedFields).map(({ desc }) => [desc.typeName, desc]));
  for (const [type, fields] of Object.entries(acceptedFields)) {
    const desc = places.get(type);
    assert.ok(desc !== undefined, `${type} cannot be reached`);
    for (const [field, { values }] of Object.entries(fields)) {
      const own: DescField | undefined = desc.fields.find(({ name }) => name === field);
      assert.ok(own !== undefined, `${type} has no field ${field}`);
      if (values === undefined) continue;
      assert.ok(own.fieldKind === "enum", `${type}.${field} is no enum`);
      for (const name of values)
        assert.ok(
          own.enum.values.some((value) => value.name === name),
          `${type}.${field} has no value ${name}`,
        );
    }
  }
});

test("an unknown enum value is refused", () => {
  const message = create(ListenerSchema, { name: "l" });
  (message as unknown as { trafficDirection: number }).trafficDirection = 99;
  assert.ok(
    loadListener(message).problems.some(
      (problem) => problem.path === "traffic_direction" && problem.message === "the value 99 is unknown",
    ),
  );
});
