import assert from "node:assert/strict";
import { test } from "node:test";
import { actionOf, reviewsHost, TestMesh } from "../testing/test-mesh.ts";
import { destinationHosts, sourceMask } from "./compile.ts";
import { fractionOf } from "./fraction.ts";

test("A mask tells callers apart only where the rules do", () => {
  const spec = {
    hosts: ["a"],
    http: [
      { match: [{ sourceLabels: { app: "web" } }, { uri: { prefix: "/" } }] },
      { match: [{ sourceNamespace: "other" }] },
    ],
  };
  assert.equal(sourceMask(spec, { labels: { app: "web" }, namespace: "default" }), "110");
  assert.equal(sourceMask(spec, { labels: {}, namespace: "other" }), "011");
  assert.equal(
    sourceMask({ hosts: ["a"], http: [{ match: [{ uri: { prefix: "/" } }] }] }, { labels: {}, namespace: "x" }),
    "",
  );
  assert.equal(sourceMask({ hosts: ["a"] }, { labels: {}, namespace: "x" }), "");
});

test("Callers that the rules do not tell apart share one table object", () => {
  const mesh = new TestMesh("");
  const table = (id: string) => mesh.resources(id).routes.find(({ name }) => name.endsWith(reviewsHost));
  assert.equal(table("web-0"), table("ratings-0"));
});

test("Every destination and mirror of a VirtualService is a host that its callers may need", () => {
  const destination = (host: string) => ({ destination: { host } });
  const spec = {
    hosts: ["a"],
    http: [
      { route: [destination("c"), destination("b")], mirror: { host: "d" } },
      { route: [destination("b")], mirrors: [destination("e")] },
      { redirect: { uri: "/" } },
    ],
  };
  assert.deepEqual(
    destinationHosts(spec, (host) => `${host}.x`),
    ["b.x", "c.x", "d.x", "e.x"],
  );
});

test("A route's name is its own and its match's", () => {
  const mesh = new TestMesh(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - name: a
      match: [{ name: b, uri: { prefix: /1 } }, { uri: { prefix: /2 } }]
      route: [{ destination: { host: reviews } }]
    - match: [{ name: c, uri: { prefix: /3 } }]
      route: [{ destination: { host: reviews } }]
    - route: [{ destination: { host: reviews } }]
`);
  assert.deepEqual(
    mesh.routes("web-0", reviewsHost).map(({ name }) => name),
    ["a.b", "a", "c", ""],
  );
});

test("The host that a route or its destination sets wins over the service's name", () => {
  const mesh = new TestMesh(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - match: [{ uri: { prefix: /route } }]
      rewrite: { authority: route.example }
      route: [{ destination: { host: reviews } }]
    - match: [{ uri: { prefix: /weighted } }]
      rewrite: { authority: route.example }
      route: [{ destination: { host: reviews }, weight: 1 }, { destination: { host: web }, weight: 1 }]
    - route: [{ destination: { host: reviews } }]
`);
  const [route, weighted, plain] = mesh.routes("web-0", reviewsHost, false).map(actionOf);
  assert.equal(route?.hostRewriteSpecifier.value, "route.example");
  assert.equal(weighted?.hostRewriteSpecifier.value, "route.example");
  assert.ok(weighted.clusterSpecifier.case === "weightedClusters");
  assert.ok(
    weighted.clusterSpecifier.value.clusters.every(
      ({ hostRewriteSpecifier }) => hostRewriteSpecifier.case === undefined,
    ),
  );
  assert.equal(plain?.hostRewriteSpecifier.value, `${reviewsHost}:9080`);
});

test("Percentages keep four digits after the point", () => {
  assert.equal(fractionOf(100).numerator, 1_000_000);
  assert.equal(fractionOf(0.0001).numerator, 1);
  assert.equal(fractionOf(33.3333).numerator, 333_333);
});
