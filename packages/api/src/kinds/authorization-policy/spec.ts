import type { WorkloadSelector } from "../selector.ts";

/**
 * What is read of an `AuthorizationPolicy` (security.istio.io). Semantics: istio.md 4.1.
 * The annotation `istio.io/dry-run: "true"` (in `metadata.annotations`) makes it a shadow policy (4.1.10); only "true" and "false" pass.
 */
export interface AuthorizationPolicySpec {
  readonly selector?: WorkloadSelector;
  /** ALLOW when absent. */
  readonly action?: "ALLOW" | "DENY";
  /** Absent or empty never matches (ALLOW: deny all); `[{}]` matches everything. */
  readonly rules?: readonly AuthorizationRule[];
}

export interface AuthorizationRule {
  /** When present it holds at least one entry. */
  readonly from?: readonly RuleFrom[];
  /** When present it holds at least one entry. */
  readonly to?: readonly RuleTo[];
  readonly when?: readonly Condition[];
}

export interface RuleFrom {
  readonly source: Source;
}

/** Fields are AND, values of a field OR. At least one field is set and no list is empty. */
export interface Source {
  readonly principals?: readonly string[];
  readonly notPrincipals?: readonly string[];
  /** `*` anywhere. */
  readonly namespaces?: readonly string[];
  readonly notNamespaces?: readonly string[];
  /** Address or CIDR of the direct peer. */
  readonly ipBlocks?: readonly string[];
  readonly notIpBlocks?: readonly string[];
  /** Address or CIDR after X-Forwarded-For. */
  readonly remoteIpBlocks?: readonly string[];
  readonly notRemoteIpBlocks?: readonly string[];
  /** `<namespace>/<account>`, or `<account>` in the policy's namespace. Exact. */
  readonly serviceAccounts?: readonly string[];
  readonly notServiceAccounts?: readonly string[];
  /** Exact, or one `*` as prefix, suffix or alone. */
  readonly trustDomains?: readonly string[];
  readonly notTrustDomains?: readonly string[];
}

export interface RuleTo {
  readonly operation: Operation;
}

/** Fields are AND, values of a field OR. At least one field is set and no list is empty. */
export interface Operation {
  /** Matched without regard to case. */
  readonly hosts?: readonly string[];
  readonly notHosts?: readonly string[];
  /** "0" to "65535". */
  readonly ports?: readonly string[];
  readonly notPorts?: readonly string[];
  readonly methods?: readonly string[];
  readonly notMethods?: readonly string[];
  /** Exact, prefix, suffix, `*`, or a template with `{*}` and `{**}` (istio.md 4.1.5). */
  readonly paths?: readonly string[];
  readonly notPaths?: readonly string[];
}

/**
 * `key` is one of request.headers[<name>], source.ip, remote.ip, source.namespace, source.principal, source.serviceAccount,
 * source.trustDomain, destination.ip, destination.port, connection.sni. At least one of values and notValues holds an entry.
 */
export interface Condition {
  readonly key: string;
  readonly values?: readonly string[];
  readonly notValues?: readonly string[];
}
