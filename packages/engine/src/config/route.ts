import type { Provenance } from "./address.ts";
import type { FaultConfig } from "./fault.ts";
import type { HeaderMutationConfig } from "./header-mutation.ts";
import type { Upgrades } from "./http-connection-manager.ts";
import type { RbacFilterConfig } from "./rbac.ts";
import type { Fraction, HeaderMatch, RegexRewrite, StringMatch } from "./string-match.ts";

export type PathMatch =
  | { readonly kind: "prefix" | "exact"; readonly value: string; readonly caseSensitive: boolean }
  /** `/foo` matches `/foo` and `/foo/…`, never `/foobar`. */
  | { readonly kind: "path-separated-prefix"; readonly value: string; readonly caseSensitive: boolean }
  /** Full match over the path without query. */
  | { readonly kind: "regex"; readonly regex: string }
  /** `connect_matcher`: CONNECT, which has no path and which nothing else here matches. */
  | { readonly kind: "connect" };

export interface QueryParameterMatch {
  readonly name: string;
  /** undefined: the parameter must be present. */
  readonly match: StringMatch | undefined;
  readonly present: boolean;
}

export interface RouteMatchConfig {
  readonly path: PathMatch;
  readonly headers: readonly HeaderMatch[];
  readonly queryParameters: readonly QueryParameterMatch[];
  readonly runtimeFraction: Fraction | undefined;
}

/** Conditions of `retry_on`, Envoy's names; gRPC ones included. */
export type RetryCondition =
  | "5xx"
  | "gateway-error"
  | "reset"
  | "reset-before-request"
  | "connect-failure"
  | "retriable-4xx"
  | "refused-stream"
  | "retriable-status-codes"
  | "retriable-headers"
  | "cancelled"
  | "deadline-exceeded"
  | "internal"
  | "resource-exhausted"
  | "unavailable";

export interface RetryPolicyConfig {
  readonly retryOn: readonly RetryCondition[];
  /** Retries, not attempts. */
  readonly numRetries: number;
  /** 0: none. */
  readonly perTryTimeoutMs: number;
  readonly perTryIdleTimeoutMs: number;
  readonly retriableStatusCodes: readonly number[];
  readonly retriableHeaders: readonly HeaderMatch[];
  /** Only requests that match one of these are retried; empty: all. */
  readonly retriableRequestHeaders: readonly HeaderMatch[];
  readonly backOffBaseMs: number;
  readonly backOffMaxMs: number;
  /** `retry_host_predicate` previous_hosts. */
  readonly avoidPreviousHosts: boolean;
  readonly hostSelectionRetryMaxAttempts: number;
  /** `heddle.v1.IdempotentRequest`: see design §5 "Retries". */
  readonly onlyIdempotent: boolean;
}

export interface MirrorConfig {
  readonly cluster: string;
  readonly fraction: Fraction | undefined;
  /** Envoy appends `-shadow` to the authority unless told otherwise. */
  readonly appendShadowSuffix: boolean;
}

export interface WeightedClusterConfig {
  /** Exactly one of `cluster` and `clusterHeader` is not empty. */
  readonly cluster: string;
  readonly clusterHeader: string;
  readonly weight: number;
  readonly requestHeaders: HeaderMutationConfig;
  readonly responseHeaders: HeaderMutationConfig;
  readonly hostRewrite: string | undefined;
  readonly filterOverrides: FilterOverrides;
}

export type ClusterSpecifier =
  | { readonly kind: "cluster"; readonly name: string }
  | { readonly kind: "header"; readonly header: string }
  | { readonly kind: "weighted"; readonly clusters: readonly WeightedClusterConfig[]; readonly randomHeader: string };

export type HostRewrite =
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "auto" }
  | { readonly kind: "header"; readonly header: string }
  | { readonly kind: "path-regex"; readonly rewrite: RegexRewrite };

/** How `grpc-timeout` is honoured, by `max_stream_duration` or by the older `max_grpc_timeout`, which Istio sends. */
export interface GrpcTimeoutConfig {
  /**
   * `stream`: it takes the place of `max_stream_duration`, counted from the begin of the request to the end of the answer. `response`: it takes the
   * place of `timeout`.
   */
  readonly limits: "stream" | "response";
  /** `grpc_timeout_header_max`, `max_grpc_timeout`; 0: no bound; undefined: the header is not asked, but told to the upstream. */
  readonly maxMs: number | undefined;
  /** Taken from the header, so that we give up before the caller does. */
  readonly offsetMs: number;
}

export interface RouteActionConfig {
  readonly kind: "route";
  readonly cluster: ClusterSpecifier;
  readonly clusterNotFoundStatus: 503 | 404 | 500;
  /** Replaces the matched prefix or path; empty: no rewrite. */
  readonly prefixRewrite: string;
  readonly regexRewrite: RegexRewrite | undefined;
  readonly hostRewrite: HostRewrite | undefined;
  /** `append_x_forwarded_host`. */
  readonly appendForwardedHost: boolean;
  /** Envoy's default of 15 s is filled in; 0: none, as where `max_stream_duration` is given (Envoy's `usingNewTimeouts`). */
  readonly timeoutMs: number;
  /** undefined: the connection manager's stream idle timeout; 0: none. */
  readonly idleTimeoutMs: number | undefined;
  readonly maxStreamDurationMs: number | undefined;
  /** What the deadline of a gRPC caller means here; undefined: it is passed on as it came, and nothing holds it (Envoy). */
  readonly grpcTimeout: GrpcTimeoutConfig | undefined;
  /** The route's own policy, else the virtual host's; never merged (Envoy). */
  readonly retry: RetryPolicyConfig | undefined;
  readonly mirrors: readonly MirrorConfig[];
  /** `upgrade_configs`: what it names wins over the connection manager. */
  readonly upgrades: Upgrades;
  /** `connect_config`: CONNECT ends here, and what it carries goes to the endpoint as plain bytes; else the request itself goes on. */
  readonly terminatesConnect: boolean;
}

export interface RedirectActionConfig {
  readonly kind: "redirect";
  /** Empty: unchanged. */
  readonly host: string;
  /** 0: unchanged, or dropped when the scheme changes and the port was that scheme's default. */
  readonly port: number;
  readonly scheme: "" | "http" | "https";
  readonly path:
    | { readonly kind: "keep" }
    | { readonly kind: "replace"; readonly path: string }
    | { readonly kind: "prefix-rewrite"; readonly prefix: string }
    | { readonly kind: "regex-rewrite"; readonly rewrite: RegexRewrite };
  readonly status: 301 | 302 | 303 | 307 | 308;
  readonly stripQuery: boolean;
}

export interface DirectResponseConfig {
  readonly kind: "direct";
  readonly status: number;
  readonly body: string;
}

/** One entry of `typed_per_filter_config`. */
export type FilterOverride =
  /** `FilterConfig.disabled`. */
  | { readonly kind: "disabled" }
  | { readonly kind: "fault"; readonly fault: FaultConfig }
  /** `RBACPerRoute`; undefined rules and shadow rules switch the filter off here. */
  | { readonly kind: "rbac"; readonly rbac: RbacFilterConfig | undefined };

/** `typed_per_filter_config`, by filter name. The most specific level that names a filter wins whole. */
export type FilterOverrides = Readonly<Record<string, FilterOverride>>;

export interface RouteConfig {
  readonly name: string;
  readonly match: RouteMatchConfig;
  readonly action: RouteActionConfig | RedirectActionConfig | DirectResponseConfig;
  readonly requestHeaders: HeaderMutationConfig;
  readonly responseHeaders: HeaderMutationConfig;
  readonly filterOverrides: FilterOverrides;
  readonly provenance: Provenance | undefined;
}

export interface VirtualHostConfig {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly RouteConfig[];
  readonly requireTls: "none" | "external-only" | "all";
  readonly requestHeaders: HeaderMutationConfig;
  readonly responseHeaders: HeaderMutationConfig;
  readonly filterOverrides: FilterOverrides;
  /** `x-envoy-attempt-count` on the request, and on the response. */
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly provenance: Provenance | undefined;
}

/** `envoy.config.route.v3.RouteConfiguration`. */
export interface RouteTableConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHostConfig[];
  /** Removed from requests that come from outside. */
  readonly internalOnlyHeaders: readonly string[];
  readonly requestHeaders: HeaderMutationConfig;
  readonly responseHeaders: HeaderMutationConfig;
  /** Default false: weighted cluster, then route, virtual host, table; true: the other way round, so that the most specific wins. */
  readonly mostSpecificHeaderMutationsWins: boolean;
  readonly ignorePortInHostMatching: boolean;
  readonly filterOverrides: FilterOverrides;
  readonly provenance: Provenance | undefined;
}
