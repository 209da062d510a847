import assert from "node:assert/strict";
import { test } from "node:test";
import { ComparisonFilter_Op, TunnelOptionsSchema, unpackAny } from "@heddle/xds/api";
import { everyCapability } from "../audience.ts";
import { connectionManagerOf, httpFilterNames, TestMesh } from "../testing/test-mesh.ts";

// Where the streams of carriers (HBONE) are offered, and where connections are made one by one as before.

const cluster = "outbound|9080||reviews.default.svc.cluster.local";
const tunnelled = {
  change: (instance: TestMesh["instances"][number]) => ({
    ...instance,
    protocol: "tcp" as const,
    ...(instance.kind === "sidecar" ? { tunnelPort: 15_008 } : {}),
  }),
};

const matchesOfMutualTls = ["tlsMode-istio", "tlsMode-disabled"];

const authorization = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: reviews, namespace: default }
spec:
  selector: { matchLabels: { app: reviews } }
  rules:
    - from: [{ source: { principals: ["cluster.local/ns/default/sa/web"] } }]
      to: [{ operation: { ports: ["9080"] } }]
`;

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

test("a workload without a port for tunnels, and HTTP/2, which shares connections as it is, are reached as before", () => {
  const portless = (instance: TestMesh["instances"][number]) => {
    const changed = { ...instance };
    Reflect.deleteProperty(changed, "tunnelPort");
    return changed;
  };
  const without = said(new TestMesh("", { change: portless }));
  assert.deepEqual([without.listeners, without.tunnel], [[], undefined]);
  const http2 = said(new TestMesh("", { change: (instance) => ({ ...instance, protocol: "http2" }) }));
  assert.deepEqual([http2.matches, http2.options.includes("heddle.v1.TunnelOptions")], [matchesOfMutualTls, false]);
});

test("HTTP rides in carriers from so many requests at once on, and in connections of its own below", () => {
  const mesh = new TestMesh("");
  assert.deepEqual(said(mesh).matches, ["tunnel", ...matchesOfMutualTls]);
  const { typedExtensionProtocolOptions: options } = mesh.cluster("web-0", cluster);
  const any = options["heddle.v1.TunnelOptions"];
  assert.ok(any);
  assert.equal(unpackAny(any, TunnelOptionsSchema)?.minConcurrentRequests, 4);
});

test("who knows carriers but not the number is told of none for HTTP, which would all ride there", () => {
  const mesh = new TestMesh("");
  const older = everyCapability.filter((name) => name !== "heddle.v1.TunnelOptions.min_concurrent_requests");
  for (const capabilities of [older, []]) {
    const { clusters } = mesh.compiler.resourcesFor({ instanceId: "web-0", dialect: "heddle", capabilities });
    const message = clusters.find(({ name }) => name === cluster)?.message;
    assert.ok(message);
    assert.deepEqual(
      message.transportSocketMatches.map(({ name }) => name),
      matchesOfMutualTls,
    );
    assert.equal(message.typedExtensionProtocolOptions["heddle.v1.TunnelOptions"], undefined);
  }
  const bytes = new TestMesh("", tunnelled).compiler.resourcesFor({
    instanceId: "web-0",
    dialect: "heddle",
    capabilities: older,
  });
  const message = bytes.clusters.find(({ name }) => name === cluster)?.message;
  assert.ok(message?.typedExtensionProtocolOptions["heddle.v1.TunnelOptions"], "bytes ride there as before");
});

test("what rides in a carrier meets the filters that a connection by itself with that certificate meets", () => {
  for (const rules of ["", authorization]) {
    for (const protocol of ["http", "tcp"] as const) {
      const mesh = new TestMesh(rules, { change: (instance) => ({ ...instance, protocol, tunnelPort: 15_008 }) });
      const { listeners } = mesh.resources("reviews-v1-0");
      const filters = ["tunnelled", "virtualInbound"].map((name) => {
        const chains = listeners.find((listener) => listener.name === name)?.message.filterChains ?? [];
        return chains.map((chain) => chain.filters);
      });
      assert.equal(filters[0]?.length, 1);
      assert.deepEqual(filters[0], filters[1], "under STRICT there is no other chain");
    }
  }
});

test("the mode that decided is named by the chains of carriers and by what is inside, as by that of connections by themselves", () => {
  const general = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: all, namespace: default }
spec: { mtls: { mode: PERMISSIVE } }
`;
  for (const [rules, expected] of [
    ["", undefined],
    [general, { name: "all", rule: "mtls" }],
    [portLevel("STRICT"), { name: "reviews", rule: "portLevelMtls.9080" }],
    [`${general}---${portLevel("PERMISSIVE")}`, { name: "reviews", rule: "portLevelMtls.9080" }],
  ] as const) {
    for (const protocol of ["http", "tcp"] as const) {
      const mesh = new TestMesh(rules, { change: (instance) => ({ ...instance, protocol, tunnelPort: 15_008 }) });
      const { listeners } = mesh.resources("reviews-v1-0");
      const [own, outer, inner] = ["virtualInbound", "tunnelInbound", "tunnelled"].map((name) => {
        const [chain] = listeners.find((listener) => listener.name === name)?.message.filterChains ?? [];
        return chain?.metadata?.filterMetadata["heddle.dev"];
      });
      assert.deepEqual([outer, inner], [own, own], rules);
      assert.deepEqual(own && { name: own["name"], rule: own["rule"] }, expected, rules);
    }
  }
});

test("of CONNECT only refusals are logged, and it is counted nowhere: what it carries is", () => {
  const { listeners } = new TestMesh("").resources("reviews-v1-0");
  const managers = ["tunnelInbound", "tunnelled"].map((name) => {
    const [chain] = listeners.find((listener) => listener.name === name)?.message.filterChains ?? [];
    assert.ok(chain);
    return { logs: connectionManagerOf(chain).accessLog, filters: httpFilterNames(chain) };
  });
  const [outer, inner] = managers;
  const filterOf = (entry: typeof outer) => entry?.logs.map(({ filter }) => filter?.filterSpecifier);
  assert.deepEqual(filterOf(inner), [undefined]);
  const [filter, ...more] = filterOf(outer) ?? [];
  assert.deepEqual(more, []);
  assert.ok(filter?.case === "statusCodeFilter");
  const { op, value } = filter.value.comparison ?? {};
  assert.deepEqual([op, value?.defaultValue], [ComparisonFilter_Op.GE, 400]);
  assert.equal(inner?.filters.includes("heddle.standard_metrics"), true);
  assert.equal(outer?.filters.includes("heddle.standard_metrics"), false);
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
