import type { Provenance } from "../config/address.ts";
import type { RbacConfig } from "../config/rbac.ts";

/** One thing that was considered on the way to a decision, in order. `why` is a sentence for a person. */
export interface TraceEntry {
  readonly kind:
    | "path"
    | "edge"
    | "filter"
    | "policy"
    | "virtual-host"
    | "route"
    | "cluster"
    | "endpoint"
    | "retry"
    | "fault"
    | "header"
    | "filter-chain";
  readonly name: string;
  /** Whether it applied. */
  readonly matched: boolean;
  readonly why: string;
  readonly provenance: Provenance | undefined;
  /** Of a policy that is in force, not of one in its shadow: what it does to what it matches. */
  readonly policyAction?: RbacConfig["action"] | undefined;
}

/** Collects the steps' reasons for `heddle explain`; undefined on the request path. */
export interface DecisionTrace {
  add(entry: TraceEntry): void;
}
