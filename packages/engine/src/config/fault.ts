import type { Fraction, HeaderMatch } from "./string-match.ts";

/** `envoy.extensions.filters.http.fault.v3.HTTPFault`: fixed delay and HTTP abort. */
export interface FaultConfig {
  readonly delay: { readonly fixedMs: number; readonly fraction: Fraction } | undefined;
  readonly abort: { readonly httpStatus: number; readonly fraction: Fraction } | undefined;
  /** All must match for the fault to be considered. */
  readonly headers: readonly HeaderMatch[];
  /** Only for requests routed to this cluster; empty: all. */
  readonly upstreamCluster: string;
  /** Faults in progress at once through this filter; undefined: no limit. */
  readonly maxActiveFaults: number | undefined;
}
