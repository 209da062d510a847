import type { AccessLogConfig } from "./access-log.ts";
import type { CidrRange, Provenance, SocketAddress } from "./address.ts";
import type { HttpConnectionManagerConfig, PeerMetadata } from "./http-connection-manager.ts";
import type { ListenerFilterConfig } from "./listener-filter.ts";
import type { RbacFilterConfig } from "./rbac.ts";
import type { DownstreamTlsConfig } from "./tls.ts";

/** `envoy.config.listener.v3.FilterChainMatch`. Empty lists, empty strings and undefined match everything. */
export interface FilterChainMatchConfig {
  readonly destinationPort: number | undefined;
  readonly prefixRanges: readonly CidrRange[];
  /** Lower-case; `*.suffix` is a wildcard. */
  readonly serverNames: readonly string[];
  readonly transportProtocol: "" | "tls" | "raw_buffer";
  readonly applicationProtocols: readonly string[];
  readonly directSourcePrefixRanges: readonly CidrRange[];
  readonly sourceType: "any" | "same-ip-or-loopback" | "external";
  readonly sourcePrefixRanges: readonly CidrRange[];
  readonly sourcePorts: readonly number[];
}

/** `envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`. */
export interface TcpProxyConfig {
  readonly statPrefix: string;
  readonly clusters: readonly { readonly name: string; readonly weight: number }[];
  /** 0: none; Envoy's default of 1 h is filled in. */
  readonly idleTimeoutMs: number;
  readonly maxConnectAttempts: number;
  readonly maxDownstreamConnectionDurationMs: number;
  readonly accessLogs: readonly AccessLogConfig[];
}

/** `envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit`. */
export interface ConnectionLimitConfig {
  readonly statPrefix: string;
  readonly maxConnections: number;
  /** How long a connection above the limit is kept before it is closed. */
  readonly delayMs: number;
}

export interface FilterChainConfig {
  /** Unique in its listener; the loader names unnamed chains `<listener>#<index>`. */
  readonly name: string;
  readonly match: FilterChainMatchConfig;
  /** undefined: plaintext. */
  readonly tls: DownstreamTlsConfig | undefined;
  /** `transport_socket_connect_timeout`; 0: Envoy's default, none. */
  readonly tlsHandshakeTimeoutMs: number;
  /** Judged as soon as the chain is chosen, before anything is read. */
  readonly connectionLimit: ConnectionLimitConfig | undefined;
  /** `heddle.v1.PeerMetadata` before a TCP proxy: what tunnels to its endpoints say of this workload. */
  readonly peerMetadata: PeerMetadata | undefined;
  /** Evaluated in order before the terminal filter sees a byte. */
  readonly networkRbac: readonly RbacFilterConfig[];
  readonly terminal:
    | { readonly kind: "http"; readonly http: HttpConnectionManagerConfig }
    | { readonly kind: "tcp"; readonly tcp: TcpProxyConfig };
  readonly provenance: Provenance | undefined;
}

/** `envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig`. */
export interface DnsFilterConfig {
  readonly addresses: readonly SocketAddress[];
  readonly statPrefix: string;
  readonly domains: readonly DnsDomainConfig[];
  /** What becomes of other names; undefined: there are none. */
  readonly forwarding: { readonly timeoutMs: number; readonly maxPending: number } | undefined;
}

/** `envoy.data.dns.v3.DnsTable.DnsVirtualDomain`. */
export interface DnsDomainConfig {
  /** Lower-case, without a dot at the end. */
  readonly name: string;
  /** IP literals of both families. */
  readonly addresses: readonly string[];
  /** Envoy's default of 300 s is filled in. */
  readonly ttlSeconds: number;
}

/** `envoy.config.listener.v3.Listener`. */
export interface ListenerConfig {
  readonly name: string;
  readonly addresses: readonly SocketAddress[];
  readonly direction: "inbound" | "outbound" | "unspecified";
  readonly statPrefix: string;
  readonly bindToPort: boolean;
  /** undefined: the runtime's own. */
  readonly tcpBacklog: number | undefined;
  readonly perConnectionBufferBytes: number;
  /** Its connections are taken also when all listeners together have as many as they may (`ignore_global_conn_limit`). */
  readonly ignoresGlobalLimit: boolean;
  readonly listenerFilters: readonly ListenerFilterConfig[];
  /** `use_original_dst`: connections whose destination was restored go to the listener of that address, if there is one. */
  readonly handsOffByDestination: boolean;
  /** 0: wait for ever; Envoy's default of 15 s is filled in. */
  readonly listenerFiltersTimeoutMs: number;
  /** After the timeout go on with what is known instead of closing. */
  readonly continueOnListenerFiltersTimeout: boolean;
  readonly filterChains: readonly FilterChainConfig[];
  readonly defaultFilterChain: FilterChainConfig | undefined;
  /** Present: it answers questions for names, by UDP and TCP, and serves no connections; `addresses` is empty. */
  readonly dns: DnsFilterConfig | undefined;
  readonly accessLogs: readonly AccessLogConfig[];
  readonly provenance: Provenance | undefined;
}
