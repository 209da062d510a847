import type { WorkloadSelector } from "../selector.ts";

/** What is read of a `PeerAuthentication` (security.istio.io). Precedence: istio.md 4.3. */
export interface PeerAuthenticationSpec {
  readonly selector?: WorkloadSelector;
  readonly mtls?: MutualTls;
  /** Keyed by the workload's own port, as text: "1" to "65535". Only with a non-empty selector. */
  readonly portLevelMtls?: Readonly<Record<string, MutualTls>>;
}

export interface MutualTls {
  /** UNSET (also when absent) inherits. */
  readonly mode?: MutualTlsMode;
}

export type MutualTlsMode = "UNSET" | "DISABLE" | "PERMISSIVE" | "STRICT";
