import type { Provenance } from "../config/address.ts";

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
}

/** Collects the steps' reasons for `heddle explain`; undefined on the request path. */
export interface DecisionTrace {
  add(entry: TraceEntry): void;
}
