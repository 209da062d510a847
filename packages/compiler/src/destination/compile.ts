import type { CarriedProtocol, ConnectionPool, LoadBalancer } from "@heddle/api";
import { parseDuration } from "@heddle/core";
import {
  type Cluster,
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema,
  create,
  type MessageInitShape,
  packAny,
  TunnelOptionsSchema,
  UpstreamHttpProtocolOptionsSchema,
} from "@heddle/xds/api";
import type { Audience } from "../audience.ts";
import { adsSource } from "../config-source.ts";
import { compileClientTransport, isTunnelled, tunnelMatchName } from "../mtls/client.ts";
import { namesFromRequests } from "../mtls/origination.ts";
import { inboundClusterName, opaqueClusterName, outboundClusterName } from "../names.ts";
import { metadataOf, provenanceKey, provenanceOf } from "../provenance.ts";
import { duration, tcpAddress } from "../wire.ts";
import { isHttp } from "../model/services.ts";
import type { EffectivePolicy } from "./traffic-policy.ts";

type ExtensionOptions = Record<string, ReturnType<typeof packAny>>;
type ClusterInit = Omit<MessageInitShape<typeof ClusterSchema>, "$typeName">;

/** One port of a service, as its clients see it. */
export interface DestinationPort {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
  readonly port: number;
  /** `auto`: what was found to be HTTP. */
  readonly protocol: CarriedProtocol;
  /** SPIFFE identities that may answer for the service. */
  readonly identities: readonly string[];
  /** Whether its clients' traffic is redirected to their proxies. */
  readonly isIntercepted: boolean;
}

/** Istio's defaults (istio.md 4.6); written out, because what a proxy takes an absent field to mean is Envoy's choice, not Istio's. */
export const unlimited = 0xffff_ffff;
export const connectTimeoutMs = 10_000;
const idleTimeoutMs = 3_600_000;
const httpOptionsName = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const tunnelOptionsName = "heddle.v1.TunnelOptions";
/** A shared connection has many requests, so that its peer's silence would cost many. */
const shared = {
  allowConnect: true,
  connectionKeepalive: { interval: duration(30_000), timeout: duration(10_000) },
};
/** Requests at once towards one endpoint from which on a connection inside a carrier costs less than one by itself (ADR 5). */
const minConcurrentRequests = 4;

/** The cluster of a service, or of one of its subsets. */
export function compileOutboundCluster(
  destination: DestinationPort,
  subset: string,
  { blocks, provenance }: EffectivePolicy,
  audience: Audience,
): Cluster {
  const { host, name, namespace, port, protocol } = destination;
  const services = [{ host, name, namespace }];
  const metadata = metadataOf({
    [provenanceKey]: provenance && provenanceOf(provenance.origin, provenance.rule),
    istio: subset === "" ? { services } : { services, subset },
  });
  return create(ClusterSchema, {
    ...poolFields(blocks.connectionPool),
    typedExtensionProtocolOptions: {
      ...(isHttp(protocol)
        ? httpOptions(blocks.connectionPool?.http, protocol, namesFromRequests(destination, blocks.tls))
        : {}),
      ...(isTunnelled(protocol, blocks.tls, audience) ? tunnelOptions(protocol) : {}),
    },
    ...balancerFields(blocks.loadBalancer),
    name: outboundClusterName(host, port, subset),
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: adsSource(), serviceName: outboundClusterName(host, port, subset) },
    ...compileClientTransport(destination, subset, blocks.tls, audience),
    ...(metadata === undefined ? {} : { metadata }),
  });
}

/**
 * The cluster of what is not HTTP on a port of which nobody said what it carries: the same endpoints, and a handshake that tells the server's proxy that it
 * gets opaque bytes.
 */
export function compileOpaqueCluster(
  destination: Omit<DestinationPort, "protocol">,
  policy: EffectivePolicy,
  audience: Audience,
): Cluster {
  const cluster = compileOutboundCluster({ ...destination, protocol: "tcp" }, "", policy, audience);
  return { ...cluster, name: opaqueClusterName(destination.host, destination.port) };
}

/** The application beside the proxy. */
export function compileInboundCluster(
  service: Omit<DestinationPort, "identities" | "isIntercepted">,
  address: string,
  applicationPort: number,
): Cluster {
  const { host, name: serviceName, namespace, port, protocol } = service;
  const name = inboundClusterName(port);
  const metadata = metadataOf({ istio: { services: [{ host, name: serviceName, namespace }] } });
  return create(ClusterSchema, {
    ...poolFields(undefined),
    ...(isHttp(protocol) ? { typedExtensionProtocolOptions: httpOptions(undefined, protocol, undefined) } : {}),
    // There is one endpoint: nothing to compare.
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
    loadAssignment: {
      clusterName: name,
      endpoints: [
        {
          lbEndpoints: [
            { hostIdentifier: { case: "endpoint", value: { address: tcpAddress(address, applicationPort) } } },
          ],
        },
      ],
    },
    ...(metadata === undefined ? {} : { metadata }),
  });
}

function balancerFields(loadBalancer: LoadBalancer | undefined): ClusterInit {
  // Only ready endpoints are announced, so that there is nothing to panic about (Istio switches it off, too).
  const commonLbConfig = { healthyPanicThreshold: { value: 0 } };
  switch (loadBalancer?.simple) {
    case "ROUND_ROBIN":
      return { commonLbConfig, lbPolicy: Cluster_LbPolicy.ROUND_ROBIN };
    case "RANDOM":
      return { commonLbConfig, lbPolicy: Cluster_LbPolicy.RANDOM };
    default:
      return {
        commonLbConfig,
        lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
        lbConfig: { case: "leastRequestLbConfig", value: { choiceCount: 2 } },
      };
  }
}

function poolFields(pool: ConnectionPool | undefined): ClusterInit {
  const { tcp, http } = pool ?? {};
  const keepalive = tcp?.tcpKeepalive;
  return {
    connectTimeout: duration(milliseconds(tcp?.connectTimeout) ?? connectTimeoutMs),
    circuitBreakers: {
      thresholds: [
        {
          maxConnections: tcp?.maxConnections || unlimited,
          maxPendingRequests: http?.http1MaxPendingRequests || unlimited,
          maxRequests: http?.http2MaxRequests || unlimited,
          maxRetries: http?.maxRetries || unlimited,
        },
      ],
    },
    ...(keepalive === undefined
      ? {}
      : {
          upstreamConnectionOptions: {
            tcpKeepalive: {
              ...(keepalive.probes === undefined ? {} : { keepaliveProbes: keepalive.probes }),
              ...seconds("keepaliveTime", keepalive.time),
              ...seconds("keepaliveInterval", keepalive.interval),
            },
          },
        }),
  };
}

/** Connections between our proxies that carry bytes are streams of carriers, and many at once that carry HTTP; carriers are made anew now and then. */
function tunnelOptions(protocol: CarriedProtocol): ExtensionOptions {
  const options = packAny(TunnelOptionsSchema, {
    transportSocketMatch: tunnelMatchName,
    http2ProtocolOptions: { connectionKeepalive: shared.connectionKeepalive },
    maxConnectionDuration: duration(3_600_000),
    ...(isHttp(protocol) ? { minConcurrentRequests } : {}),
  });
  return { [tunnelOptionsName]: options };
}

function httpOptions(
  http: ConnectionPool["http"],
  protocol: CarriedProtocol,
  names: ReturnType<typeof namesFromRequests>,
): ExtensionOptions {
  const options = packAny(UpstreamHttpProtocolOptionsSchema, {
    commonHttpProtocolOptions: {
      idleTimeout: duration(milliseconds(http?.idleTimeout) ?? idleTimeoutMs),
      ...(http?.maxRequestsPerConnection ? { maxRequestsPerConnection: http.maxRequestsPerConnection } : {}),
    },
    ...(names === undefined ? {} : { upstreamHttpProtocolOptions: names }),
    upstreamProtocolOptions: {
      case: "explicitHttpConfig",
      value: {
        protocolConfig:
          protocol === "http2"
            ? { case: "http2ProtocolOptions", value: shared }
            : { case: "httpProtocolOptions", value: {} },
      },
    },
  });
  return { [httpOptionsName]: options };
}

function seconds<Field extends string>(field: Field, text: string | undefined): { [K in Field]?: number } {
  const ms = milliseconds(text);
  return (ms === undefined ? {} : { [field]: Math.max(1, Math.round(ms / 1000)) }) as { [K in Field]?: number };
}

function milliseconds(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}
