import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicyName } from "./names.ts";
import { metadataOf, provenanceOf, rulePath } from "./provenance.ts";
import { readResources } from "./testing/scene.ts";
import { reviewsHost, TestMesh } from "./testing/test-mesh.ts";
import { Traffic } from "./testing/traffic.ts";

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
  assert.deepEqual(rulePath("2"), ["spec", "rules", 2]);
});

test("What a route, a cluster, a filter chain and a denial carry leads back to the line that decided", () => {
  const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match:
        - uri: { prefix: /a }
        - uri: { prefix: /b }
      route: [{ destination: { host: reviews } }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets:
    - name: v1
    - name: v2
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: reviews }
spec:
  selector: { matchLabels: { app: reviews } }
  mtls: { mode: STRICT }
  portLevelMtls:
    "9080":
      mode: PERMISSIVE
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: reviews }
spec:
  action: DENY
  rules:
    - to: [{ operation: { methods: [PUT] } }]
    - to: [{ operation: { methods: [GET] } }]
`;
  const mesh = new TestMesh(text);
  const resources = readResources(text);
  const lineOf = (metadata: { filterMetadata: Record<string, unknown> } | undefined) => {
    assert.ok(metadata);
    const { kind, rule } = metadata.filterMetadata["heddle.dev"] as { kind: string; rule: string };
    return resources.find((resource) => resource.kind === kind)?.locate(rulePath(rule)).line;
  };
  assert.equal(lineOf(mesh.routes("web-0", reviewsHost)[1]?.metadata), 9);
  assert.equal(lineOf(mesh.cluster("web-0", `outbound|9080|v2|${reviewsHost}`).metadata), 19);
  assert.equal(lineOf(mesh.inbound("reviews-v1-0").filterChains[0]?.metadata), 28);

  const { details } = new Traffic(mesh).call({ from: "web-0", to: "reviews.default", path: "/a" });
  const policy = parsePolicyName(details.replace(/^rbac_access_denied_matched_policy\[(.*)\]$/, "$1"));
  const denied = resources.find(({ kind, metadata }) => kind === policy?.kind && metadata.name === policy.name);
  assert.equal(denied?.locate(rulePath(String(policy?.rule))).line, 38);
});
