/** What one check of an endpoint found. */
export type ProbeOutcome =
  | { readonly kind: "healthy" }
  | { readonly kind: "degraded" }
  /**
   * - `refused`: the endpoint itself says that it must not be used; that counts at once.
   * - `retriable`: it says so in a way that counts only when it goes on (`retriable_statuses`).
   * - `network`: it could not be asked.
   * - `other-service`: it is healthy and somebody else (`service_name_matcher`).
   */
  | { readonly kind: "refused" | "retriable" | "network" | "other-service"; readonly reason: string };

/** Asks one endpoint, once at a time. */
export interface Prober {
  /** `done` is called once, later or at once, unless the probe is cancelled. */
  probe(done: (outcome: ProbeOutcome) => void): void;
  /** Nothing is heard of the probe any more. Harmless without one. */
  cancel(): void;
  /** Also gives up what was kept for the next probe. */
  close(): void;
}
