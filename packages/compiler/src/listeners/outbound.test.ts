// Where applications call services: what the terminal of a call does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { TcpProxySchema, unpackAny } from "@heddle/xds/api";
import { TestMesh } from "../testing/test-mesh.ts";

test("bytes that could not be connected try another endpoint, whoever calls; what tunnels say of the caller is for proxies that make them", () => {
  const mesh = new TestMesh("", { change: (instance) => ({ ...instance, protocol: "tcp" }) });
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
