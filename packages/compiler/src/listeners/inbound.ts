import type { CarriedProtocol } from "@heddle/api";
import {
  create,
  type FilterChainSchema,
  HttpConnectionManager_ForwardClientCertDetails,
  type Listener,
  ListenerSchema,
  type MessageInitShape,
  OriginalDstSchema,
  TrafficDirection,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import {
  compileHttpAuthorization,
  compileNetworkAuthorization,
  type WorkloadPolicies,
} from "../authorization/compile.ts";
import type { WorkloadProfile } from "../inputs.ts";
import { compilePeerMetadata, compileStandardMetrics, workloadMetadata } from "../metrics/compile.ts";
import { type EffectiveMode, type EffectiveModes, modeOnPort } from "../mtls/effective-mode.ts";
import { handshakeTimeoutMs, meshProtocols, serverTransportSocket } from "../mtls/tls-context.ts";
import { isDeclaredHttp } from "../model/services.ts";
import {
  blackHoleClusterName,
  defaultRouteName,
  inboundClusterName,
  inboundListenerName,
  inboundPassthroughClusterName,
  interceptionPorts,
} from "../names.ts";
import { type MetadataInit, metadataOf, provenanceKey, provenanceOf } from "../provenance.ts";
import { compileInboundRetryPolicy } from "../retries/compile.ts";
import { duration, extension, listenerAddresses, tcpAddress } from "../wire.ts";
import { httpTerminal } from "./http-connection-manager.ts";
import { detectionTimes, inspectors, plaintextHttp } from "./protocol-detection.ts";
import { tcpTerminal } from "./tcp-proxy.ts";
import { wildcards } from "./wildcards.ts";

type FilterChainInit = Omit<MessageInitShape<typeof FilterChainSchema>, "$typeName">;
type Filters = NonNullable<FilterChainInit["filters"]>;

/** How long a client may take until it has said whether it speaks TLS; Envoy's default. */
const inspectionTimeoutMs = 15_000;

/**
 * Where a workload's proxy takes traffic for it. Which filter chains there are is what its mode means (istio.md 4.3): STRICT has no
 * chain for plaintext, so that such a connection is closed; DISABLE does not look for TLS at all. Where traffic is intercepted, all of
 * it comes here: what is meant for the service's port takes its chains, and other ports are passed through as TCP under the same rules
 * (Istio's `inboundTrafficPolicy` PASSTHROUGH), each port of which `portLevelMtls` speaks under its own mode.
 */
export function compileInboundListener(
  instance: WorkloadProfile,
  modes: EffectiveModes,
  policies: WorkloadPolicies,
  trustDomain: string,
  audience: Audience,
): Listener {
  const isIntercepted = instance.interception !== undefined;
  const served = [servicePort(instance, modes), ...(isIntercepted ? otherPorts(instance, modes) : [])];
  const ports = served.map((port): ChainContext => ({ instance, policies, trustDomain, audience, ...port }));
  const { inbound } = interceptionPorts;
  const filterChains = [
    // Nobody redirected it: there is no port that it was meant for.
    ...(isIntercepted ? [blackHoleChain(inbound)] : []),
    ...ports.flatMap(portChains),
  ];
  const listenerFilters = inspectors(filterChains.map(({ filterChainMatch = {} }) => filterChainMatch));
  return create(ListenerSchema, {
    name: inboundListenerName,
    ...(isIntercepted
      ? listenerAddresses(wildcards(instance), inbound)
      : { address: tcpAddress(instance.address, instance.inboundPort) }),
    trafficDirection: TrafficDirection.INBOUND,
    listenerFilters: [
      ...(isIntercepted ? [extension("envoy.filters.listener.original_dst", OriginalDstSchema, {})] : []),
      ...listenerFilters,
    ],
    ...(listenerFilters.length === 0 ? {} : inspectionTimes(ports)),
    filterChains,
  });
}

/** How long a client may keep the inspectors waiting, and what becomes of who is silent for longer. */
function inspectionTimes(ports: readonly ChainContext[]) {
  const isUndeclared = ports.some(({ mode, protocol }) => protocol === "auto" && mode.mode !== "STRICT");
  if (isUndeclared) return detectionTimes;
  return {
    listenerFiltersTimeout: duration(inspectionTimeoutMs),
    // Only where the server may have to speak first is silence taken for plaintext; there, TCP policy holds.
    continueOnListenerFiltersTimeout: ports.some(
      ({ mode, protocol }) => mode.mode === "PERMISSIVE" && !isDeclaredHttp(protocol),
    ),
  };
}

/** The ports that chains are for, and where what they let in goes. */
interface ServedPorts {
  readonly protocol: CarriedProtocol;
  readonly cluster: string;
  /** Undefined: any port that has no chains of its own. */
  readonly destinationPort: number | undefined;
  /** Before the names of the chains. */
  readonly prefix: string;
  /** What policies about ports are decided against; undefined: where the connection was meant to go. */
  readonly policyPort: number | undefined;
  readonly mode: EffectiveMode;
}

interface ChainContext extends ServedPorts {
  readonly instance: WorkloadProfile;
  readonly policies: WorkloadPolicies;
  readonly trustDomain: string;
  readonly audience: Audience;
}

function servicePort(instance: WorkloadProfile, modes: EffectiveModes): ServedPorts {
  const { protocol, servicePort: port, appPort, interception } = instance;
  return {
    protocol,
    cluster: inboundClusterName(port),
    destinationPort: interception === undefined ? undefined : appPort,
    prefix: "",
    policyPort: port,
    mode: modeOnPort(modes, port),
  };
}

/** The ports that no service has: those of which the policy speaks one by one, and all the others together. */
function otherPorts({ appPort }: WorkloadProfile, { general, ports }: EffectiveModes): ServedPorts[] {
  const opaque = { protocol: "tcp" as const, cluster: inboundPassthroughClusterName };
  const single = Object.entries(ports).map(([port, mode]) => ({ port: Number(port), mode }));
  return [
    ...single
      // The service's port has chains of its own, and the proxy's leads nowhere.
      .filter(({ port }) => port !== appPort && port !== interceptionPorts.inbound)
      .map(({ port, mode }) => ({
        ...opaque,
        destinationPort: port,
        prefix: `passthrough-${port}-`,
        policyPort: port,
        mode,
      })),
    { ...opaque, destinationPort: undefined, prefix: "passthrough-", policyPort: undefined, mode: general },
  ];
}

function portChains(context: ChainContext): FilterChainInit[] {
  const { mode, protocol } = context;
  const detectsTls = mode.mode !== "DISABLE";
  if (protocol === "auto" && mode.mode !== "STRICT") {
    return [
      ...(detectsTls ? [...undeclaredTlsChains(context), foreignTlsChain(context)] : []),
      ...undeclaredPlaintextChains(context),
    ];
  }
  return [
    ...(protocol === "auto" ? undeclaredTlsChains(context) : detectsTls ? [mutualTlsChain(context)] : []),
    ...(mode.mode === "PERMISSIVE" && !isDeclaredHttp(protocol) ? [foreignTlsChain(context)] : []),
    ...(mode.mode === "STRICT" ? [] : [plaintextChain(context)]),
  ];
}

function portMatch({ destinationPort }: ServedPorts): { destinationPort?: number } {
  return destinationPort === undefined ? {} : { destinationPort };
}

function blackHoleChain(port: number): FilterChainInit {
  return {
    name: "virtualInbound-blackhole",
    filterChainMatch: { destinationPort: port },
    filters: [tcpTerminal(blackHoleClusterName)],
  };
}

function mutualTlsChain(context: ChainContext): FilterChainInit {
  const { protocol, prefix, trustDomain, audience, mode } = context;
  const isHttp = isDeclaredHttp(protocol);
  return {
    name: `${prefix}mutual-tls`,
    filterChainMatch: {
      ...portMatch(context),
      transportProtocol: "tls",
      // Under PERMISSIVE an opaque port may carry the application's own TLS; the mesh's is known by its protocols.
      applicationProtocols: mode.mode === "PERMISSIVE" && !isHttp ? meshProtocols("tcp") : [],
    },
    transportSocket: serverTransportSocket(trustDomain, protocol, audience),
    transportSocketConnectTimeout: duration(handshakeTimeoutMs),
    ...chainMetadata(context),
    filters: isHttp
      ? httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD)
      : tcpFilters(context),
  };
}

/**
 * Mutual TLS on a port of which nobody said what it carries: the client's proxy has looked, and its protocols say what it found. Whoever says nothing, or says
 * opaque and sends HTTP, meets the policy for TCP.
 */
function undeclaredTlsChains(context: ChainContext): FilterChainInit[] {
  const { trustDomain, audience, mode } = context;
  const common = { transportSocketConnectTimeout: duration(handshakeTimeoutMs), ...chainMetadata(context) };
  return [
    {
      name: "mutual-tls-http",
      filterChainMatch: {
        ...portMatch(context),
        transportProtocol: "tls",
        applicationProtocols: meshProtocols("auto"),
      },
      transportSocket: serverTransportSocket(trustDomain, "auto", audience),
      ...common,
      filters: httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD),
    },
    {
      name: "mutual-tls",
      filterChainMatch: {
        ...portMatch(context),
        transportProtocol: "tls",
        applicationProtocols: mode.mode === "PERMISSIVE" ? meshProtocols("tcp") : [],
      },
      transportSocket: serverTransportSocket(trustDomain, "tcp", audience),
      ...common,
      filters: tcpFilters(context),
    },
  ];
}

/**
 * What a connection inside a carrier meets: the filters of one by itself that shows the same certificate. What nobody declared is opaque there.
 */
export function tunnelledFilters(
  instance: WorkloadProfile,
  policies: WorkloadPolicies,
  trustDomain: string,
  audience: Audience,
): Filters {
  const { protocol, servicePort: policyPort } = instance;
  const context = { instance, policies, trustDomain, audience, policyPort, cluster: inboundClusterName(policyPort) };
  return isDeclaredHttp(protocol)
    ? httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD)
    : tcpFilters(context);
}

function undeclaredPlaintextChains(context: ChainContext): FilterChainInit[] {
  return [
    {
      name: "plaintext-http",
      filterChainMatch: { ...portMatch(context), ...plaintextHttp },
      ...chainMetadata(context),
      filters: httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.SANITIZE),
    },
    {
      name: "plaintext",
      filterChainMatch: { ...portMatch(context), transportProtocol: plaintextHttp.transportProtocol },
      ...chainMetadata(context),
      filters: tcpFilters(context),
    },
  ];
}

/** The application's own TLS on an opaque port: passed through as it is. */
function foreignTlsChain(context: ChainContext): FilterChainInit {
  return {
    name: `${context.prefix}opaque-tls`,
    filterChainMatch: { ...portMatch(context), transportProtocol: "tls" },
    ...chainMetadata(context),
    filters: tcpFilters(context),
  };
}

function plaintextChain(context: ChainContext): FilterChainInit {
  const { protocol, mode, prefix } = context;
  return {
    name: `${prefix}plaintext`,
    filterChainMatch: {
      ...portMatch(context),
      ...(mode.mode === "PERMISSIVE" ? { transportProtocol: "raw_buffer" } : {}),
    },
    ...chainMetadata(context),
    filters: isDeclaredHttp(protocol)
      ? // Whoever has shown no certificate cannot say whose certificate he forwards.
        httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.SANITIZE)
      : tcpFilters(context),
  };
}

/** Which resource set the mode that a chain stands for. */
export function chainMetadata({ mode: { provenance } }: { readonly mode: EffectiveMode }): { metadata?: MetadataInit } {
  const metadata = metadataOf({ [provenanceKey]: provenance && provenanceOf(provenance.origin, provenance.rule) });
  return metadata === undefined ? {} : { metadata };
}

function httpFilters(
  {
    instance,
    policies,
    trustDomain,
    audience,
  }: Pick<ChainContext, "instance" | "policies" | "trustDomain" | "audience">,
  forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails,
): Filters {
  const cluster = inboundClusterName(instance.servicePort);
  const isFromMesh = forwardClientCertDetails !== HttpConnectionManager_ForwardClientCertDetails.SANITIZE;
  const filters = [
    ...compilePeerMetadata(audience, "inbound", workloadMetadata(instance, trustDomain)),
    ...compileHttpAuthorization(policies, instance.servicePort),
    ...compileStandardMetrics(audience, "destination"),
  ];
  const terminal = httpTerminal(`inbound_${instance.address}_${instance.servicePort}`, filters, {
    forwardClientCertDetails,
    ...(isFromMesh ? { setCurrentClientCertDetails: { subject: true, uri: true, dns: true } } : {}),
    // What a peer outside the mesh says about where its request came from is not believed (design §5, "Edge").
    useRemoteAddress: !isFromMesh,
    routeSpecifier: {
      case: "routeConfig",
      value: {
        name: cluster,
        virtualHosts: [
          {
            name: `inbound|http|${instance.servicePort}`,
            domains: ["*"],
            routes: [
              {
                name: defaultRouteName,
                match: { pathSpecifier: { case: "prefix", value: "/" } },
                action: {
                  case: "route",
                  value: {
                    clusterSpecifier: { case: "cluster", value: cluster },
                    // The client's side has the timeout; a gRPC caller's deadline counts on both.
                    timeout: duration(0),
                    maxGrpcTimeout: duration(0),
                    retryPolicy: compileInboundRetryPolicy(),
                  },
                },
              },
            ],
          },
        ],
        validateClusters: false,
      },
    },
  });
  return [terminal];
}

function tcpFilters({
  policies,
  policyPort,
  cluster,
}: Pick<ChainContext, "policies" | "policyPort" | "cluster">): Filters {
  return [...compileNetworkAuthorization(policies, policyPort), tcpTerminal(cluster)];
}
