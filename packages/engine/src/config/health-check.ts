import type { HeaderMutationConfig } from "./header-mutation.ts";
import type { StringMatch } from "./string-match.ts";

/** `envoy.config.core.v3.HealthCheck`, defaults filled in. */
export interface HealthCheckConfig {
  readonly timeoutMs: number;
  /** Between checks of an endpoint that is, and was, healthy. */
  readonly intervalMs: number;
  /** Between a failure of a healthy endpoint, or a success of an unhealthy one, that did not change it yet, and the next check. */
  readonly unhealthyIntervalMs: number;
  readonly unhealthyEdgeIntervalMs: number;
  readonly healthyEdgeIntervalMs: number;
  /** While the cluster has never had a connection for traffic. */
  readonly noTrafficIntervalMs: number;
  readonly noTrafficHealthyIntervalMs: number;
  readonly initialJitterMs: number;
  readonly intervalJitterMs: number;
  readonly intervalJitterPercent: number;
  readonly unhealthyThreshold: number;
  readonly healthyThreshold: number;
  /** 0: the endpoint's own. */
  readonly altPort: number;
  readonly reuseConnection: boolean;
  /** `tls_options.alpn_protocols`; empty: as for traffic. */
  readonly alpn: readonly string[];
  readonly logsEveryFailure: boolean;
  readonly logsEverySuccess: boolean;
  readonly checker: HttpCheckConfig | TcpCheckConfig | GrpcCheckConfig;
}

/** Statuses from `start` up to, and without, `end`. */
export interface StatusRange {
  readonly start: number;
  readonly end: number;
}

export interface HttpCheckConfig {
  readonly kind: "http";
  /** Empty: the endpoint's `health_check_config.hostname`, or the cluster's name. */
  readonly host: string;
  readonly path: string;
  readonly method: string;
  readonly protocol: "http1" | "http2";
  readonly body: Uint8Array | undefined;
  /** Found in the response's body one after another. */
  readonly receive: readonly Uint8Array[];
  /** How much of a response's body is looked at; 0: all. */
  readonly responseBufferBytes: number;
  /** Values hold no operators. */
  readonly headers: HeaderMutationConfig;
  /** Never empty: 200 is filled in. */
  readonly expectedStatuses: readonly StatusRange[];
  readonly retriableStatuses: readonly StatusRange[];
  /** Against `x-envoy-upstream-healthchecked-cluster` of the response. */
  readonly serviceName: StringMatch | undefined;
}

export interface TcpCheckConfig {
  readonly kind: "tcp";
  readonly send: Uint8Array | undefined;
  /** Found in what the endpoint says one after another; none: that it takes the connection is enough. */
  readonly receive: readonly Uint8Array[];
}

/** `grpc.health.v1.Health/Check`. */
export interface GrpcCheckConfig {
  readonly kind: "grpc";
  /** Empty: the server as a whole. */
  readonly serviceName: string;
  readonly authority: string;
  readonly metadata: HeaderMutationConfig;
}

/** `Endpoint.HealthCheckConfig`. */
export interface EndpointHealthCheck {
  /** 0: the cluster's `alt_port`, or the endpoint's own. */
  readonly port: number;
  readonly hostname: string;
  readonly isDisabled: boolean;
}
