/** `envoy.config.listener.v3.ListenerFilterChainMatchPredicate`, by the port that the connection was meant for. */
export type ListenerFilterPredicate =
  | { readonly kind: "any" }
  | { readonly kind: "and" | "or"; readonly of: readonly ListenerFilterPredicate[] }
  | { readonly kind: "not"; readonly of: ListenerFilterPredicate }
  /** Half-open `[start, end)`. */
  | { readonly kind: "port"; readonly start: number; readonly end: number };

interface Common {
  /** `filter_disabled`; undefined: for no connection. */
  readonly disabledFor: ListenerFilterPredicate | undefined;
}

/** `envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol`. */
export interface ProxyProtocolFilterConfig extends Common {
  readonly kind: "proxy_protocol";
  /** `allow_requests_without_proxy_protocol`. */
  readonly allowsNone: boolean;
  readonly disallowed: readonly (1 | 2)[];
  readonly statPrefix: string;
  /** Types of TLVs that upstream headers may carry on. */
  readonly passedTlvs: PassedTlvs;
}

export type PassedTlvs = "all" | readonly number[];

/** Those that only look at a connection, without settings. */
export interface LookingFilterConfig extends Common {
  readonly kind: "tls_inspector" | "http_inspector" | "original_dst";
}

export type ListenerFilterConfig = LookingFilterConfig | ProxyProtocolFilterConfig;
