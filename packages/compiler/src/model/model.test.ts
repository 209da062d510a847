import assert from "node:assert/strict";
import { test } from "node:test";
import { TestMesh } from "../testing/test-mesh.ts";
import { hostOfServiceKey } from "./mesh-model.ts";
import { makeService, membershipOf } from "./services.ts";

const members = new TestMesh("").instances.map(membershipOf).filter(({ service }) => service === "reviews");

test("A service has the ports and identities of its workloads, each once and in order", () => {
  const [first] = members;
  assert.ok(first);
  const service = makeService([{ ...first, servicePort: 9081, serviceAccount: "b" }, ...members], "td");
  assert.equal(service?.host, "reviews.default.svc.cluster.local");
  assert.deepEqual(service.ports, [
    { port: 9080, protocol: "http" as const },
    { port: 9081, protocol: "http" as const },
  ]);
  assert.deepEqual(service.identities, ["spiffe://td/ns/default/sa/b", "spiffe://td/ns/default/sa/reviews"]);
});

test("A port to which workloads give two protocols is opaque, whoever comes first", () => {
  const [first] = members;
  assert.ok(first);
  const tcp = { ...first, protocol: "tcp" as const };
  for (const order of [
    [first, tcp, first],
    [tcp, first, first],
  ]) {
    assert.deepEqual(makeService(order, "td")?.ports, [{ port: 9080, protocol: "tcp" as const }]);
  }
});

test("A service is whatever somebody belongs to: without workloads there is none", () => {
  assert.equal(makeService([], "td"), undefined);
});

test("The edge belongs to no service that could be called", () => {
  const { clusters } = new TestMesh("").resources("web-0");
  assert.ok(clusters.every(({ name }) => !name.includes("|edge.")));
});

test("Workloads are told of services by short name, name and namespace, or full name", () => {
  assert.equal(hostOfServiceKey("web"), "web.default.svc.cluster.local");
  assert.equal(hostOfServiceKey("web.shop"), "web.shop.svc.cluster.local");
  assert.equal(hostOfServiceKey("web.shop.svc.cluster.local"), "web.shop.svc.cluster.local");
});

test("A proxy is told only of services that its workload may call or that their routes lead to", () => {
  const change = (instance: TestMesh["instances"][number]) => ({
    ...instance,
    outboundPorts: { "reviews.default": 20_001 },
  });
  const names = (resources: string) =>
    new TestMesh(resources, { change })
      .resources("web-0")
      .clusters.map(({ name }) => name)
      .filter((name) => name.startsWith("outbound"));
  assert.deepEqual(names(""), ["outbound|9080||reviews.default.svc.cluster.local"]);
  const mirrored = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }], mirror: { host: ratings.other.svc.cluster.local } }] }
`;
  assert.deepEqual(names(mirrored), [
    "outbound|7070||ratings.other.svc.cluster.local",
    "outbound|9080||reviews.default.svc.cluster.local",
  ]);
});
