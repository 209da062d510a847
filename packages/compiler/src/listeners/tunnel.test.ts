import assert from "node:assert/strict";
import { test } from "node:test";
import { TestMesh } from "../testing/test-mesh.ts";

// Where the streams of carriers (HBONE) are offered, and where connections are made one by one as before.

const cluster = "outbound|9080||reviews.default.svc.cluster.local";
const tunnelled = {
  change: (instance: TestMesh["instances"][number]) => ({
    ...instance,
    protocol: "tcp" as const,
    ...(instance.kind === "sidecar" ? { tunnelPort: 15_008 } : {}),
  }),
};

function portLevel(mode: string): string {
  return `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: reviews, namespace: default }
spec:
  selector: { matchLabels: { app: reviews } }
  portLevelMtls: { 9080: { mode: ${mode} } }
`;
}

/** What the mesh says of the tunnels of a service of bytes: listeners of its proxy, its clients' cluster, and metadata of its endpoints. */
function said(mesh: TestMesh) {
  const callee = mesh.resources("reviews-v1-0").listeners.map(({ name }) => name);
  const { transportSocketMatches, typedExtensionProtocolOptions } = mesh.cluster("web-0", cluster);
  const assignment = mesh.resources("web-0").endpoints.find(({ name }) => name === cluster);
  const [endpoint] = assignment?.message.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints) ?? [];
  return {
    listeners: callee.filter((name) => name.startsWith("tunnel")),
    matches: transportSocketMatches.map(({ name }) => name),
    options: Object.keys(typedExtensionProtocolOptions),
    tunnel: endpoint?.metadata?.filterMetadata["heddle.tunnel"],
    match: endpoint?.metadata?.filterMetadata["envoy.transport_socket_match"],
  };
}

test("our proxies are told where carriers go and what a stream asks for: the workload's address and the port that policies name", () => {
  assert.deepEqual(said(new TestMesh("", tunnelled)), {
    listeners: ["tunnelInbound", "tunnelled"],
    matches: ["tunnel", "tlsMode-istio", "tlsMode-disabled"],
    options: ["heddle.v1.TunnelOptions"],
    tunnel: { port: "15008", authority: "127.0.0.1:9080" },
    match: { tlsMode: "istio", tunnel: "h2" },
  });
});

test("an Envoy makes plain mutual TLS to the same endpoints, and takes no carriers", () => {
  const { listeners, matches, options, match } = said(new TestMesh("", { ...tunnelled, dialect: "envoy" }));
  assert.deepEqual(
    { listeners, matches, options },
    { listeners: [], matches: ["tlsMode-istio", "tlsMode-disabled"], options: [] },
  );
  assert.equal(match?.["tlsMode"], "istio", "which is all that it looks for");
});

test("portLevelMtls decides by the port of the target: DISABLE takes the tunnel away, PERMISSIVE and STRICT leave it", () => {
  for (const mode of ["STRICT", "PERMISSIVE"])
    assert.equal(said(new TestMesh(portLevel(mode), tunnelled)).listeners.length, 2);
  const { listeners, tunnel, match } = said(new TestMesh(portLevel("DISABLE"), tunnelled));
  assert.deepEqual({ listeners, tunnel, match }, { listeners: [], tunnel: undefined, match: undefined });
});

test("HTTP has carriers of its own, and a workload without a port for tunnels is reached as before", () => {
  const { listeners, tunnel } = said(new TestMesh(""));
  assert.deepEqual({ listeners, tunnel }, { listeners: [], tunnel: undefined });
});

test("a DestinationRule that turns mutual TLS off for a destination turns its carriers off, too", () => {
  const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec:
  host: reviews
  trafficPolicy: { tls: { mode: MODE } }
`;
  const disabled = said(new TestMesh(rule.replace("MODE", "DISABLE"), tunnelled));
  assert.deepEqual([disabled.matches, disabled.options], [[], []]);
  const mutual = said(new TestMesh(rule.replace("MODE", "ISTIO_MUTUAL"), tunnelled));
  assert.deepEqual([mutual.matches, mutual.options], [["tunnel"], ["heddle.v1.TunnelOptions"]]);
});
