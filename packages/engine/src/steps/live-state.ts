import type { BoundCluster, BoundEndpoint } from "../bind/types.ts";
import type { Snapshot } from "../bind/snapshot.ts";

/** Live numbers of one endpoint of one cluster. */
export interface EndpointState {
  readonly key: string;
  activeRequests: number;
  connections: number;
  /** Totals since this state exists, for `/clusters`. */
  requests: number;
  successes: number;
  errors: number;
  connectFailures: number;
  timeouts: number;
}

/** Live numbers of one cluster. */
export interface ClusterState {
  readonly name: string;
  activeRequests: number;
  pendingRequests: number;
  activeRetries: number;
  connections: number;
  requests: number;
  retries: number;
  /** Requests or retries turned away by a limit. */
  requestOverflows: number;
  pendingOverflows: number;
  retryOverflows: number;
  connectionOverflows: number;
}

/**
 * What balancing and limits remember, owned by one worker, keyed by cluster name and endpoint address, so that it
 * survives every configuration swap. Explain runs on an empty one.
 */
export declare class LiveState {
  constructor();
  cluster(cluster: BoundCluster): ClusterState;
  endpoint(endpoint: BoundEndpoint): EndpointState;
  /** Limits that the upstream pools ask for: false means overflow (counted). Every true is released exactly once. */
  tryAcquirePending(cluster: BoundCluster): boolean;
  releasePending(cluster: BoundCluster): void;
  tryAcquireConnection(cluster: BoundCluster, endpoint: BoundEndpoint): boolean;
  releaseConnection(cluster: BoundCluster, endpoint: BoundEndpoint): void;
  activeFaults: number;
  /** Forgets clusters and endpoints that the snapshot no longer has and that nothing uses any more. */
  prune(snapshot: Snapshot): void;
}
