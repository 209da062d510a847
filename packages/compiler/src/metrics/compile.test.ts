import assert from "node:assert/strict";
import { test } from "node:test";
import { audienceOf } from "../audience.ts";
import type { WorkloadInstance } from "../inputs.ts";
import { TestMesh } from "../testing/test-mesh.ts";
import { compilePeerMetadata, compileStandardMetrics, workloadIdentity, workloadMetadata } from "./compile.ts";

const instance = (fields: Partial<WorkloadInstance>): WorkloadInstance => ({
  ...new TestMesh("").instance("reviews-v1-0"),
  ...fields,
});

test("Canonical name and revision are read from the labels that Istio reads, in its order", () => {
  const labels = {
    "service.istio.io/canonical-name": "one",
    "app.kubernetes.io/name": "two",
    app: "three",
    "service.istio.io/canonical-revision": "r1",
    "app.kubernetes.io/version": "r2",
    version: "r3",
  };
  const seen = (leftOut: string[]) => {
    const rest = Object.fromEntries(Object.entries(labels).filter(([key]) => !leftOut.includes(key)));
    const { canonicalService, canonicalRevision } = workloadMetadata(
      instance({ labels: rest, version: "", workload: "four" }),
      "td",
    );
    return [canonicalService, canonicalRevision];
  };
  assert.deepEqual(seen([]), ["one", "r1"]);
  assert.deepEqual(seen(["service.istio.io/canonical-name", "service.istio.io/canonical-revision"]), ["two", "r2"]);
  assert.deepEqual(seen(Object.keys(labels).slice(0, 2).concat(Object.keys(labels).slice(3, 5))), ["three", "r3"]);
  assert.deepEqual(seen(Object.keys(labels)), ["four", "latest"]);
});

test("The principal is the SPIFFE id, as a certificate says it", () => {
  assert.equal(workloadMetadata(instance({}), "td.example").principal, "spiffe://td.example/ns/default/sa/reviews");
});

test("Endpoints say who they are in Istio's five fields", () => {
  assert.equal(workloadIdentity(instance({})), "reviews-v1;default;reviews;v1;");
});

test("Filters of our own are for proxies that understand them", () => {
  const heddle = audienceOf({ dialect: "heddle" });
  const envoy = audienceOf({ dialect: "envoy" });
  const local = workloadMetadata(instance({}), "td");
  assert.equal(compilePeerMetadata(heddle, "inbound", local).length, 1);
  assert.equal(compileStandardMetrics(heddle, "source").length, 1);
  assert.deepEqual([...compilePeerMetadata(envoy, "inbound", local), ...compileStandardMetrics(envoy, "source")], []);
});
