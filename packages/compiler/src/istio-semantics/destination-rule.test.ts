// istio.md 4.5: DestinationRule, rule by rule.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Cluster_LbPolicy } from "@heddle/xds/api";
import { ratingsHost, reviewsHost, TestMesh } from "../testing/test-mesh.ts";

interface RuleFields {
  name?: string;
  namespace?: string;
  created?: string;
  host?: string;
  policy?: string;
  subsets?: string;
}

function destinationRule({
  name = "dr",
  namespace = "default",
  created,
  host = "reviews",
  policy,
  subsets,
}: RuleFields) {
  return `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: ${name}
  namespace: ${namespace}
  ${created === undefined ? "" : `creationTimestamp: "${created}"`}
spec:
  host: "${host}"
  ${policy === undefined ? "" : `trafficPolicy: ${policy}`}
  ${subsets === undefined ? "" : `subsets: ${subsets}`}
`;
}

const leastRequest = "{ loadBalancer: { simple: LEAST_REQUEST } }";
const random = "{ loadBalancer: { simple: RANDOM } }";
const roundRobin = "{ loadBalancer: { simple: ROUND_ROBIN } }";

function balancer(mesh: TestMesh, client: string, host: string, port: number, subset = ""): string {
  const { lbPolicy } = mesh.cluster(client, `outbound|${port}|${subset}|${host}`);
  if (lbPolicy === Cluster_LbPolicy.RANDOM) return "RANDOM";
  return lbPolicy === Cluster_LbPolicy.ROUND_ROBIN ? "ROUND_ROBIN" : "LEAST_REQUEST";
}

const old = "2026-01-01T00:00:00Z";
const young = "2026-02-01T00:00:00Z";

test("4.5 the client's namespace is asked first, then the service's, then the root namespace", () => {
  const root = destinationRule({ namespace: "istio-system", host: ratingsHost, policy: random });
  const service = destinationRule({ namespace: "other", host: ratingsHost, policy: leastRequest });
  const client = destinationRule({ namespace: "default", host: ratingsHost, policy: roundRobin });
  const seenBy = (resources: string, id: string) => balancer(new TestMesh(resources), id, ratingsHost, 7070);
  assert.equal(seenBy(root, "web-0"), "RANDOM");
  assert.equal(seenBy(root + service, "web-0"), "LEAST_REQUEST");
  assert.equal(seenBy(root + service + client, "web-0"), "ROUND_ROBIN");
  // A client elsewhere does not see what stands in the first one's namespace.
  assert.equal(seenBy(root + service + client, "ratings-0"), "LEAST_REQUEST");
});

test("4.5 rules in a third namespace concern nobody", () => {
  const mesh = new TestMesh(destinationRule({ namespace: "elsewhere", host: reviewsHost, policy: random }));
  assert.equal(balancer(mesh, "web-0", reviewsHost, 9080), "LEAST_REQUEST");
});

test("4.5 a client in the root namespace is not governed by the root namespace before the service's own", () => {
  const catchAll = destinationRule({ namespace: "istio-system", host: "*.local", policy: random });
  const own = destinationRule({ host: "web", policy: roundRobin });
  assert.equal(balancer(new TestMesh(catchAll + own), "edge", "web.default.svc.cluster.local", 8080), "ROUND_ROBIN");
  assert.equal(balancer(new TestMesh(catchAll), "edge", "web.default.svc.cluster.local", 8080), "RANDOM");
});

test("4.5 the first namespace that has any matching rule wins whole: nothing is merged across namespaces", () => {
  const client = destinationRule({ namespace: "default", host: ratingsHost, subsets: "[{ name: mine }]" });
  const service = destinationRule({
    namespace: "other",
    host: ratingsHost,
    policy: random,
    subsets: "[{ name: theirs }]",
  });
  const mesh = new TestMesh(client + service);
  assert.equal(balancer(mesh, "web-0", ratingsHost, 7070), "LEAST_REQUEST");
  assert.ok(mesh.findCluster("web-0", `outbound|7070|mine|${ratingsHost}`));
  assert.equal(mesh.findCluster("web-0", `outbound|7070|theirs|${ratingsHost}`), undefined);
});

test("4.5 within a namespace the most specific host wins: exact, then the longest wildcard", () => {
  const any = destinationRule({ name: "a", host: "*.local", policy: random, created: old });
  const domain = destinationRule({ name: "b", host: "*.default.svc.cluster.local", policy: roundRobin });
  const exact = destinationRule({ name: "c", host: "reviews", policy: leastRequest });
  assert.equal(balancer(new TestMesh(any), "web-0", reviewsHost, 9080), "RANDOM");
  assert.equal(balancer(new TestMesh(any + domain), "web-0", reviewsHost, 9080), "ROUND_ROBIN");
  assert.equal(balancer(new TestMesh(any + domain + exact), "web-0", reviewsHost, 9080), "LEAST_REQUEST");
});

test("4.5 rules of one namespace for one host are merged: subsets are collected", () => {
  const mesh = new TestMesh(
    destinationRule({ name: "a", subsets: "[{ name: v1, labels: { version: v1 } }]" }) +
      destinationRule({ name: "b", subsets: "[{ name: v2, labels: { version: v2 } }]" }),
  );
  assert.deepEqual(mesh.endpointPorts("web-0", `outbound|9080|v1|${reviewsHost}`), [30_001]);
  assert.deepEqual(mesh.endpointPorts("web-0", `outbound|9080|v2|${reviewsHost}`), [30_002]);
});

test("4.5 of two subsets with one name the oldest rule's counts", () => {
  const one = { subsets: "[{ name: x, labels: { version: v1 } }]" };
  const two = { subsets: "[{ name: x, labels: { version: v2 } }]" };
  const ports = (resources: string) => new TestMesh(resources).endpointPorts("web-0", `outbound|9080|x|${reviewsHost}`);
  assert.deepEqual(
    ports(
      destinationRule({ name: "a", created: young, ...one }) + destinationRule({ name: "b", created: old, ...two }),
    ),
    [30_002],
  );
  assert.deepEqual(ports(destinationRule({ name: "b", ...one }) + destinationRule({ name: "a", ...two })), [30_002]);
});

test("4.5 the top-level policy is that of the oldest rule that has one, whole", () => {
  const mesh = new TestMesh(
    destinationRule({ name: "a", created: old, subsets: "[{ name: v1 }]" }) +
      destinationRule({ name: "b", created: "2026-01-02T00:00:00Z", policy: random }) +
      destinationRule({
        name: "c",
        created: young,
        policy: "{ loadBalancer: { simple: ROUND_ROBIN }, connectionPool: { tcp: { maxConnections: 7 } } }",
      }),
  );
  assert.equal(balancer(mesh, "web-0", reviewsHost, 9080), "RANDOM");
  assert.equal(
    mesh.cluster("web-0", `outbound|9080||${reviewsHost}`).circuitBreakers?.thresholds[0]?.maxConnections,
    0xffff_ffff,
  );
});

test("4.5 a subset's policy overrides the top level per block, with no merge inside a block", () => {
  const mesh = new TestMesh(
    destinationRule({
      policy:
        "{ loadBalancer: { simple: RANDOM }, connectionPool: { tcp: { maxConnections: 7 }, http: { maxRetries: 3 } } }",
      subsets: "[{ name: v1, trafficPolicy: { connectionPool: { tcp: { maxConnections: 9 } } } }, { name: v2 }]",
    }),
  );
  const limits = (subset: string) =>
    mesh.cluster("web-0", `outbound|9080|${subset}|${reviewsHost}`).circuitBreakers?.thresholds[0];
  assert.equal(balancer(mesh, "web-0", reviewsHost, 9080, "v1"), "RANDOM");
  assert.deepEqual([limits("v1")?.maxConnections, limits("v1")?.maxRetries], [9, 0xffff_ffff]);
  assert.deepEqual([limits("v2")?.maxConnections, limits("v2")?.maxRetries], [7, 3]);
});

test("4.5 portLevelSettings replace the whole destination level: what they leave out falls to the defaults", () => {
  const policy = (port: number) =>
    `{ loadBalancer: { simple: RANDOM }, connectionPool: { tcp: { maxConnections: 7 } }, tls: { mode: DISABLE }, portLevelSettings: [{ port: { number: ${port} }, connectionPool: { tcp: { maxConnections: 9 } } }] }`;
  const cluster = `outbound|9080||${reviewsHost}`;
  const onPort = new TestMesh(destinationRule({ policy: policy(9080) }));
  assert.equal(onPort.cluster("web-0", cluster).circuitBreakers?.thresholds[0]?.maxConnections, 9);
  assert.equal(balancer(onPort, "web-0", reviewsHost, 9080), "LEAST_REQUEST");
  assert.deepEqual(
    onPort.cluster("web-0", cluster).transportSocketMatches.map(({ name }) => name),
    ["tunnel", "tlsMode-istio", "tlsMode-disabled"],
  );

  const elsewhere = new TestMesh(destinationRule({ policy: policy(9081) }));
  assert.equal(elsewhere.cluster("web-0", cluster).circuitBreakers?.thresholds[0]?.maxConnections, 7);
  assert.equal(balancer(elsewhere, "web-0", reviewsHost, 9080), "RANDOM");
});

test("4.5 a rule for another host of the same namespace says nothing about a service", () => {
  const mesh = new TestMesh(destinationRule({ host: "web", policy: random }));
  assert.equal(balancer(mesh, "web-0", reviewsHost, 9080), "LEAST_REQUEST");
});

test("4.5 tls is a block like the others: a subset has its own, or the destination's", () => {
  const mesh = new TestMesh(
    destinationRule({
      policy: "{ tls: { mode: DISABLE } }",
      subsets: "[{ name: v1, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }, { name: v2 }]",
    }),
  );
  const socket = (subset: string) =>
    mesh.cluster("web-0", `outbound|9080|${subset}|${reviewsHost}`).transportSocket?.name;
  assert.deepEqual(["", "v1", "v2"].map(socket), [
    "envoy.transport_sockets.raw_buffer",
    "envoy.transport_sockets.tls",
    "envoy.transport_sockets.raw_buffer",
  ]);
});

test("4.5 a subset inherits the destination's port settings, and its own port settings replace everything above", () => {
  const own =
    "{ connectionPool: { tcp: { maxConnections: 5 } }, portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: RANDOM } }] }";
  const mesh = new TestMesh(
    destinationRule({
      policy:
        "{ portLevelSettings: [{ port: { number: 9080 }, loadBalancer: { simple: ROUND_ROBIN }, connectionPool: { tcp: { maxConnections: 9 } } }] }",
      subsets: `[{ name: v1 }, { name: v2, trafficPolicy: ${own} }]`,
    }),
  );
  const connections = (subset: string) =>
    mesh.cluster("web-0", `outbound|9080|${subset}|${reviewsHost}`).circuitBreakers?.thresholds[0]?.maxConnections;
  assert.deepEqual([balancer(mesh, "web-0", reviewsHost, 9080, "v1"), connections("v1")], ["ROUND_ROBIN", 9]);
  assert.deepEqual([balancer(mesh, "web-0", reviewsHost, 9080, "v2"), connections("v2")], ["RANDOM", 0xffff_ffff]);
});

test("4.5 subset rules do nothing until a route sends traffic to the subset", () => {
  const rule = destinationRule({ subsets: `[{ name: v1, labels: { version: v1 }, trafficPolicy: ${random} }]` });
  const mesh = new TestMesh(rule);
  assert.equal(balancer(mesh, "web-0", reviewsHost, 9080), "LEAST_REQUEST");
  assert.deepEqual(mesh.endpointPorts("web-0", `outbound|9080||${reviewsHost}`), [30_001, 30_002]);
  const action = mesh.routes("web-0", reviewsHost)[0]?.action;
  assert.ok(action?.case === "route");
  assert.equal(action.value.clusterSpecifier.value, `outbound|9080||${reviewsHost}`);
});

test("4.5 a subset without labels is every endpoint of the host", () => {
  const mesh = new TestMesh(destinationRule({ subsets: "[{ name: all }]" }));
  assert.deepEqual(mesh.endpointPorts("web-0", `outbound|9080|all|${reviewsHost}`), [30_001, 30_002]);
});

test("4.5 a short host is of the rule's own namespace", () => {
  const mesh = new TestMesh(destinationRule({ namespace: "other", host: "ratings", policy: random }));
  assert.equal(balancer(mesh, "web-0", ratingsHost, 7070), "RANDOM");
  const wrong = new TestMesh(destinationRule({ namespace: "other", host: "reviews", policy: random }));
  assert.equal(balancer(wrong, "web-0", reviewsHost, 9080), "LEAST_REQUEST");
});
