/** Selects workloads by labels: all of them must be equal. Absent or empty `matchLabels` selects every workload in scope. */
export interface WorkloadSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
}
