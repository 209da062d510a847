// istio.md 4.3: PeerAuthentication, mutual TLS and its certificates.
import type { TurnedBranches } from "../turned-branch.ts";

const effectiveMode = "compiler/src/mtls/effective-mode.ts";
const inbound = "compiler/src/listeners/inbound.ts";
const client = "compiler/src/mtls/client.ts";
const origination = "compiler/src/mtls/origination.ts";
const tlsContext = "compiler/src/mtls/tls-context.ts";
const names = "compiler/src/names.ts";
const destination = "compiler/src/destination/compile.ts";
const policies = "api/src/references/policies.ts";

export const peerAuthentication: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/peer-authentication.test.ts",
  branches: {
    "4.3 mesh < namespace < workload: the nearest policy counts": [
      [effectiveMode, 'inherit(own, own?.spec.mtls, "mtls", byNamespace)', "byNamespace"],
      [effectiveMode, "namespace,\n    namespace?.spec.mtls,", "undefined,\n    namespace?.spec.mtls,"],
      [effectiveMode, 'inherit(mesh, mesh?.spec.mtls, "mtls", defaultMode)', "defaultMode"],
      [effectiveMode, "if (isRoot) mesh ??= rule;", "if (!isRoot) mesh ??= rule;"],
    ],
    "4.3 a namespace's policy says nothing about other namespaces": [
      [effectiveMode, "else if (rule.metadata.namespace === workload.namespace) namespace ??=", "else namespace ??="],
    ],
    "4.3 a workload policy says nothing about workloads of another namespace with the same labels": [
      [effectiveMode, "!isRoot && rule.metadata.namespace === workload.namespace", "!isRoot"],
    ],
    "4.3 a selector in the root namespace is ignored": [
      [
        effectiveMode,
        "!isRoot && rule.metadata.namespace === workload.namespace",
        "isRoot || rule.metadata.namespace === workload.namespace",
      ],
    ],
    "4.3 a selector in the root namespace is ignored for a workload that lives there, too": [
      [
        effectiveMode,
        "!isRoot && rule.metadata.namespace === workload.namespace",
        "rule.metadata.namespace === workload.namespace",
      ],
    ],
    "4.3 a selector without labels is none: the policy is the namespace's, or in the root namespace the mesh's": [
      [effectiveMode, "Object.keys(labels).length === 0", "rule.spec.selector === undefined"],
    ],
    "4.3 UNSET inherits, at every level": [
      [effectiveMode, 'rule === undefined || mode === "UNSET"', "rule === undefined"],
      [effectiveMode, 'mtls?.mode ?? "UNSET"', 'mtls?.mode ?? "STRICT"'],
    ],
    "4.3 without any policy the mode is STRICT (Istio: PERMISSIVE; docs/reference/differences.md)": [
      [effectiveMode, 'mode: "STRICT", provenance: undefined', 'mode: "PERMISSIVE", provenance: undefined'],
    ],
    "4.3 the oldest wins at each level, then name": [
      [effectiveMode, ".sort(compareAge)", ".sort(compareAge).reverse()"],
      [effectiveMode, "mesh ??= rule", "mesh = rule"],
      [effectiveMode, "namespace ??= rule", "namespace = rule"],
      [effectiveMode, "own ??= rule", "own = rule"],
    ],
    "4.3 portLevelMtls of the workload's policy is keyed by the workload's port, and UNSET there inherits the workload's mode":
      [
        [effectiveMode, "ports[String(port)] ?? general", "general"],
        [effectiveMode, "ports[String(port)] ?? general", "Object.values(ports)[0] ?? general"],
        [effectiveMode, "portLevelMtls.${port}`, general)", "portLevelMtls.${port}`, byNamespace)"],
      ],
    "4.3 portLevelMtls holds on ports that no service has, too, where their connections are intercepted": [
      [inbound, "Object.entries(ports).map(", "Object.entries({}).map("],
      [inbound, "...(isIntercepted ? otherPorts(instance, modes) : [])", ""],
    ],
    "4.3 a port of which portLevelMtls says UNSET, the service's and the proxy's own have no chains beside the others":
      [
        [effectiveMode, "if (mode !== general) ports", "ports"],
        [inbound, "port !== appPort && port !== interceptionPorts.inbound", "port !== appPort"],
        [inbound, "port !== appPort && port !== interceptionPorts.inbound", "port !== interceptionPorts.inbound"],
      ],
    "4.3 STRICT has only TLS chains, and they demand a certificate of this trust domain": [
      [inbound, 'mode.mode === "STRICT" ? []', 'mode.mode !== "STRICT" ? []'],
      [tlsContext, "requireClientCertificate: true", "requireClientCertificate: false"],
      [tlsContext, "spiffe://${trustDomain}/", "spiffe://"],
    ],
    "4.3 PERMISSIVE on an HTTP port has two chains: mutual TLS for any TLS, and plaintext HTTP": [
      [inbound, 'mode.mode === "PERMISSIVE" && !isHttp ?', 'mode.mode === "PERMISSIVE" ?'],
      [inbound, 'mode.mode === "PERMISSIVE" && !isDeclaredHttp(protocol) ?', 'mode.mode === "PERMISSIVE" ?'],
      [inbound, 'mode.mode === "PERMISSIVE" && !isDeclaredHttp(protocol),', 'mode.mode === "PERMISSIVE",'],
      [inbound, 'mode.mode === "PERMISSIVE" ? { transportProtocol', 'mode.mode !== "PERMISSIVE" ? { transportProtocol'],
    ],
    "4.3 PERMISSIVE on an opaque port ends TLS only for the mesh's protocols, and passes other TLS and plaintext through":
      [
        [inbound, 'mode.mode === "PERMISSIVE" && !isHttp ?', 'mode.mode === "PERMISSIVE" && isHttp ?'],
        [
          inbound,
          'mode.mode === "PERMISSIVE" && !isDeclaredHttp(protocol) ?',
          'mode.mode === "PERMISSIVE" && isDeclaredHttp(protocol) ?',
        ],
        [
          inbound,
          'mode.mode === "PERMISSIVE" && !isDeclaredHttp(protocol),',
          'mode.mode === "PERMISSIVE" && isDeclaredHttp(protocol),',
        ],
      ],
    "4.3 STRICT on an opaque port ends all TLS: whatever is not the mesh's fails there": [
      [inbound, 'mode.mode === "PERMISSIVE" && !isHttp ?', "!isHttp ?"],
      [inbound, 'mode.mode === "PERMISSIVE" && !isDeclaredHttp(protocol) ?', "!isDeclaredHttp(protocol) ?"],
    ],
    "4.3 DISABLE takes what comes as it is: no TLS chain and no look for TLS": [
      [inbound, 'mode.mode !== "DISABLE"', 'mode.mode === "DISABLE"'],
    ],
    "4.3 clients use mutual TLS with an endpoint if and only if it says that it takes it, which it does unless it is DISABLE":
      [
        ["compiler/src/model/mesh-model.ts", 'mode !== "DISABLE"', 'mode === "DISABLE"'],
        ["compiler/src/model/mesh-model.ts", 'mode !== "DISABLE"', 'mode === "STRICT"'],
        [
          "compiler/src/endpoints/compile.ts",
          "if (!takesMutualTls) return undefined;",
          "if (takesMutualTls) return undefined;",
        ],
        [client, "match: { tlsMode: mutualTlsMode }", "match: {}"],
      ],
    "4.3 an explicit tls of a DestinationRule wins over what endpoints say": [
      [client, "if (!mayBeMutual(tls)) return", "if (mayBeMutual(tls)) return"],
      [client, "if (tls !== undefined) return", "if (tls === undefined) return"],
    ],
    "4.3 SIMPLE and MUTUAL of a DestinationRule win, too: the endpoints get that TLS, whatever they say that they take":
      [
        [client, "if (isOriginated(tls)) return", "if (false) return"],
        [origination, 'tls?.mode === "SIMPLE" || tls?.mode === "MUTUAL"', 'tls?.mode === "SIMPLE"'],
        [origination, 'if (mode === "SIMPLE") return {};', 'if (mode !== "SIMPLE") return {};'],
        [client, "if (!mayBeMutual(tls) || ", "if ("],
        [origination, "tcp: [],\n};", 'tcp: ["http/1.1"],\n};'],
      ],
    "4.3 the client verifies the server against the service's accounts, or those that the DestinationRule names": [
      [client, "tls?.subjectAltNames?.length ? tls.subjectAltNames : identities", "identities"],
      [client, "tls.subjectAltNames : identities", "tls.subjectAltNames : []"],
      ["compiler/src/model/services.ts", "[...identities].sort()", "[...identities].slice(0, 1)"],
    ],
    "4.3 a tls block without a mode is DISABLE, and one without names keeps the mesh's own": [
      [
        client,
        'tls === undefined || tls.mode === "ISTIO_MUTUAL"',
        'tls?.mode === undefined || tls.mode === "ISTIO_MUTUAL"',
      ],
      [client, "tls?.subjectAltNames?.length ?", "tls?.subjectAltNames ?"],
    ],
    "4.3 names are those of URIs; the client demands them whole, the server by the trust domain that they begin with": [
      [tlsContext, "SubjectAltNameMatcher_SanType.URI", "SubjectAltNameMatcher_SanType.DNS"],
      [tlsContext, '({ case: "exact", value })', '({ case: "prefix", value })'],
      [tlsContext, '[{ case: "prefix", value: `spiffe', '[{ case: "exact", value: `spiffe'],
    ],
    "4.3 servers take Istio's protocols, and on an HTTP port a client of the mesh that knows only http/1.1": [
      [
        tlsContext,
        '...(isDeclaredHttp(protocol) ? ["http/1.1"] : [])',
        '...(isDeclaredHttp(protocol) ? [] : ["http/1.1"])',
      ],
      [tlsContext, '"istio-peer-exchange", "istio"]', '"istio-peer-exchange"]'],
    ],
    "4.3 the server name is outbound_.<port>_.<subset>_.<host>, unless the DestinationRule has another": [
      [names, "`outbound_.${port}_.${subset}_.${host}`", "`outbound_.${subset}_.${port}_.${host}`"],
      [client, "tls?.sni || mutualTlsServerName(", "mutualTlsServerName("],
    ],
    "4.3 clients offer Istio's protocols, those of HTTP first": [
      [tlsContext, '[...version, "istio-peer-exchange", "istio"]', '["istio-peer-exchange", "istio", ...version]'],
    ],
    "4.3 keys and certificates come from beside the proxy; anchors are pushed to Heddle and asked for locally by Envoy":
      [[tlsContext, 'audience.dialect === "heddle"', 'audience.dialect !== "heddle"']],
  },
};

export const certificateLives: TurnedBranches = {
  tests: "packages/control-plane/src/authority/authority.test.ts",
  branches: {
    "4.3 a workload's certificate lives 24 hours, the self-signed root ten years": [
      ["control-plane/src/authority/certificate-authority.ts", "3650 * dayMs", "365 * dayMs"],
      [
        "control-plane/src/authority/certificate-authority.ts",
        "export const defaultLifeMs = dayMs",
        "export const defaultLifeMs = 2 * dayMs",
      ],
    ],
  },
};

export const certificateRotation: TurnedBranches = {
  tests: "packages/proxy/src/identity/identity-manager.test.ts",
  branches: {
    "4.3 the first certificate is asked for with the token, and the next with the certificate, at half of its life": [
      [
        "proxy/src/identity/identity-manager.ts",
        "current.notBeforeMs + lifeMs * this.#spread.part",
        "current.notBeforeMs + lifeMs",
      ],
      [
        "proxy/src/identity/identity-manager.ts",
        "current.notBeforeMs + lifeMs * this.#spread.part",
        "current.notBeforeMs + (lifeMs * this.#spread.part) / 2",
      ],
    ],
    "4.3 certificates are asked for up to one percent of their life before or after half of it": [
      ["proxy/src/identity/identity-manager.ts", "const jitter = 0.01;", "const jitter = 0;"],
      [
        "proxy/src/identity/identity-manager.ts",
        "this.#spread ??= { identity: current, part: 0.5 + (random() * 2 - 1) * jitter };",
        "this.#spread ??= { identity: current, part: 0.5 };",
      ],
    ],
  },
};

const protocolDetection = "compiler/src/listeners/protocol-detection.ts";

export const undeclaredPorts: TurnedBranches = {
  tests: "packages/compiler/src/listeners/protocol-detection.test.ts",
  branches: {
    "4.3 under ${name} ${what} on an undeclared port ${outcome}": [
      [inbound, 'protocol === "auto" && mode.mode !== "STRICT") {', 'protocol === "auto") {'],
      [inbound, "undeclaredTlsChains(context), foreignTlsChain(context)]", "undeclaredTlsChains(context)]"],
      [
        inbound,
        'mode.mode === "PERMISSIVE" ? meshProtocols("tcp")',
        'mode.mode !== "PERMISSIVE" ? meshProtocols("tcp")',
      ],
      [
        protocolDetection,
        'applicationProtocols: ["http/1.0", "http/1.1"]',
        'applicationProtocols: ["http/1.0", "h2c"]',
      ],
      [tlsContext, 'if (protocol === "auto") return ["istio-http/1.1"];', 'if (protocol === "auto") return ["istio"];'],
    ],
    "4.7 an undeclared port waits a tenth of a second for the first bytes, a declared one does not look": [
      [inbound, 'protocol === "auto" && mode.mode !== "STRICT");', 'protocol !== "auto" && mode.mode !== "STRICT");'],
      [protocolDetection, "detectionTimeoutMs = 100", "detectionTimeoutMs = 0"],
      [protocolDetection, "continueOnListenerFiltersTimeout: true", "continueOnListenerFiltersTimeout: false"],
      [protocolDetection, "if (asking.size === 0) return [];", ""],
    ],
    "4.7 a caller's proxy looks, too, and its handshake says what it found": [
      ["compiler/src/listeners/outbound.ts", "filterChainMatch: plaintextHttp, ", ""],
      [
        "compiler/src/listeners/outbound.ts",
        "tcp(opaqueClusterName(host, port))",
        'tcp(outboundClusterName(host, port, ""))',
      ],
      [
        destination,
        'compileOutboundCluster({ ...destination, protocol: "tcp" }',
        'compileOutboundCluster({ ...destination, protocol: "auto" }',
      ],
      [tlsContext, 'if (protocol === "auto") return ["istio-http/1.1"];', 'if (protocol === "auto") return ["istio"];'],
    ],
  },
};

export const peerAuthenticationRules: TurnedBranches = {
  tests: "packages/api/src/kinds/peer-authentication/rules.test.ts",
  branches: {
    "4.3: portLevelMtls needs a selector": [
      [
        "api/src/kinds/peer-authentication/rules.ts",
        "policy.portLevelMtls === undefined",
        "policy.portLevelMtls !== undefined",
      ],
    ],
    "4.3: portLevelMtls needs a selector with labels": [
      [
        "api/src/kinds/peer-authentication/rules.ts",
        "Object.keys(policy.selector?.matchLabels ?? {}).length > 0",
        "policy.selector !== undefined",
      ],
    ],
  },
};

export const policyReferences: TurnedBranches = {
  tests: "packages/api/src/references/references.test.ts",
  branches: {
    "4.1.2: a policy that selects no workload in its scope is a warning": [
      [
        policies,
        "namespace === set.options.rootNamespace || workload.namespace === namespace",
        "workload.namespace === namespace",
      ],
      [policies, "namespace === set.options.rootNamespace || workload.namespace === namespace", "true"],
    ],
    "4.3: a PeerAuthentication with a selector in the root namespace is used nowhere else": [
      [
        policies,
        "peer.metadata.namespace === set.options.rootNamespace && hasSelector(peer)",
        "peer.metadata.namespace !== set.options.rootNamespace && hasSelector(peer)",
      ],
    ],
    "4.3: at each level the oldest PeerAuthentication wins": [
      [policies, "const winner = oldest.get(level(peer));", "const winner = oldest.get(peer.metadata.namespace);"],
      ["api/src/references/resource-set.ts", ".sort(compareAge)", ".sort((a, b) => compareAge(b, a))"],
    ],
    "4.3: portLevelMtls for a port that the workload does not serve is a warning that says where it counts": [
      [policies, "if (ports.has(port)) return [];", "if (!ports.has(port)) return [];"],
    ],
  },
};
