// What configuration becomes when it is bound: the same objects, with matchers compiled, names resolved and numbers
// prepared. Everything here is immutable for its readers; live numbers stand in `LiveState`.
import type { ErrorCode } from "@heddle/core";
import type { Locality, Provenance, SocketAddress, StringMetadata } from "../config/address.ts";
import type { ClusterConfig, UpstreamProxyProtocolConfig } from "../config/cluster.ts";
import type { EndpointConfig } from "../config/endpoints.ts";
import type { EndpointHealthCheck } from "../config/health-check.ts";
import type { HttpConnectionManagerConfig } from "../config/http-connection-manager.ts";
import type { FilterChainConfig, ListenerConfig, TcpProxyConfig } from "../config/listener.ts";
import type {
  DirectResponseConfig,
  RedirectActionConfig,
  RouteActionConfig,
  RouteConfig,
  RouteTableConfig,
  VirtualHostConfig,
} from "../config/route.ts";
import type { UpstreamTlsConfig } from "../config/tls.ts";
import type { FilterChainIndex } from "./filter-chain-index.ts";
import type { BoundFault } from "./fault.ts";
import type { BoundHeaderMutation } from "./header-mutation.ts";
import type { BoundCidr } from "./ip-address.ts";
import type { BoundListenerFilter } from "./listener-filters.ts";
import type { BoundRbacFilter, BoundRbacPolicy, ShadowDecision } from "./rbac.ts";
import type { BoundRetryPolicy } from "./retry-policy.ts";
import type { RouteMatcher } from "./route-match.ts";
import type { VirtualHostIndex } from "./virtual-host-index.ts";

export type {
  BoundFault,
  BoundHeaderMutation,
  BoundListenerFilter,
  BoundRbacFilter,
  BoundRbacPolicy,
  BoundRetryPolicy,
  ShadowDecision,
};

/** Where `istio.workload` metadata names the workload behind an endpoint; empty strings where it does not. */
export interface WorkloadIdentity {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly cluster: string;
}

/** What active checks say of an endpoint; `unchecked`: there are none; `pending`: none has ended. */
export type ActiveHealth = "unchecked" | "pending" | "healthy" | "degraded" | "failed";

/** One endpoint of one cluster. Untouched by a delta, it stays the same object. */
export interface BoundEndpoint {
  /** Stable identity inside its cluster: `host:port`, IPv6 in brackets; of a LOGICAL_DNS endpoint its name instead of the host. */
  readonly key: string;
  readonly clusterName: string;
  /** The first of `addresses`. */
  readonly host: string;
  readonly port: number;
  /** `host:port`, for people. */
  readonly address: string;
  /** Where it can be reached, in the order in which they are tried; at least one. */
  readonly addresses: readonly SocketAddress[];
  readonly hostname: string;
  readonly weight: number;
  /** By discovery and active health check together. */
  readonly health: EndpointConfig["health"];
  /** What discovery says. */
  readonly discoveredHealth: EndpointConfig["health"];
  readonly activeHealth: ActiveHealth;
  readonly healthCheck: EndpointHealthCheck;
  /** Discovery no longer names it; it stays for as long as its health check finds it healthy. */
  readonly isRemoved: boolean;
  readonly priority: number;
  readonly locality: Locality;
  readonly metadata: StringMetadata;
  readonly workload: WorkloadIdentity | undefined;
  /** From the cluster's `transport_socket_matches`; undefined: plaintext. Of connections of its own, not of carriers. */
  readonly tls: UpstreamTlsConfig | undefined;
  /** A header that goes before everything else on each connection; undefined: none. */
  readonly proxyProtocol: UpstreamProxyProtocolConfig | undefined;
  /** Connections to it may be CONNECT streams of carriers, and are when the cluster says so; undefined: never. */
  readonly tunnel: BoundTunnel | undefined;
}

export interface BoundTunnel {
  /** What CONNECT asks for. */
  readonly authority: string;
  /** The proxy that carriers lead to. */
  readonly carrier: BoundEndpoint;
}

/** Endpoints that balance among themselves. */
export interface EndpointGroup {
  readonly endpoints: readonly BoundEndpoint[];
  /** All weights equal, so that no scheduler is needed. */
  readonly equalWeights: boolean;
}

/** Endpoints of one priority level, by what may be picked, with the level's share of the traffic. */
export interface PriorityLevel {
  readonly priority: number;
  readonly all: EndpointGroup;
  readonly healthy: EndpointGroup;
  readonly degraded: EndpointGroup;
  /** Percent of requests for its healthy and its degraded endpoints (Envoy's priority load). */
  readonly healthyLoad: number;
  readonly degradedLoad: number;
  /** Too few are healthy: every endpoint is used (Envoy's panic mode). */
  readonly isPanicking: boolean;
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

export type BoundFilterOverride =
  | { readonly kind: "disabled" }
  | { readonly kind: "fault"; readonly fault: BoundFault }
  | { readonly kind: "rbac"; readonly rbac: BoundRbacFilter | undefined };

/** Overrides by filter name, all levels merged; undefined: none anywhere. */
export type BoundFilterOverrides = ReadonlyMap<string, BoundFilterOverride> | undefined;

export interface BoundMirror {
  readonly cluster: string;
  /** Threshold over `random()`, 0–1. */
  readonly fraction: number;
  readonly appendShadowSuffix: boolean;
}

export interface BoundWeightedCluster {
  readonly cluster: string;
  readonly clusterHeader: string;
  readonly weight: number;
  /** Sum of the weights up to and including this one. */
  readonly upTo: number;
  readonly hostRewrite: string | undefined;
  readonly requestHeaders: BoundHeaderMutation;
  readonly responseHeaders: BoundHeaderMutation;
  readonly overrides: BoundFilterOverrides;
}

export interface BoundRoute {
  readonly name: string;
  readonly config: RouteConfig;
  readonly virtualHost: BoundVirtualHost;
  readonly matcher: RouteMatcher;
  readonly action: RouteActionConfig | RedirectActionConfig | DirectResponseConfig;
  /** Route, virtual host and table, in the table's order. */
  readonly requestHeaders: BoundHeaderMutation;
  readonly responseHeaders: BoundHeaderMutation;
  readonly overrides: BoundFilterOverrides;
  readonly weighted: readonly BoundWeightedCluster[];
  readonly totalWeight: number;
  readonly retry: BoundRetryPolicy | undefined;
  readonly mirrors: readonly BoundMirror[];
  /** The path after `prefix_rewrite` or `regex_rewrite` of a route or redirect; undefined: unchanged. */
  readonly rewritePath: ((path: string) => string) | undefined;
  /** `host_rewrite_path_regex`. */
  readonly rewriteHost: ((path: string) => string) | undefined;
  readonly provenance: Provenance | undefined;
}

export interface BoundVirtualHost {
  readonly name: string;
  readonly config: VirtualHostConfig;
  readonly routes: readonly BoundRoute[];
  readonly overrides: BoundFilterOverrides;
}

export interface BoundRouteTable {
  readonly name: string;
  readonly config: RouteTableConfig;
  readonly virtualHosts: readonly BoundVirtualHost[];
  readonly index: VirtualHostIndex<BoundVirtualHost>;
  readonly overrides: BoundFilterOverrides;
}

/** A filter of the request path that the engine runs. */
export type BoundHttpFilter =
  | { readonly kind: "grpc-web"; readonly name: string; readonly disabled: boolean }
  | { readonly kind: "tunnel-server"; readonly name: string; readonly disabled: boolean; readonly listener: string }
  | { readonly kind: "rbac"; readonly name: string; readonly disabled: boolean; readonly rbac: BoundRbacFilter }
  | { readonly kind: "fault"; readonly name: string; readonly disabled: boolean; readonly fault: BoundFault };

export interface BoundHttpConnectionManager {
  readonly config: HttpConnectionManagerConfig;
  /** Inline table; undefined: `config.routeTableName` is looked up in the snapshot. */
  readonly routeTable: BoundRouteTable | undefined;
  /** Filters that the engine runs, in order. */
  readonly filters: readonly BoundHttpFilter[];
  readonly internalCidrs: readonly BoundCidr[];
  /** `router.suppress_envoy_headers`. */
  readonly suppressEnvoyHeaders: boolean;
}

export interface BoundFilterChain {
  readonly name: string;
  readonly config: FilterChainConfig;
  readonly networkRbac: readonly BoundRbacFilter[];
  readonly http: BoundHttpConnectionManager | undefined;
  readonly tcp: TcpProxyConfig | undefined;
  readonly provenance: Provenance | undefined;
}

export interface BoundListener {
  readonly name: string;
  readonly config: ListenerConfig;
  readonly filters: readonly BoundListenerFilter[];
  readonly chains: readonly BoundFilterChain[];
  readonly defaultChain: BoundFilterChain | undefined;
  readonly index: FilterChainIndex<BoundFilterChain>;
}

/** The end of a connection-level decision. */
export interface ConnectionDecision {
  readonly allowed: boolean;
  readonly code: ErrorCode | "";
  /** Envoy's connection termination details, `rbac_access_denied_matched_policy[…]`. */
  readonly details: string;
  readonly policy: BoundRbacPolicy | undefined;
  /** Of every filter with shadow rules, in order. */
  readonly shadows: readonly ShadowDecision[];
}
