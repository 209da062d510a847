/** What is read of a `DestinationRule` (networking.istio.io). Merging rules: istio.md 4.5. Durations stay text. */
export interface DestinationRuleSpec {
  /** Short names resolve in the resource's own namespace; a leading `*.` or a lone `*` is a wildcard. */
  readonly host: string;
  readonly trafficPolicy?: TrafficPolicy;
  readonly subsets?: readonly Subset[];
  /** Only `*` (the default) is accepted so far. */
  readonly exportTo?: readonly "*"[];
}

export interface Subset {
  readonly name: string;
  /** All must be equal on an endpoint. Absent or empty: every endpoint of the host. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Replaces the top-level policy block by block. */
  readonly trafficPolicy?: TrafficPolicy;
}

/** The blocks that exist at every level. */
export interface PolicyBlocks {
  readonly loadBalancer?: LoadBalancer;
  readonly connectionPool?: ConnectionPool;
  readonly tls?: ClientTls;
}

export interface TrafficPolicy extends PolicyBlocks {
  /** For its port an entry replaces ALL blocks of the destination level; blocks it omits fall to the defaults. */
  readonly portLevelSettings?: readonly PortTrafficPolicy[];
}

export interface PortTrafficPolicy extends PolicyBlocks {
  readonly port: PortNumber;
}

export interface PortNumber {
  readonly number: number;
}

export interface LoadBalancer {
  /** UNSPECIFIED is the default, LEAST_CONN the old name of LEAST_REQUEST. */
  readonly simple?: "UNSPECIFIED" | "ROUND_ROBIN" | "LEAST_REQUEST" | "LEAST_CONN" | "RANDOM";
}

export interface ConnectionPool {
  readonly tcp?: TcpPool;
  readonly http?: HttpPool;
}

export interface TcpPool {
  readonly maxConnections?: number;
  readonly connectTimeout?: string;
  readonly tcpKeepalive?: TcpKeepalive;
}

export interface TcpKeepalive {
  readonly probes?: number;
  readonly time?: string;
  readonly interval?: string;
}

export interface HttpPool {
  readonly http1MaxPendingRequests?: number;
  readonly http2MaxRequests?: number;
  /** 0: no limit. 1 switches keep-alive off. */
  readonly maxRequestsPerConnection?: number;
  readonly maxRetries?: number;
  readonly idleTimeout?: string;
  /** Upstream connections are HTTP/1.1 so far, so both values mean the same. */
  readonly h2UpgradePolicy?: "DEFAULT" | "DO_NOT_UPGRADE";
}

export interface ClientTls {
  /** Absent means DISABLE, as Istio reads it (a warning says so). */
  readonly mode?: "DISABLE" | "SIMPLE" | "MUTUAL" | "ISTIO_MUTUAL";
  /** Replaces the SNI that would be sent. Not with DISABLE. */
  readonly sni?: string;
  /** Replaces the names the server may show. Not with DISABLE. Empty is as absent. */
  readonly subjectAltNames?: readonly string[];
  /** SIMPLE and MUTUAL. Here and below: absolute paths on the machine of the client's proxy. Absent: the machine's own trust store. */
  readonly caCertificates?: string;
  /** SIMPLE and MUTUAL. */
  readonly caCrl?: string;
  /** MUTUAL, which requires it. */
  readonly clientCertificate?: string;
  /** MUTUAL, which requires it. */
  readonly privateKey?: string;
  /** SIMPLE and MUTUAL. */
  readonly insecureSkipVerify?: boolean;
}
