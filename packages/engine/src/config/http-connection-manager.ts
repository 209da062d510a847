import type { AccessLogConfig } from "./access-log.ts";
import type { CidrRange } from "./address.ts";
import type { HeaderKeyFormat, Http2Config } from "./cluster.ts";
import type { FaultConfig } from "./fault.ts";
import type { RbacFilterConfig } from "./rbac.ts";
import type { RouteTableConfig } from "./route.ts";

/** `heddle.v1.PeerMetadata.local`: this workload, as told to peers in `baggage` and used for metric labels. */
export interface PeerMetadata {
  readonly workload: string;
  readonly namespace: string;
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
  readonly principal: string;
}

/** One entry of `http_filters`. `name` is what `typed_per_filter_config` refers to. The router stands last. */
export type HttpFilterConfig =
  | { readonly kind: "rbac"; readonly name: string; readonly disabled: boolean; readonly rbac: RbacFilterConfig }
  | { readonly kind: "fault"; readonly name: string; readonly disabled: boolean; readonly fault: FaultConfig }
  /** `envoy.extensions.filters.http.grpc_web.v3.GrpcWeb`, which has no settings. */
  | { readonly kind: "grpc-web"; readonly name: string; readonly disabled: boolean }
  /** `heddle.v1.TunnelServer`: CONNECT becomes a connection of this listener. */
  | { readonly kind: "tunnel-server"; readonly name: string; readonly disabled: boolean; readonly listener: string }
  | {
      readonly kind: "standard-metrics";
      readonly name: string;
      readonly disabled: boolean;
      readonly reporter: "source" | "destination";
    }
  | {
      readonly kind: "peer-metadata";
      readonly name: string;
      readonly disabled: boolean;
      readonly direction: "inbound" | "outbound";
      readonly local: PeerMetadata | undefined;
    }
  | {
      readonly kind: "router";
      readonly name: string;
      readonly disabled: false;
      /** No `x-envoy-*` headers are added (`x-envoy-upstream-service-time` and its like). */
      readonly suppressEnvoyHeaders: boolean;
    };

/** Names of protocols in lower case (RFC 9110 §7.8), and `connect`, each with whether a request may be switched to it. */
export type Upgrades = ReadonlyMap<string, boolean>;

/** `envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`. A timeout of 0 is "none". */
export interface HttpConnectionManagerConfig {
  readonly statPrefix: string;
  /** `auto`: by ALPN, else by the first bytes. */
  readonly codec: "auto" | "http1" | "http2";
  /** RDS name; exactly one of this and `routeTable` is set. */
  readonly routeTableName: string | undefined;
  readonly routeTable: RouteTableConfig | undefined;
  readonly serverName: string;
  readonly serverHeader: "overwrite" | "append-if-absent" | "pass-through";
  /** `scheme_header_transformation.scheme_to_overwrite`; empty: none. */
  readonly schemeOverwrite: "" | "http" | "https";
  /** `scheme_header_transformation.match_upstream`: upstream requests have the scheme of the connection that carries them. */
  readonly schemeMatchesUpstream: boolean;
  readonly useRemoteAddress: boolean;
  readonly xffTrustedHops: number;
  readonly skipXffAppend: boolean;
  /** Value of `via` on requests and responses; empty: none. */
  readonly via: string;
  /** Ranges whose requests are internal. None by default, as in Envoy since 1.33 (explicit_internal_address_config). */
  readonly internalCidrs: readonly CidrRange[];
  readonly generateRequestId: boolean;
  readonly preserveExternalRequestId: boolean;
  readonly alwaysSetRequestIdInResponse: boolean;
  readonly forwardClientCert: "sanitize" | "forward-only" | "append-forward" | "sanitize-set" | "always-forward-only";
  readonly setCurrentClientCert: {
    readonly subject: boolean;
    readonly cert: boolean;
    readonly chain: boolean;
    readonly dns: boolean;
    readonly uri: boolean;
  };
  readonly normalizePath: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: "keep" | "reject" | "unescape-and-redirect" | "unescape-and-forward";
  readonly underscores: "allow" | "reject" | "drop";
  readonly stripPort: "none" | "matching" | "any";
  readonly stripTrailingHostDot: boolean;
  readonly appendXForwardedPort: boolean;
  readonly maxHeadBytes: number;
  readonly maxHeaders: number;
  readonly requestTimeoutMs: number;
  readonly requestHeadersTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxRequestsPerConnection: number;
  readonly maxConnectionDurationMs: number;
  readonly maxStreamDurationMs: number;
  readonly delayedCloseTimeoutMs: number;
  /** `drain_timeout`: between the two GOAWAYs of an HTTP/2 connection that ends in order. */
  readonly drainTimeoutMs: number;
  /** `proxy_100_continue`: pass 100-continue through instead of answering it here. */
  readonly proxy100Continue: boolean;
  /** `upgrade_configs`: protocols that a request may ask for by Upgrade, in lower case, each with whether it is let through. */
  readonly upgrades: Upgrades;
  readonly http1: {
    readonly acceptHttp10: boolean;
    readonly defaultHost: string;
    readonly enableTrailers: boolean;
    readonly allowAbsoluteUrl: boolean;
    readonly headerKeyFormat: HeaderKeyFormat;
  };
  readonly http2: Http2Config;
  readonly filters: readonly HttpFilterConfig[];
  readonly accessLogs: readonly AccessLogConfig[];
}
