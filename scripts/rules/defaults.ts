// istio.md 4.6, 4.7 and 4.9: defaults, protocols, age.
import type { TurnedBranches } from "../turned-branch.ts";

const retries = "compiler/src/retries/compile.ts";
const destination = "compiler/src/destination/compile.ts";
const age = "api/src/age.ts";
const localMesh = "api/src/kinds/local-mesh/spec.ts";
const services = "compiler/src/model/services.ts";

export const defaults: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/defaults.test.ts",
  branches: {
    "4.6 default retries: 2 on Istio's list, no status codes, previous hosts avoided, 5 selections, 25 ms": [
      [retries, "defaultAttempts = 2", "defaultAttempts = 0"],
      [retries, '"connect-failure,refused-stream,unavailable,', '"connect-failure,refused-stream,unavailable,503,'],
      [retries, "own?.statusCodes ?? []", "own?.statusCodes ?? [503]"],
      [retries, "retryIgnorePreviousHosts === false", "retryIgnorePreviousHosts !== false"],
      [retries, "hostSelectionRetryMaxAttempts: 5n", "hostSelectionRetryMaxAttempts: 3n"],
      [retries, "defaultBackOffMs = 25", "defaultBackOffMs = 50"],
      [retries, 'own === undefined && audience.understands.has("IdempotentRequest")', "own === undefined"],
    ],
    "4.6 default retries among our own proxies: resets, too, but whatever may have been carried out only for idempotent requests":
      [
        [retries, "isGuarded ? `", "!isGuarded ? `"],
        [retries, "isGuarded ? [idempotentOnly]", "!isGuarded ? [idempotentOnly]"],
      ],
    "4.6 retries without retryOn keep the default conditions, in both dialects": [
      [retries, "own?.conditions ?? (isGuarded ?", "own?.conditions ?? (false ?"],
      [retries, "numRetries: attempts", "numRetries: defaultAttempts"],
    ],
    "4.6 the user's own retryOn is taken as it is, for every method": [
      [
        retries,
        'own === undefined && audience.understands.has("IdempotentRequest")',
        'audience.understands.has("IdempotentRequest")',
      ],
      [retries, "own?.conditions ?? (", "("],
    ],
    "4.6 attempts: 0 switches retries off": [[retries, "if (attempts <= 0)", "if (attempts < 0)"]],
    "4.6 retries without attempts are none": [
      [retries, "retries.attempts ?? 0", "retries.attempts ?? defaultAttempts"],
    ],
    "4.6 numbers in retryOn are status codes": [
      [retries, "if (/^[1-5]\\d\\d$/.test(part))", "if (/^[1-4]\\d\\d$/.test(part))"],
      [retries, '!conditions.includes("retriable-status-codes")', 'conditions.includes("retriable-status-codes")'],
      [retries, 'statusCodes.length > 0 && !conditions.includes("retriable-status-codes")', "statusCodes.length > 0"],
    ],
    "4.6 perTryTimeout, backoff and retryIgnorePreviousHosts are the user's": [
      [retries, "perTryTimeoutMs === undefined ? {}", "true ? {}"],
      [retries, "(retries?.backoff === undefined ? undefined : parseDuration(retries.backoff))", "undefined"],
      [retries, "retries?.retryIgnorePreviousHosts === false ? []", "retries?.retryIgnorePreviousHosts === true ? []"],
    ],
    "4.6 inbound: 2 retries of what never left the proxy": [
      ["compiler/src/listeners/inbound.ts", "retryPolicy: compileInboundRetryPolicy(),", ""],
      ["compiler/src/listeners/inbound.ts", "maxGrpcTimeout: duration(0),", ""],
      [retries, 'retryOn: "reset-before-request"', 'retryOn: "reset"'],
      [retries, "numRetries: 2", "numRetries: 1"],
    ],
    "4.6 balancing is LEAST_REQUEST of two": [
      [destination, "Cluster_LbPolicy.LEAST_REQUEST", "Cluster_LbPolicy.RANDOM"],
      [destination, "choiceCount: 2", "choiceCount: 3"],
    ],
    "4.6 circuit limits are all 2^32-1, connections wait 10 s and idle for an hour": [
      [destination, "unlimited = 0xffff_ffff", "unlimited = 1024"],
      [destination, "connectTimeoutMs = 10_000", "connectTimeoutMs = 5_000"],
      [destination, "idleTimeoutMs = 3_600_000", "idleTimeoutMs = 60_000"],
      [
        destination,
        "keepalive === undefined\n      ? {}",
        "keepalive === undefined\n      ? { upstreamConnectionOptions: { tcpKeepalive: {} } }",
      ],
    ],
    "4.6 each setting of the connection pool replaces one default": [
      [destination, "tcp?.maxConnections || unlimited", "unlimited"],
      [destination, "http?.http1MaxPendingRequests || unlimited", "unlimited"],
      [destination, "http?.http2MaxRequests || unlimited", "unlimited"],
      [destination, "http?.maxRetries || unlimited", "unlimited"],
      [destination, "milliseconds(tcp?.connectTimeout) ?? ", ""],
      [destination, "milliseconds(http?.idleTimeout) ?? ", ""],
      [destination, "keepalive.probes === undefined ? {}", "keepalive.probes !== undefined ? {}"],
      [destination, "http?.maxRequestsPerConnection ? {", "false ? {"],
    ],
    "4.6 a 0 in the connection pool is no limit of 0, but the default": [
      [destination, "tcp?.maxConnections || unlimited", "tcp?.maxConnections ?? unlimited"],
      [destination, "http?.http1MaxPendingRequests || unlimited", "http?.http1MaxPendingRequests ?? unlimited"],
      [destination, "http?.http2MaxRequests || unlimited", "http?.http2MaxRequests ?? unlimited"],
      [destination, "http?.maxRetries || unlimited", "http?.maxRetries ?? unlimited"],
      [destination, "http?.maxRequestsPerConnection ? {", "http?.maxRequestsPerConnection !== undefined ? {"],
    ],
    "4.6 a keep-alive of less than a second is one second, and what it leaves out is the operating system's": [
      [destination, "Math.max(1, Math.round(ms / 1000))", "Math.round(ms / 1000)"],
      [destination, "ms === undefined ? {}", "ms === undefined ? { [field]: 7200 }"],
    ],
    "4.6 an opaque port has no settings of HTTP": [
      [
        destination,
        "...(isHttp(protocol)\n        ? httpOptions(blocks.connectionPool",
        "...(!isHttp(protocol)\n        ? httpOptions(blocks.connectionPool",
      ],
      [
        destination,
        "...(isHttp(protocol) ? { typedExtensionProtocolOptions",
        "...(!isHttp(protocol) ? { typedExtensionProtocolOptions",
      ],
    ],
    "4.6 towards the application beside the proxy the same limits hold": [
      [destination, "...poolFields(undefined),", ""],
      [destination, "httpOptions(undefined, protocol, undefined)", "{}"],
    ],
    "4.6 every endpoint that is announced is ready, and none is nobody: panic is switched off": [
      ["compiler/src/model/mesh-model.ts", "instance === undefined || !instance.ready", "instance === undefined"],
      ["compiler/src/endpoints/compile.ts", "lbEndpoints.length === 0 ? []", "lbEndpoints.length !== 0 ? []"],
      [destination, "healthyPanicThreshold: { value: 0 }", "healthyPanicThreshold: { value: 50 }"],
    ],
  },
};

export const protocols: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/protocols.test.ts",
  branches: {
    "4.7 http2 and grpc ports are asked by HTTP/2, by their callers' proxies and of their applications": [
      [localMesh, 'grpc: "http2"', 'grpc: "http"'],
      [localMesh, 'http2: "http2"', 'http2: "http"'],
      [destination, 'protocol === "http2"', 'protocol !== "http2"'],
      [
        "compiler/src/mtls/tls-context.ts",
        "clientSocket(sni, identities, audience, [...http2Protocols(protocol), ",
        "clientSocket(sni, identities, audience, [",
      ],
      [services, 'protocol === "http" || protocol === "http2"', 'protocol === "http"'],
    ],
    "4.7 an http port's application is asked by HTTP/1.1, and so is its proxy": [
      [localMesh, 'http: "http"', 'http: "http2"'],
      [destination, 'protocol === "http2"', 'protocol !== "http2"'],
    ],
    "4.7 https and tls are bytes to the mesh, as tcp is": [
      [localMesh, 'https: "tcp"', 'https: "http"'],
      [localMesh, 'tls: "tcp"', 'tls: "http"'],
      [localMesh, 'tcp: "tcp"', 'tcp: "http"'],
    ],
  },
};

export const conflictAge: TurnedBranches = {
  tests: "packages/compiler/src/istio-semantics/age.test.ts",
  branches: {
    "4.9 ${kind}: the earlier creationTimestamp wins, whatever the names": [
      [
        age,
        "compareText(instant(a.metadata), instant(b.metadata))",
        "compareText(instant(b.metadata), instant(a.metadata))",
      ],
    ],
    "4.9 ${kind}: of equally old ones the first name wins": [
      [age, "compareText(a.metadata.name, b.metadata.name)", "compareText(b.metadata.name, a.metadata.name)"],
    ],
    "4.9 ${kind}: without creationTimestamp all are equally old": [
      [
        age,
        "if (written === undefined) return never;",
        'if (written === undefined) return metadata.name === "a" ? never : "";',
      ],
    ],
    "4.9 ${kind}: one time is one age, however it is written": [[age, "new Date(at).toISOString()", "written"]],
    "4.9 VirtualService: of equally old ones with one name the first namespace wins": [
      [
        age,
        "compareText(a.metadata.namespace, b.metadata.namespace)",
        "compareText(b.metadata.namespace, a.metadata.namespace)",
      ],
    ],
  },
};

export const ageOrder: TurnedBranches = {
  tests: "packages/api/src/age.test.ts",
  branches: {
    "4.9: the earlier timestamp goes first, whatever its time zone": [
      [
        age,
        "compareText(instant(a.metadata), instant(b.metadata))",
        "compareText(instant(b.metadata), instant(a.metadata))",
      ],
      [age, "new Date(at).toISOString()", "written"],
    ],
    "4.9: of the same age the name decides, then the namespace": [
      [age, "compareText(a.metadata.name, b.metadata.name)", "compareText(b.metadata.name, a.metadata.name)"],
      [
        age,
        "compareText(a.metadata.namespace, b.metadata.namespace)",
        "compareText(b.metadata.namespace, a.metadata.namespace)",
      ],
    ],
  },
};

export const ageReferences: TurnedBranches = {
  tests: "packages/api/src/references/references.test.ts",
  branches: {
    "4.9: a resource with an age goes before one without, and the message says so": [
      [age, 'never = "~"', 'never = ""'],
      [
        "api/src/references/resource-set.ts",
        "b.creationTimestamp === undefined || Date.parse",
        "b.creationTimestamp !== undefined && Date.parse",
      ],
    ],
  },
};
