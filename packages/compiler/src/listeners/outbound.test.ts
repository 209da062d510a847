// Where applications call services: what the terminal of a call does, and which clusters there are for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TcpProxySchema, unpackAny } from "@heddle/xds/api";
import { ratingsHost, reviewsHost, TestMesh } from "../testing/test-mesh.ts";

const undeclared = {
  change: (instance: TestMesh["instances"][number]) => ({
    ...instance,
    protocol: "auto" as const,
    outboundPorts: instance.id === "web-0" ? { "reviews.default": 20_001 } : instance.outboundPorts,
  }),
};

function opaqueClusters(mesh: TestMesh, id: string): string[] {
  const { clusters } = mesh.resources(id);
  return clusters.map(({ name }) => name).filter((name) => name.startsWith("outbound-tcp|"));
}

test("bytes that could not be connected try another endpoint, whoever calls; what tunnels say of the caller is for proxies that make them", () => {
  const mesh = new TestMesh("", { change: (instance) => ({ ...instance, protocol: "tcp" as const }) });
  const port = mesh.instance("web-0").outboundPorts["reviews.default"];
  for (const [node, expected] of [
    [{ dialect: "envoy" }, ["envoy.filters.network.tcp_proxy"]],
    [{ dialect: "heddle", capabilities: ["heddle.v1.PeerMetadata"] }, ["envoy.filters.network.tcp_proxy"]],
    [{ dialect: "heddle", capabilities: ["heddle.v1.TunnelOptions"] }, ["envoy.filters.network.tcp_proxy"]],
    [{ dialect: "heddle" }, ["heddle.peer_metadata", "envoy.filters.network.tcp_proxy"]],
  ] as const) {
    const { listeners } = mesh.compiler.resourcesFor({ instanceId: "web-0", ...node });
    const filters = listeners.find(({ name }) => name === `127.0.0.1_${port}`)?.message.filterChains[0]?.filters ?? [];
    assert.deepEqual(
      filters.map(({ name }) => name),
      expected,
    );
    const config = filters.at(-1)?.configType;
    assert.ok(config?.case === "typedConfig");
    assert.equal(unpackAny(config.value, TcpProxySchema)?.maxConnectAttempts, 3);
  }
});

test("a cluster for what is not HTTP is there only where a listener of the workload leads to it", () => {
  const routed = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: ${ratingsHost}, port: { number: 7070 } } }] }]
`;
  const mesh = new TestMesh(routed, undeclared);
  assert.deepEqual(opaqueClusters(mesh, "web-0"), [`outbound-tcp|9080||${reviewsHost}`]);
  assert.deepEqual(opaqueClusters(mesh, "edge"), []);
  const intercepted = new TestMesh(routed, { ...undeclared, mode: "namespaces" });
  assert.deepEqual(opaqueClusters(intercepted, "web-0"), [`outbound-tcp|9080||${reviewsHost}`]);
});
