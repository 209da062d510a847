// What configuration becomes when it is bound: the same objects, with matchers compiled, names resolved and numbers
// prepared. Everything here is immutable for its readers; live numbers stand in `LiveState`.
import type { ErrorCode } from "@heddle/core";
import type { Locality, Provenance, StringMetadata } from "../config/address.ts";
import type { ClusterConfig } from "../config/cluster.ts";
import type { EndpointConfig } from "../config/endpoints.ts";
import type { FaultConfig } from "../config/fault.ts";
import type { HttpConnectionManagerConfig } from "../config/http-connection-manager.ts";
import type { FilterChainConfig, ListenerConfig, TcpProxyConfig } from "../config/listener.ts";
import type { RbacFilterConfig } from "../config/rbac.ts";
import type {
  DirectResponseConfig,
  RedirectActionConfig,
  RetryPolicyConfig,
  RouteActionConfig,
  RouteConfig,
  RouteTableConfig,
  VirtualHostConfig,
} from "../config/route.ts";
import type { UpstreamTlsConfig } from "../config/tls.ts";
import type { RequestRecord } from "../steps/request-record.ts";
import type { ConnectionView } from "./connection.ts";
import type { MutableHeaders } from "./headers.ts";

/** Where `istio.workload` metadata names the workload behind an endpoint; empty strings where it does not. */
export interface WorkloadIdentity {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
}

/** One endpoint of one cluster. Untouched by a delta, it stays the same object. */
export interface BoundEndpoint {
  /** Stable identity inside its cluster: `host:port`, IPv6 in brackets. */
  readonly key: string;
  readonly clusterName: string;
  readonly host: string;
  readonly port: number;
  readonly hostname: string;
  readonly weight: number;
  readonly health: EndpointConfig["health"];
  readonly priority: number;
  readonly locality: Locality;
  readonly metadata: StringMetadata;
  readonly workload: WorkloadIdentity | undefined;
  /** From the cluster's `transport_socket_matches`; undefined: plaintext. */
  readonly tls: UpstreamTlsConfig | undefined;
}

/** Endpoints of one priority level, by what may be picked. */
export interface PriorityLevel {
  readonly all: readonly BoundEndpoint[];
  readonly healthy: readonly BoundEndpoint[];
  readonly degraded: readonly BoundEndpoint[];
  /** All weights equal, so that no scheduler is needed. */
  readonly equalWeights: boolean;
}

export interface BoundCluster {
  readonly name: string;
  readonly config: ClusterConfig;
  readonly endpoints: readonly BoundEndpoint[];
  readonly levels: readonly PriorityLevel[];
  /** Whether endpoints have been given at all (EDS answered, names resolved). */
  readonly isReady: boolean;
  readonly provenance: Provenance | undefined;
}

export type HeaderPredicate = (req: RequestRecord) => boolean;
export type ConnectionPredicate = (connection: ConnectionView) => boolean;

/** Header mutations of one or more levels, in the order in which they run. */
export interface BoundHeaderMutation {
  readonly isEmpty: boolean;
  apply(headers: MutableHeaders, req: RequestRecord): void;
}

export interface BoundRbacPolicy {
  readonly name: string;
  /** From the name where it is Istio's (`ns[…]-policy[…]-rule[…]`), else of the filter. */
  readonly provenance: Provenance | undefined;
}

export interface BoundRetryPolicy {
  readonly config: RetryPolicyConfig;
}

export interface BoundMirror {
  readonly cluster: string;
  /** Threshold over `random()`, 0–1. */
  readonly fraction: number;
  readonly appendShadowSuffix: boolean;
}

export interface BoundRoute {
  readonly name: string;
  readonly config: RouteConfig;
  readonly virtualHost: BoundVirtualHost;
  readonly action: RouteActionConfig | RedirectActionConfig | DirectResponseConfig;
  readonly provenance: Provenance | undefined;
}

export interface BoundVirtualHost {
  readonly name: string;
  readonly config: VirtualHostConfig;
  readonly routes: readonly BoundRoute[];
}

export interface BoundRouteTable {
  readonly name: string;
  readonly config: RouteTableConfig;
  readonly virtualHosts: readonly BoundVirtualHost[];
}

/** A filter of the request path, ready to run. */
export type BoundHttpFilter =
  | { readonly kind: "rbac"; readonly name: string; readonly config: RbacFilterConfig }
  | { readonly kind: "fault"; readonly name: string; readonly config: FaultConfig };

export interface BoundHttpConnectionManager {
  readonly config: HttpConnectionManagerConfig;
  /** Inline table; undefined: `config.routeTableName` is looked up in the snapshot. */
  readonly routeTable: BoundRouteTable | undefined;
  /** Filters that the engine runs, in order. */
  readonly filters: readonly BoundHttpFilter[];
}

export interface BoundFilterChain {
  readonly name: string;
  readonly config: FilterChainConfig;
  readonly http: BoundHttpConnectionManager | undefined;
  readonly tcp: TcpProxyConfig | undefined;
  readonly provenance: Provenance | undefined;
}

export interface BoundListener {
  readonly name: string;
  readonly config: ListenerConfig;
  readonly chains: readonly BoundFilterChain[];
  readonly defaultChain: BoundFilterChain | undefined;
}

/** The end of a connection-level decision. */
export interface ConnectionDecision {
  readonly allowed: boolean;
  readonly code: ErrorCode | "";
  /** Envoy's connection termination details, `rbac_access_denied_matched_policy[…]`. */
  readonly details: string;
  readonly policy: BoundRbacPolicy | undefined;
}
