import { hasLabels } from "@heddle/api";

/** Where a policy applies. */
export interface PolicyScope {
  readonly namespace: string;
  /** Labels that a workload must have; undefined or empty: every workload of the scope. */
  readonly selector: Readonly<Record<string, string>> | undefined;
}

/**
 * In the root namespace a policy reaches into every namespace, elsewhere it stays in its own; a selector narrows it to the workloads
 * that have its labels (istio.md 4.1.2).
 */
export function selects(
  { namespace, selector }: PolicyScope,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  rootNamespace: string,
): boolean {
  if (namespace !== rootNamespace && namespace !== workload.namespace) return false;
  return hasLabels(workload.labels, selector ?? {});
}
