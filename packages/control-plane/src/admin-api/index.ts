/**
 * The admin API, version 1: REST on loopback under `/api/v1`, every call but `health` and `ready` with
 * `Authorization: Bearer <token of run.json>`. The command line and the page use these types and nothing else.
 */

export interface HealthResponse {
  readonly status: "ok";
}

/** `GET /api/v1/ready`: 200 when configuration has been read and compiled once, else 503. */
export interface ReadyResponse {
  readonly ready: boolean;
  readonly waitingFor: readonly string[];
}

/** `GET /api/v1/findings` */
export interface FindingRow {
  readonly severity: "error" | "warning" | "info";
  readonly code: string;
  readonly message: string;
  readonly resource?: { readonly kind: string; readonly namespace: string; readonly name: string };
  readonly file?: string;
  readonly line?: number;
  readonly hint: string;
}

/** One accepted resource: the version in force, which may be older than what the file says now. */
export interface ResourceRow {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file: string;
  readonly line: number;
  readonly generation: number;
}

/** `GET /api/v1/resources` */
export interface ResourcesResponse {
  readonly configVersion: number;
  readonly resources: readonly ResourceRow[];
  readonly findings: readonly FindingRow[];
}

/** What a proxy has acknowledged of one resource type. */
export interface ProxyTypeRow {
  readonly type: string;
  /** Of what was sent since it connected; both are empty while nothing was, also where nothing had to be: then `isSynced` is true. */
  readonly sentVersion: string;
  readonly ackedVersion: string;
  /** It has what it should have, accepted since it connected or before. */
  readonly isSynced: boolean;
  /** Number of names it asked for, or all. */
  readonly subscribed: number | "*";
  /** Message of the last NACK; empty when the last answer was an ACK. */
  readonly lastError: string;
}

/** One proxy of `GET /api/v1/proxies`. */
export interface ProxyRow {
  readonly id: string;
  readonly identity: string;
  /** Whether the workload behind it is ready, as the registry says. */
  readonly isReady: boolean;
  readonly isConnected: boolean;
  /** Whether it has acknowledged all of the present configuration. */
  readonly isSynced: boolean;
  /** Why the control plane has no new configuration for it; empty when it has. */
  readonly problem: string;
  /** Epoch milliseconds; 0 when it never connected. */
  readonly connectedAtMs: number;
  readonly types: readonly ProxyTypeRow[];
}

export interface ProxiesResponse {
  /** Grows with every compiled change. */
  readonly configVersion: number;
  readonly proxies: readonly ProxyRow[];
}

/** `POST /api/v1/join-tokens` */
export interface JoinTokenCreateRequest {
  /** SPIFFE id within the mesh's trust domain. */
  readonly identity: string;
  /** 1 to 1000; default 1. */
  readonly uses?: number;
  /** Milliseconds, at most 24 h; default 10 minutes. */
  readonly lifeMs?: number;
}

export interface JoinTokenCreateResponse {
  readonly token: string;
  readonly identity: string;
  readonly expiresAtMs: number;
}

/** `GET /api/v1/trust-bundle`: what a proxy needs to trust the control plane before it has a certificate. */
export interface TrustBundleResponse {
  readonly trustDomain: string;
  readonly pem: string;
}

/** Body of every answer that is not 2xx. */
export interface ErrorResponse {
  readonly error: string;
  readonly hint: string;
}
