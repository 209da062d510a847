import type { Provenance, SocketAddress } from "./address.ts";
import type { EndpointsConfig } from "./endpoints.ts";
import type { HealthCheckConfig } from "./health-check.ts";
import type { PassedTlvs } from "./listener-filter.ts";
import type { UpstreamTlsConfig } from "./tls.ts";

/** Circuit-breaker limits of the DEFAULT priority; Envoy's defaults (1024, 1024, 1024, 3) are filled in. */
export interface ClusterLimits {
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  readonly maxRequests: number;
  readonly maxRetries: number;
}

/** `tcp_keepalive`; undefined members: the operating system's. */
export interface TcpKeepalive {
  readonly probes: number | undefined;
  readonly timeSeconds: number | undefined;
  readonly intervalSeconds: number | undefined;
}

/** One of `transport_socket_matches`: the first whose `metadata` is a subset of the endpoint's `envoy.transport_socket_match` wins. */
export interface TransportMatchConfig {
  readonly name: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** undefined: plaintext. */
  readonly tls: UpstreamTlsConfig | undefined;
  readonly proxyProtocol: UpstreamProxyProtocolConfig | undefined;
}

/** `envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport`: a header before anything else, TLS too. */
export interface UpstreamProxyProtocolConfig {
  readonly version: 1 | 2;
  /** Of the TLVs that the client's header brought; version 2 only. */
  readonly passedTlvs: PassedTlvs;
}

/**
 * Who is asked for names.
 * - `default`: the host; its DNS servers themselves where times to live count.
 * - `getaddrinfo`: the host, which tells no times to live.
 * - `dns`: DNS servers; those of the host when none is given. `/etc/hosts` is read first in any case.
 */
export type DnsResolverConfig =
  | { readonly kind: "default" | "getaddrinfo" }
  | { readonly kind: "dns"; readonly servers: readonly SocketAddress[]; readonly usesSearchDomains: boolean };

/** `original_dst_lb_config` and `cleanup_interval`. */
export interface OriginalDestinationConfig {
  /** Lower-case name of the header whose `address:port` wins; empty: none is looked at. */
  readonly header: string;
  /** 0: none. */
  readonly portOverride: number;
  /** After so long without a request an endpoint is forgotten. */
  readonly cleanupMs: number;
}

/** `happy_eyeballs_config`: which of an endpoint's addresses are tried first. */
export interface HappyEyeballs {
  /** `listed`: that of the first address. */
  readonly firstFamily: "listed" | "v4" | "v6";
  /** Addresses of the first family that are tried before each one of the other. */
  readonly firstFamilyCount: number;
}

/** `filter_metadata["istio"].services[]`: the services this cluster stands for, for metric labels. */
export interface ServiceReference {
  readonly host: string;
  readonly name: string;
  readonly namespace: string;
}

/**
 * `Http1ProtocolOptions.header_key_format`, on either side: how names are written there, or that they are kept as they are read there and written
 * so on the other side (`preserve_case`), added ones in lower case or as words.
 */
export type HeaderKeyFormat = "lower" | "proper-words" | "kept" | "kept-or-proper-words";

/** `envoy.config.core.v3.Http2ProtocolOptions`, on either side. */
export interface Http2Config {
  /** Streams at once on one connection. */
  readonly maxConcurrentStreams: number;
  /** What the peer may send ahead on one stream, and on all of them together. */
  readonly streamWindowBytes: number;
  readonly connectionWindowBytes: number;
  /** HPACK's dynamic table in each direction. */
  readonly headerTableBytes: number;
  /** `allow_connect`: extended CONNECT, which is how WebSocket rides on HTTP/2 (RFC 8441). As a client, the server's word decides. */
  readonly allowConnect: boolean;
  /** What makes a peer that floods lose its connection, as Envoy counts it. */
  readonly maxOutboundFrames: number;
  readonly maxOutboundControlFrames: number;
  /** `max_consecutive_inbound_frames_with_empty_payload` */
  readonly maxConsecutiveEmptyFrames: number;
  readonly maxPriorityFramesPerStream: number;
  readonly maxWindowUpdatesPerDataFrame: number;
  /** `connection_keepalive`; `intervalMs` 0: the peer is not asked. */
  readonly keepAlive: { readonly intervalMs: number; readonly timeoutMs: number; readonly jitterPercent: number };
}

/** `UpstreamHttpProtocolOptions`: what TLS connections take from the request that they are made for. */
export interface RequestServerName {
  /** `auto_sni`: its host is the server name of the handshake, unless it is an IP address. */
  readonly isSent: boolean;
  /** `auto_san_validation`: the certificate has to be for its host, beside what the validation context says. */
  readonly isDemanded: boolean;
  /** Lower-case name of a header whose value is taken instead, where it is not empty; empty: none. */
  readonly header: string;
}

export interface TunnelConfig {
  /** Name of the entry of `transport_socket_matches`. */
  readonly match: string;
  readonly http2: Http2Config;
  /** 0: none. */
  readonly maxConnectionDurationMs: number;
  /** Requests at once towards an endpoint from which on HTTP rides in carriers; 0: always. */
  readonly minConcurrentRequests: number;
}

/** `envoy.config.cluster.v3.Cluster`. */
export interface ClusterConfig {
  readonly name: string;
  readonly type: "static" | "strict_dns" | "logical_dns" | "eds" | "original_dst";
  /** For `eds`: the assignment's name (the cluster's own name when Envoy's `service_name` is empty). */
  readonly edsServiceName: string;
  /** `cluster_provided`: there is nothing to choose, `original_dst`. */
  readonly lb: "round_robin" | "least_request" | "random" | "cluster_provided";
  readonly leastRequestChoices: number;
  /** Exponent on active requests when weights differ; 1.0 by default. */
  readonly leastRequestBias: number;
  /** Percent of healthy endpoints below which all are used; Envoy's 50 is filled in, Istio sends 0. */
  readonly healthyPanicThreshold: number;
  readonly connectTimeoutMs: number;
  /** `upstream_bind_config`: where connections come from, one address a family; none: as the system chooses. */
  readonly bindAddresses: readonly string[];
  readonly perConnectionBufferBytes: number;
  readonly limits: ClusterLimits;
  /** 0: no limit. */
  readonly maxRequestsPerConnection: number;
  /** Idle time of a pooled connection; 0: never; Envoy's default of 1 h is filled in. */
  readonly idleTimeoutMs: number;
  readonly maxConnectionDurationMs: number;
  /** `per_upstream_preconnect_ratio`: places for requests, used and free, per request; 1: none is made ahead. */
  readonly preconnectRatio: number;
  readonly tcpKeepalive: TcpKeepalive | undefined;
  readonly happyEyeballs: HappyEyeballs;
  readonly transport: {
    /** `transport_socket`; undefined: plaintext. */
    readonly default: UpstreamTlsConfig | undefined;
    readonly proxyProtocol: UpstreamProxyProtocolConfig | undefined;
    readonly matches: readonly TransportMatchConfig[];
  };
  /** `load_assignment`; undefined for `eds`. For the DNS types `address.host` may be a name. */
  readonly inlineEndpoints: EndpointsConfig | undefined;
  readonly dns: {
    readonly refreshMs: number;
    readonly failureBaseMs: number;
    readonly failureMaxMs: number;
    readonly respectTtl: boolean;
    readonly family: "auto" | "v4-only" | "v6-only" | "v4-preferred" | "all";
    readonly resolver: DnsResolverConfig;
  };
  /** For `original_dst`. */
  readonly originalDestination: OriginalDestinationConfig;
  /** undefined: none; endpoints are what discovery says of them. */
  readonly healthCheck: HealthCheckConfig | undefined;
  /** An endpoint that discovery no longer names goes at once, also while its health check finds it healthy. */
  readonly ignoreHealthOnHostRemoval: boolean;
  readonly services: readonly ServiceReference[];
  /** What requests are sent by; `auto`: what TLS agrees on (ALPN), else HTTP/1.1. */
  readonly protocol: "http1" | "http2" | "auto";
  /** `heddle.v1.TunnelOptions`: endpoints of this entry of `transport.matches` are reached through carriers; undefined: none. */
  readonly tunnel: TunnelConfig | undefined;
  /** `http2_protocol_options`, defaults filled in. */
  readonly http2: Http2Config;
  /** HTTP/1.1 upstream: request trailers may be sent. */
  readonly enableTrailers: boolean;
  readonly headerKeyFormat: HeaderKeyFormat;
  /** undefined: nothing is taken from requests. */
  readonly serverName: RequestServerName | undefined;
  readonly provenance: Provenance | undefined;
}
