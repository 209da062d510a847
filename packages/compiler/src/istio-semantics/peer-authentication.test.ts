// istio.md 4.3: PeerAuthentication and mutual TLS, rule by rule.
import assert from "node:assert/strict";
import { test } from "node:test";
import { matchFilterChain } from "@heddle/engine";
import { acceptedNames, clientTlsOf, endpointsOf, reviewsHost, serverTlsOf, TestMesh } from "../testing/test-mesh.ts";
import { connectionOf, Traffic } from "../testing/traffic.ts";

const reviewsCluster = `outbound|9080||${reviewsHost}`;
const strict = ["mutual-tls"];
const permissive = ["mutual-tls", "plaintext"];
const disabled = ["plaintext"];

function peerAuthentication(fields: {
  name?: string;
  namespace?: string;
  created?: string;
  labels?: string;
  mode?: string;
  ports?: string;
}): string {
  const { name = "pa", namespace = "default", created, labels, mode, ports } = fields;
  return `---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: ${name}
  namespace: ${namespace}
  ${created === undefined ? "" : `creationTimestamp: "${created}"`}
spec:
  ${labels === undefined ? "" : `selector: { matchLabels: { ${labels} } }`}
  mtls: ${mode === undefined ? "{}" : `{ mode: ${mode} }`}
  ${ports === undefined ? "" : `portLevelMtls: { ${ports} }`}
`;
}

const intercepted = { mode: "namespaces" } as const;

const opaque = { change: (instance: TestMesh["instances"][number]) => ({ ...instance, protocol: "tcp" as const }) };

test("4.3 mesh < namespace < workload: the nearest policy counts", () => {
  const mesh = peerAuthentication({ namespace: "istio-system", mode: "DISABLE" });
  const namespace = peerAuthentication({ name: "ns", mode: "PERMISSIVE" });
  const workload = peerAuthentication({ name: "own", labels: "version: v2", mode: "STRICT" });
  const all = new TestMesh(mesh + namespace + workload);
  assert.deepEqual(all.chains("ratings-0"), disabled);
  assert.deepEqual(all.chains("reviews-v1-0"), permissive);
  assert.deepEqual(all.chains("reviews-v2-0"), strict);
});

test("4.3 a namespace's policy says nothing about other namespaces", () => {
  const mesh = new TestMesh(peerAuthentication({ namespace: "other", mode: "DISABLE" }));
  assert.deepEqual(mesh.chains("reviews-v1-0"), strict);
  assert.deepEqual(mesh.chains("ratings-0"), disabled);
});

test("4.3 a workload policy says nothing about workloads of another namespace with the same labels", () => {
  const mesh = new TestMesh(peerAuthentication({ namespace: "other", labels: "version: v1", mode: "DISABLE" }));
  assert.deepEqual(mesh.chains("reviews-v1-0"), strict);
  assert.deepEqual(mesh.chains("ratings-0"), disabled);
});

test("4.3 a selector in the root namespace is ignored", () => {
  const mesh = new TestMesh(peerAuthentication({ namespace: "istio-system", labels: "version: v1", mode: "DISABLE" }));
  assert.deepEqual(mesh.chains("reviews-v1-0"), strict);
});

test("4.3 a selector in the root namespace is ignored for a workload that lives there, too", () => {
  const root = { change: (instance: TestMesh["instances"][number]) => ({ ...instance, namespace: "istio-system" }) };
  const own = peerAuthentication({ namespace: "istio-system", labels: "version: v1", mode: "DISABLE" });
  assert.deepEqual(new TestMesh(own, root).chains("reviews-v1-0"), strict);
});

test("4.3 a selector without labels is none: the policy is the namespace's, or in the root namespace the mesh's", () => {
  for (const selector of ["selector: {}", "selector: { matchLabels: {} }"]) {
    const everywhere = (namespace: string) =>
      peerAuthentication({ namespace, mode: "DISABLE" }).replace("spec:", `spec:\n  ${selector}`);
    const namespace = new TestMesh(everywhere("default"));
    assert.deepEqual([namespace.chains("reviews-v1-0"), namespace.chains("ratings-0")], [disabled, strict]);
    const mesh = new TestMesh(everywhere("istio-system"));
    assert.deepEqual([mesh.chains("reviews-v1-0"), mesh.chains("ratings-0")], [disabled, disabled]);
    // Were it a workload's, it would come before this one by name.
    const own = peerAuthentication({ name: "z", labels: "version: v1", mode: "PERMISSIVE" });
    assert.deepEqual(new TestMesh(everywhere("default") + own).chains("reviews-v1-0"), permissive);
  }
});

test("4.3 UNSET inherits, at every level", () => {
  const base = peerAuthentication({ namespace: "istio-system", mode: "DISABLE" });
  for (const mode of ["UNSET", undefined]) {
    const unset = mode === undefined ? {} : { mode };
    const namespace = peerAuthentication({ name: "ns", ...unset });
    const workload = peerAuthentication({ name: "own", labels: "app: reviews", ...unset });
    assert.deepEqual(new TestMesh(base + namespace + workload).chains("reviews-v1-0"), disabled);
  }
});

test("4.3 without any policy the mode is STRICT (Istio: PERMISSIVE; docs/reference/differences.md)", () => {
  assert.deepEqual(new TestMesh("").chains("reviews-v1-0"), strict);
});

test("4.3 the oldest wins at each level, then name", () => {
  const young = { created: "2026-02-01T00:00:00Z", mode: "DISABLE" };
  const old = { created: "2026-01-01T00:00:00Z", mode: "PERMISSIVE" };
  for (const place of [{ namespace: "istio-system" }, {}, { labels: "app: reviews" }]) {
    const byAge =
      peerAuthentication({ name: "a", ...young, ...place }) + peerAuthentication({ name: "b", ...old, ...place });
    assert.deepEqual(new TestMesh(byAge).chains("reviews-v1-0"), permissive);
    const byName =
      peerAuthentication({ name: "b", mode: "DISABLE", ...place }) +
      peerAuthentication({ name: "a", mode: "PERMISSIVE", ...place });
    assert.deepEqual(new TestMesh(byName).chains("reviews-v1-0"), permissive);
  }
});

test("4.3 portLevelMtls of the workload's policy is keyed by the workload's port, and UNSET there inherits the workload's mode", () => {
  const onPort = (ports: string) => peerAuthentication({ labels: "app: reviews", mode: "PERMISSIVE", ports });
  assert.deepEqual(new TestMesh(onPort('"9080": { mode: DISABLE }')).chains("reviews-v1-0"), disabled);
  assert.deepEqual(new TestMesh(onPort('"9081": { mode: DISABLE }')).chains("reviews-v1-0"), permissive);
  assert.deepEqual(new TestMesh(onPort('"9080": { mode: UNSET }')).chains("reviews-v1-0"), permissive);
});

test("4.3 portLevelMtls holds on ports that no service has, too, where their connections are intercepted", () => {
  const own = (mode: string, ports: string) => peerAuthentication({ labels: "app: reviews", mode, ports });
  for (const [resources, plaintextAt, closedAt] of [
    [own("PERMISSIVE", '"9999": { mode: STRICT }'), 9998, 9999],
    [own("STRICT", '"9999": { mode: PERMISSIVE }'), 9999, 9998],
    [own("STRICT", '"9999": { mode: DISABLE }'), 9999, 9998],
  ] as const) {
    const listener = new Traffic(new TestMesh(resources, intercepted))
      .snapshot("reviews-v1-0")
      .listeners.get("virtualInbound");
    assert.ok(listener);
    const terminalAt = (port: number, host: string) =>
      matchFilterChain(listener, connectionOf({ localAddress: { host, port } }))?.tcp?.clusters[0]?.name;
    for (const host of ["198.18.1.2", "fd00::1:2"]) {
      assert.equal(terminalAt(plaintextAt, host), "InboundPassthroughCluster");
      assert.equal(terminalAt(closedAt, host), undefined);
    }
  }
});

test("4.3 a port of which portLevelMtls says UNSET, the service's and the proxy's own have no chains beside the others", () => {
  const ports =
    '"9999": { mode: STRICT }, "9998": { mode: UNSET }, "9080": { mode: STRICT }, "15006": { mode: STRICT }';
  const mesh = new TestMesh(peerAuthentication({ labels: "app: reviews", mode: "DISABLE", ports }), intercepted);
  assert.deepEqual(
    mesh
      .inbound("reviews-v1-0")
      .filterChains.map(({ name, filterChainMatch }) => [name, filterChainMatch?.destinationPort]),
    [
      ["virtualInbound-blackhole", 15_006],
      ["mutual-tls", 9080],
      ["passthrough-9999-mutual-tls", 9999],
      ["passthrough-plaintext", undefined],
    ],
  );
});

test("4.3 STRICT has only TLS chains, and they demand a certificate of this trust domain", () => {
  const mesh = new TestMesh(peerAuthentication({ mode: "STRICT" }));
  const [chain, ...others] = mesh.inbound("reviews-v1-0").filterChains;
  assert.deepEqual(others, []);
  assert.equal(chain?.filterChainMatch?.transportProtocol, "tls");
  const tls = serverTlsOf(chain?.transportSocket);
  assert.equal(tls?.requireClientCertificate, true);
  assert.deepEqual(acceptedNames(tls), ["spiffe://cluster.local/"]);
  assert.deepEqual(
    mesh.inbound("reviews-v1-0").listenerFilters.map(({ name }) => name),
    ["envoy.filters.listener.tls_inspector"],
  );
});

test("mutual TLS is 1.3 and nothing older, on both sides (design §5)", () => {
  const traffic = new Traffic(new TestMesh(""));
  const server = traffic.snapshot("reviews-v1-0").listeners.get("virtualInbound")?.chains[0]?.config.tls?.common;
  const client = traffic.snapshot("web-0").clusters.get(`outbound|9080||${reviewsHost}`)?.config.transport;
  const mesh = client?.matches[0]?.tls?.common;
  for (const side of [server, mesh]) assert.deepEqual([side?.minVersion, side?.maxVersion], ["1.3", "1.3"]);
});

test("4.3 PERMISSIVE on an HTTP port has two chains: mutual TLS for any TLS, and plaintext HTTP", () => {
  const listener = new TestMesh(peerAuthentication({ mode: "PERMISSIVE" })).inbound("reviews-v1-0");
  assert.deepEqual(
    listener.filterChains.map(({ filterChainMatch: match, transportSocket }) => [
      match?.transportProtocol,
      match?.applicationProtocols,
      transportSocket !== undefined,
    ]),
    [
      ["tls", [], true],
      ["raw_buffer", [], false],
    ],
  );
  assert.equal(listener.continueOnListenerFiltersTimeout, false);
});

test("4.3 PERMISSIVE on an opaque port ends TLS only for the mesh's protocols, and passes other TLS and plaintext through", () => {
  const listener = new TestMesh(peerAuthentication({ mode: "PERMISSIVE" }), opaque).inbound("reviews-v1-0");
  assert.deepEqual(
    listener.filterChains.map(({ name, filterChainMatch: match, transportSocket }) => [
      name,
      match?.transportProtocol,
      match?.applicationProtocols,
      transportSocket !== undefined,
    ]),
    [
      ["mutual-tls", "tls", ["istio-peer-exchange", "istio"], true],
      ["opaque-tls", "tls", [], false],
      ["plaintext", "raw_buffer", [], false],
    ],
  );
  assert.equal(listener.continueOnListenerFiltersTimeout, true);
});

test("4.3 STRICT on an opaque port ends all TLS: whatever is not the mesh's fails there", () => {
  const listener = new TestMesh("", opaque).inbound("reviews-v1-0");
  assert.deepEqual(
    listener.filterChains.map(({ filterChainMatch }) => [
      filterChainMatch?.transportProtocol,
      filterChainMatch?.applicationProtocols,
    ]),
    [["tls", []]],
  );
});

test("4.3 DISABLE takes what comes as it is: no TLS chain and no look for TLS", () => {
  const listener = new TestMesh(peerAuthentication({ mode: "DISABLE" })).inbound("reviews-v1-0");
  assert.deepEqual(listener.listenerFilters, []);
  assert.deepEqual(
    listener.filterChains.map(({ name, filterChainMatch, transportSocket }) => [
      name,
      filterChainMatch?.transportProtocol,
      transportSocket,
    ]),
    [["plaintext", "", undefined]],
  );
});

test("4.3 clients use mutual TLS with an endpoint if and only if it says that it takes it, which it does unless it is DISABLE", () => {
  const modeOf = (resources: string) =>
    endpointsOf(new TestMesh(resources).assignment("web-0", reviewsCluster)).map(
      ({ metadata }) => metadata["envoy.transport_socket_match"],
    );
  const takes = { tlsMode: "istio", tunnel: "h2" };
  assert.deepEqual(modeOf(""), [takes, takes]);
  assert.deepEqual(modeOf(peerAuthentication({ mode: "PERMISSIVE" })), [takes, takes]);
  assert.deepEqual(modeOf(peerAuthentication({ labels: "version: v2", mode: "DISABLE" })), [takes, undefined]);

  const cluster = new TestMesh("").cluster("web-0", reviewsCluster);
  assert.equal(cluster.transportSocket, undefined);
  assert.deepEqual(
    cluster.transportSocketMatches.map(({ match, transportSocket }) => [match, transportSocket?.name]),
    [
      // Where our own proxies take carriers; an Envoy knows the others alone.
      [{ tunnel: "h2" }, "envoy.transport_sockets.tls"],
      [{ tlsMode: "istio" }, "envoy.transport_sockets.tls"],
      [{}, "envoy.transport_sockets.raw_buffer"],
    ],
  );
});

function destinationRule(tls: string): string {
  return `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec:
  host: reviews
  trafficPolicy: { tls: ${tls} }
  subsets: [{ name: v1, labels: { version: v1 } }]
`;
}

test("4.3 an explicit tls of a DestinationRule wins over what endpoints say", () => {
  const plain = new TestMesh(destinationRule("{ mode: DISABLE }")).cluster("web-0", reviewsCluster);
  assert.deepEqual(plain.transportSocketMatches, []);
  assert.equal(plain.transportSocket?.name, "envoy.transport_sockets.raw_buffer");

  const mutual = new TestMesh(peerAuthentication({ mode: "DISABLE" }) + destinationRule("{ mode: ISTIO_MUTUAL }"));
  const cluster = mutual.cluster("web-0", reviewsCluster);
  const [carrier, ...others] = cluster.transportSocketMatches;
  assert.deepEqual([carrier?.name, others], ["tunnel", []]);
  for (const socket of [cluster.transportSocket, carrier?.transportSocket])
    assert.deepEqual(acceptedNames(clientTlsOf(socket)), ["spiffe://cluster.local/ns/default/sa/reviews"]);
});

test("4.3 SIMPLE and MUTUAL of a DestinationRule win, too: the endpoints get that TLS, whatever they say that they take", () => {
  for (const [mode, files] of [
    ["SIMPLE", ""],
    ["MUTUAL", ", clientCertificate: /certs/a.pem, privateKey: /certs/a.key"],
  ] as const) {
    for (const [options, alpn] of [
      [{}, ["http/1.1"]],
      [opaque, []],
    ] as const) {
      const mesh = new TestMesh(destinationRule(`{ mode: ${mode}, caCertificates: /certs/ca.pem${files} }`), options);
      const cluster = mesh.cluster("web-0", reviewsCluster);
      assert.deepEqual(cluster.transportSocketMatches, []);
      // Neither HTTP nor bytes ride on the carriers of our own proxies: whoever is there may know nothing of them.
      assert.deepEqual(
        Object.keys(cluster.typedExtensionProtocolOptions).filter((name) => name.startsWith("heddle.")),
        [],
      );
      const tls = clientTlsOf(cluster.transportSocket)?.commonTlsContext;
      assert.deepEqual(
        [tls?.tlsCertificates.length, tls?.tlsCertificateSdsSecretConfigs.length],
        [mode === "MUTUAL" ? 1 : 0, 0],
      );
      assert.deepEqual(tls?.alpnProtocols, alpn);
    }
  }
});

test("SIMPLE demands the name that it sends, the service's unless the rule has another, or the names of the rule", () => {
  const expected = (tls: string) => {
    const snapshot = new Traffic(new TestMesh(destinationRule(tls))).snapshot("web-0");
    const client = snapshot.clusters.get(reviewsCluster)?.config.transport.default;
    const names = client?.common.validation?.matchSubjectAltNames ?? [];
    return [client?.sni, ...names.map(({ type, match }) => `${type} ${match.kind === "exact" ? match.value : ""}`)];
  };
  assert.deepEqual(expected("{ mode: SIMPLE }"), [reviewsHost, `dns ${reviewsHost}`]);
  assert.deepEqual(expected("{ mode: SIMPLE, sni: a.example, subjectAltNames: [] }"), ["a.example", "dns a.example"]);
  assert.deepEqual(
    expected('{ mode: SIMPLE, subjectAltNames: [b.example, "spiffe://x/y", 10.0.0.1, "fd00::1", ops@b.example] }'),
    [reviewsHost, "dns b.example", "uri spiffe://x/y", "ip 10.0.0.1", "ip fd00::1", "email ops@b.example"],
  );
});

test("SIMPLE and MUTUAL of intercepted traffic send and demand the host of each request, unless the rule says who the server is", () => {
  const files = "clientCertificate: /certs/a.pem, privateKey: /certs/a.key";
  const told = (tls: string, mode: "ports" | "namespaces" = "namespaces", caller = "web-0") => {
    const mesh = new TestMesh(destinationRule(tls), { mode });
    const { config } = new Traffic(mesh).snapshot(caller).clusters.get(reviewsCluster)!;
    const { sni, common } = config.transport.default!;
    return [config.serverName, sni, common.validation?.matchSubjectAltNames.length];
  };
  const both = { isSent: true, isDemanded: true, header: "" };
  const sent = { isSent: true, isDemanded: false, header: "" };
  for (const mode of ["mode: SIMPLE", `mode: MUTUAL, ${files}`]) {
    assert.deepEqual(told(`{ ${mode} }`), [both, reviewsHost, 0]);
    assert.deepEqual(told(`{ ${mode}, subjectAltNames: [a.example] }`), [sent, reviewsHost, 1]);
    assert.deepEqual(told(`{ ${mode}, insecureSkipVerify: true }`), [sent, reviewsHost, undefined]);
    assert.deepEqual(told(`{ ${mode}, sni: a.example }`), [undefined, "a.example", 1]);
    // Applications that call a port of their proxy name that port's address, and callers of the edge the edge's.
    assert.deepEqual(told(`{ ${mode} }`, "ports"), [undefined, reviewsHost, 1]);
  }
  const opaqueMesh = new TestMesh(destinationRule("{ mode: SIMPLE }"), { mode: "namespaces", ...opaque });
  const bytes = new Traffic(opaqueMesh).snapshot("web-0").clusters.get(reviewsCluster)!.config;
  assert.deepEqual([bytes.serverName, bytes.transport.default?.sni], [undefined, reviewsHost]);
  assert.equal(bytes.transport.default?.common.validation?.matchSubjectAltNames.length, 1);
});

test("SIMPLE without authorities asks the machine's trust store, and nobody only with insecureSkipVerify", () => {
  const validationOf = (tls: string, dialect: "heddle" | "envoy") => {
    const cluster = new TestMesh(destinationRule(tls), { dialect }).cluster("web-0", reviewsCluster);
    return clientTlsOf(cluster.transportSocket)?.commonTlsContext?.validationContextType;
  };
  for (const skip of ["", ", insecureSkipVerify: false"]) {
    const ours = validationOf(`{ mode: SIMPLE${skip} }`, "heddle");
    assert.ok(ours?.case === "validationContext" && ours.value.systemRootCerts !== undefined);
    // Envoy 1.40 has the field and does not carry it out; Istio's agent answers this name.
    const envoys = validationOf(`{ mode: SIMPLE${skip} }`, "envoy");
    assert.ok(envoys?.case === "combinedValidationContext");
    assert.equal(envoys.value.validationContextSdsSecretConfig?.name, "file-root:system");
    assert.equal(envoys.value.defaultValidationContext?.matchTypedSubjectAltNames.length, 1);
  }
  for (const dialect of ["heddle", "envoy"] as const)
    assert.equal(validationOf("{ mode: SIMPLE, insecureSkipVerify: true }", dialect)?.case, undefined);
});

test("4.3 the client verifies the server against the service's accounts, or those that the DestinationRule names", () => {
  const own = new TestMesh("", {
    change: (instance) => (instance.id === "reviews-v2-0" ? { ...instance, serviceAccount: "reviewer" } : instance),
  }).cluster("web-0", reviewsCluster);
  assert.deepEqual(acceptedNames(clientTlsOf(own.transportSocketMatches[0]?.transportSocket)), [
    "spiffe://cluster.local/ns/default/sa/reviewer",
    "spiffe://cluster.local/ns/default/sa/reviews",
  ]);
  const named = new TestMesh(destinationRule('{ mode: ISTIO_MUTUAL, subjectAltNames: ["spiffe://x/ns/y/sa/z"] }'));
  assert.deepEqual(acceptedNames(clientTlsOf(named.cluster("web-0", reviewsCluster).transportSocket)), [
    "spiffe://x/ns/y/sa/z",
  ]);
});

test("4.3 a tls block without a mode is DISABLE, and one without names keeps the mesh's own", () => {
  const silent = new TestMesh(destinationRule("{}")).cluster("web-0", reviewsCluster);
  assert.equal(silent.transportSocket?.name, "envoy.transport_sockets.raw_buffer");
  const empty = new TestMesh(destinationRule("{ mode: ISTIO_MUTUAL, subjectAltNames: [] }"));
  const tls = clientTlsOf(empty.cluster("web-0", reviewsCluster).transportSocket);
  assert.deepEqual(acceptedNames(tls), ["spiffe://cluster.local/ns/default/sa/reviews"]);
});

test("4.3 names are those of URIs; the client demands them whole, the server by the trust domain that they begin with", () => {
  const traffic = new Traffic(new TestMesh(""));
  const server = traffic.snapshot("reviews-v1-0").listeners.get("virtualInbound")?.chains[0]?.config.tls?.common;
  const client = traffic.snapshot("web-0").clusters.get(reviewsCluster)?.config.transport.matches[0]?.tls?.common;
  assert.deepEqual(
    [client, server].map((side) => side?.validation?.matchSubjectAltNames),
    [
      [
        {
          type: "uri",
          match: { kind: "exact", value: "spiffe://cluster.local/ns/default/sa/reviews", ignoreCase: false },
        },
      ],
      [{ type: "uri", match: { kind: "prefix", value: "spiffe://cluster.local/", ignoreCase: false } }],
    ],
  );
});

test("4.3 servers take Istio's protocols, and on an HTTP port a client of the mesh that knows only http/1.1", () => {
  const protocols = (mesh: TestMesh) =>
    serverTlsOf(mesh.inbound("reviews-v1-0").filterChains[0]?.transportSocket)?.commonTlsContext?.alpnProtocols;
  const istio = ["istio-http/1.1", "istio-peer-exchange", "istio"];
  for (const dialect of ["heddle", "envoy"] as const)
    assert.deepEqual(protocols(new TestMesh("", { dialect })), [...istio, "http/1.1"]);
  assert.deepEqual(protocols(new TestMesh("", opaque)), ["istio-peer-exchange", "istio"]);
});

test("4.3 the server name is outbound_.<port>_.<subset>_.<host>, unless the DestinationRule has another", () => {
  const mesh = new TestMesh(destinationRule("{ mode: ISTIO_MUTUAL }"));
  const sni = (name: string) => clientTlsOf(mesh.cluster("web-0", name).transportSocket)?.sni;
  assert.equal(sni(reviewsCluster), `outbound_.9080_._.${reviewsHost}`);
  assert.equal(sni(`outbound|9080|v1|${reviewsHost}`), `outbound_.9080_.v1_.${reviewsHost}`);
  const own = new TestMesh(destinationRule("{ mode: ISTIO_MUTUAL, sni: elsewhere.example }"));
  assert.equal(clientTlsOf(own.cluster("web-0", reviewsCluster).transportSocket)?.sni, "elsewhere.example");
});

test("4.3 clients offer Istio's protocols, those of HTTP first", () => {
  const offered = (mesh: TestMesh) =>
    clientTlsOf(
      mesh.cluster("web-0", reviewsCluster).transportSocketMatches.find(({ name }) => name === "tlsMode-istio")
        ?.transportSocket,
    )?.commonTlsContext?.alpnProtocols;
  const istio = ["istio-http/1.1", "istio-peer-exchange", "istio"];
  for (const dialect of ["heddle", "envoy"] as const) assert.deepEqual(offered(new TestMesh("", { dialect })), istio);
  assert.deepEqual(offered(new TestMesh("", opaque)), ["istio-peer-exchange", "istio"]);
});

test("4.3 keys and certificates come from beside the proxy; anchors are pushed to Heddle and asked for locally by Envoy", () => {
  for (const [dialect, source] of [
    ["heddle", "ads"],
    ["envoy", "apiConfigSource"],
  ] as const) {
    const tls = serverTlsOf(new TestMesh("", { dialect }).inbound("reviews-v1-0").filterChains[0]?.transportSocket);
    const [certificate] = tls?.commonTlsContext?.tlsCertificateSdsSecretConfigs ?? [];
    assert.equal(certificate?.name, "default");
    assert.equal(certificate?.sdsConfig?.configSourceSpecifier.case, "apiConfigSource");
    const validation = tls?.commonTlsContext?.validationContextType;
    assert.ok(validation?.case === "combinedValidationContext");
    const anchors = validation.value.validationContextSdsSecretConfig;
    assert.equal(anchors?.name, "ROOTCA");
    assert.equal(anchors?.sdsConfig?.configSourceSpecifier.case, source);
  }
});
