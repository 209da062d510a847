import type { EndpointHealthCheck } from "./health-check.ts";
import type { Locality, SocketAddress, StringMetadata } from "./address.ts";

export interface EndpointConfig {
  readonly address: SocketAddress;
  /** Other addresses of the same endpoint: a connection is made to whichever answers first (RFC 8305). */
  readonly additionalAddresses: readonly SocketAddress[];
  /** Under what its numbers and connections are kept; empty: its address. A LOGICAL_DNS endpoint keeps them while its address changes. */
  readonly identity: string;
  /** `Endpoint.hostname`, for `auto` host rewrite; empty: none. */
  readonly hostname: string;
  readonly weight: number;
  /** Envoy's UNKNOWN and HEALTHY are `healthy`; DRAINING and TIMEOUT, UNHEALTHY take no new traffic; DEGRADED only when none is healthy. */
  readonly health: "healthy" | "degraded" | "unhealthy" | "draining";
  /** `health_check_config`. */
  readonly healthCheck: EndpointHealthCheck;
  /** E.g. `istio.workload` = `name;ns;canonical service;revision;cluster`, `envoy.transport_socket_match.tlsMode` = `istio`. */
  readonly metadata: StringMetadata;
}

export interface LocalityEndpointsConfig {
  readonly priority: number;
  readonly locality: Locality;
  /** 0: not set (a locality without weight gets no traffic under locality-weighted balancing). */
  readonly weight: number;
  readonly endpoints: readonly EndpointConfig[];
}

/** `envoy.config.endpoint.v3.ClusterLoadAssignment`. */
export interface EndpointsConfig {
  /** The cluster's `edsServiceName`, or its name. */
  readonly clusterName: string;
  readonly localities: readonly LocalityEndpointsConfig[];
  /** Percent; Envoy's default of 140 is filled in. */
  readonly overprovisioningFactor: number;
}
