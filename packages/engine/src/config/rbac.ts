import type { CidrRange, Provenance } from "./address.ts";
import type { HeaderMatch, StringMatch } from "./string-match.ts";

/** `envoy.config.rbac.v3.Permission`: what is asked for. */
export type PermissionConfig =
  | { readonly kind: "any" }
  | { readonly kind: "and" | "or"; readonly of: readonly PermissionConfig[] }
  | { readonly kind: "not"; readonly of: PermissionConfig }
  | { readonly kind: "header"; readonly header: HeaderMatch }
  /** The path without query and fragment. */
  | { readonly kind: "url-path"; readonly match: StringMatch }
  | { readonly kind: "destination-ip"; readonly range: CidrRange }
  /** Half-open `[start, end)`. */
  | { readonly kind: "destination-port"; readonly start: number; readonly end: number }
  | { readonly kind: "requested-server-name"; readonly match: StringMatch };

/** `envoy.config.rbac.v3.Principal`: who asks. */
export type PrincipalConfig =
  | { readonly kind: "any" }
  | { readonly kind: "and" | "or"; readonly of: readonly PrincipalConfig[] }
  | { readonly kind: "not"; readonly of: PrincipalConfig }
  /** `match` undefined: any peer with a verified certificate. */
  | { readonly kind: "authenticated"; readonly match: StringMatch | undefined }
  /** The peer of the TCP connection. */
  | { readonly kind: "direct-remote-ip"; readonly range: CidrRange }
  /** The peer after trusted X-Forwarded-For hops. */
  | { readonly kind: "remote-ip"; readonly range: CidrRange }
  | { readonly kind: "header"; readonly header: HeaderMatch }
  | { readonly kind: "url-path"; readonly match: StringMatch };

/** One named policy: matches when a permission and a principal do. */
export interface RbacPolicyConfig {
  /** Istio's `ns[NS]-policy[NAME]-rule[I]`, or whatever the control plane chose. */
  readonly name: string;
  readonly permissions: readonly PermissionConfig[];
  readonly principals: readonly PrincipalConfig[];
}

/** `envoy.config.rbac.v3.RBAC`. Policies are in lexical order of name, as Envoy evaluates its map. */
export interface RbacConfig {
  readonly action: "allow" | "deny" | "log";
  readonly policies: readonly RbacPolicyConfig[];
}

/** An RBAC filter, network or HTTP. `rules` undefined: nothing is enforced. */
export interface RbacFilterConfig {
  readonly name: string;
  readonly rules: RbacConfig | undefined;
  /** Evaluated and reported, never enforced. */
  readonly shadowRules: RbacConfig | undefined;
  /** Tells the shadow decisions of several filters apart. */
  readonly shadowRulesStatPrefix: string;
  /** Network filter only. */
  readonly statPrefix: string;
  readonly provenance: Provenance | undefined;
}
