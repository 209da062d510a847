import {
  create,
  type FilterChainSchema,
  HttpConnectionManager_ForwardClientCertDetails,
  type Listener,
  ListenerSchema,
  type MessageInitShape,
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
import type { EffectiveMode } from "../mtls/effective-mode.ts";
import { meshProtocols, serverTransportSocket } from "../mtls/tls-context.ts";
import { defaultRouteName, inboundClusterName, inboundListenerName } from "../names.ts";
import { type MetadataInit, metadataOf, provenanceKey, provenanceOf } from "../provenance.ts";
import { compileInboundRetryPolicy } from "../retries/compile.ts";
import { duration, tcpAddress } from "../wire.ts";
import { httpTerminal } from "./http-connection-manager.ts";
import { detection, httpInspector, plaintextHttp, tlsInspector } from "./protocol-detection.ts";
import { tcpTerminal } from "./tcp-proxy.ts";

type FilterChainInit = Omit<MessageInitShape<typeof FilterChainSchema>, "$typeName">;
type Filters = NonNullable<FilterChainInit["filters"]>;

/** How long a client may take until it has said whether it speaks TLS, and until its handshake is done; Envoy's default for the first. */
const detectionTimeoutMs = 15_000;

/**
 * Where a workload's proxy takes traffic for it. Which filter chains there are is what its mode means (istio.md 4.3): STRICT has no
 * chain for plaintext, so that such a connection is closed; DISABLE does not look for TLS at all.
 */
export function compileInboundListener(
  instance: WorkloadProfile,
  mode: EffectiveMode,
  policies: WorkloadPolicies,
  trustDomain: string,
  audience: Audience,
): Listener {
  const context = { instance, policies, trustDomain, audience, mode };
  const isHttp = instance.protocol === "http";
  const detectsTls = mode.mode !== "DISABLE";
  if (instance.protocol === "auto" && mode.mode !== "STRICT") {
    return create(ListenerSchema, {
      name: inboundListenerName,
      address: tcpAddress(instance.address, instance.inboundPort),
      trafficDirection: TrafficDirection.INBOUND,
      ...detection(detectsTls ? [tlsInspector, httpInspector] : [httpInspector]),
      filterChains: [
        ...(detectsTls ? [...undeclaredTlsChains(context), foreignTlsChain(context)] : []),
        ...undeclaredPlaintextChains(context),
      ],
    });
  }
  return create(ListenerSchema, {
    name: inboundListenerName,
    address: tcpAddress(instance.address, instance.inboundPort),
    trafficDirection: TrafficDirection.INBOUND,
    ...(detectsTls
      ? {
          listenerFilters: [tlsInspector],
          listenerFiltersTimeout: duration(detectionTimeoutMs),
          // Only where the server may have to speak first is silence taken for plaintext; there, TCP policy holds.
          continueOnListenerFiltersTimeout: mode.mode === "PERMISSIVE" && !isHttp,
        }
      : {}),
    filterChains: [
      ...(instance.protocol === "auto" ? undeclaredTlsChains(context) : detectsTls ? [mutualTlsChain(context)] : []),
      ...(mode.mode === "PERMISSIVE" && !isHttp ? [foreignTlsChain(context)] : []),
      ...(mode.mode === "STRICT" ? [] : [plaintextChain(context)]),
    ],
  });
}

interface ChainContext {
  readonly instance: WorkloadProfile;
  readonly policies: WorkloadPolicies;
  readonly trustDomain: string;
  readonly audience: Audience;
  readonly mode: EffectiveMode;
}

function mutualTlsChain(context: ChainContext): FilterChainInit {
  const { instance, trustDomain, audience, mode } = context;
  const isHttp = instance.protocol === "http";
  return {
    name: "mutual-tls",
    filterChainMatch: {
      transportProtocol: "tls",
      // Under PERMISSIVE an opaque port may carry the application's own TLS; the mesh's is known by its protocols.
      applicationProtocols: mode.mode === "PERMISSIVE" && !isHttp ? meshProtocols("tcp") : [],
    },
    transportSocket: serverTransportSocket(trustDomain, instance.protocol, audience),
    transportSocketConnectTimeout: duration(detectionTimeoutMs),
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
  const common = { transportSocketConnectTimeout: duration(detectionTimeoutMs), ...chainMetadata(context) };
  return [
    {
      name: "mutual-tls-http",
      filterChainMatch: { transportProtocol: "tls", applicationProtocols: meshProtocols("auto") },
      transportSocket: serverTransportSocket(trustDomain, "auto", audience),
      ...common,
      filters: httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD),
    },
    {
      name: "mutual-tls",
      filterChainMatch: {
        transportProtocol: "tls",
        applicationProtocols: mode.mode === "PERMISSIVE" ? meshProtocols("tcp") : [],
      },
      transportSocket: serverTransportSocket(trustDomain, "tcp", audience),
      ...common,
      filters: tcpFilters(context),
    },
  ];
}

function undeclaredPlaintextChains(context: ChainContext): FilterChainInit[] {
  return [
    {
      name: "plaintext-http",
      filterChainMatch: plaintextHttp,
      ...chainMetadata(context),
      filters: httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.SANITIZE),
    },
    {
      name: "plaintext",
      filterChainMatch: { transportProtocol: plaintextHttp.transportProtocol },
      ...chainMetadata(context),
      filters: tcpFilters(context),
    },
  ];
}

/** The application's own TLS on an opaque port: passed through as it is. */
function foreignTlsChain(context: ChainContext): FilterChainInit {
  return {
    name: "opaque-tls",
    filterChainMatch: { transportProtocol: "tls" },
    ...chainMetadata(context),
    filters: tcpFilters(context),
  };
}

function plaintextChain(context: ChainContext): FilterChainInit {
  const isHttp = context.instance.protocol === "http";
  return {
    name: "plaintext",
    filterChainMatch: context.mode.mode === "PERMISSIVE" ? { transportProtocol: "raw_buffer" } : {},
    ...chainMetadata(context),
    filters: isHttp
      ? // Whoever has shown no certificate cannot say whose certificate he forwards.
        httpFilters(context, HttpConnectionManager_ForwardClientCertDetails.SANITIZE)
      : tcpFilters(context),
  };
}

function chainMetadata({ mode }: ChainContext): { metadata?: MetadataInit } {
  const provenance = mode.provenance;
  const metadata = metadataOf({ [provenanceKey]: provenance && provenanceOf(provenance.origin, provenance.rule) });
  return metadata === undefined ? {} : { metadata };
}

function httpFilters(
  { instance, policies, trustDomain, audience }: ChainContext,
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
                    // The client's side has the timeout.
                    timeout: duration(0),
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

function tcpFilters({ instance, policies }: ChainContext): Filters {
  return [
    ...compileNetworkAuthorization(policies, instance.servicePort),
    tcpTerminal(inboundClusterName(instance.servicePort)),
  ];
}
