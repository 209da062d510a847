/** What circuit breakers limit, by the names of its numbers in `ClusterState`. */
export type LimitedResource = "activeRequests" | "pendingRequests" | "activeRetries" | "connections";

export const limitedResources: readonly LimitedResource[] = [
  "activeRequests",
  "pendingRequests",
  "activeRetries",
  "connections",
];

/** Numbers of one cluster that all workers of a proxy have a share in. */
export interface SharedCounts {
  add(resource: LimitedResource, count: number): void;
  /** Of all workers. */
  total(resource: LimitedResource): number;
}
