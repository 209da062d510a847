import type { BoundCluster, BoundEndpoint, LiveState, Snapshot } from "@heddle/engine";

export interface EndpointView {
  readonly address: string;
  readonly hostname: string;
  readonly weight: number;
  readonly priority: number;
  /** What discovery says. */
  readonly health: string;
  /** Envoy's names of what speaks against the endpoint; empty: nothing. */
  readonly healthFlags: readonly string[];
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  /** Envoy's per-host statistics: cx_active, rq_total, rq_error and so on. */
  readonly stats: Readonly<Record<string, number>>;
}

export interface ClusterView {
  readonly name: string;
  readonly addedViaApi: boolean;
  readonly limits: Readonly<Record<string, number>>;
  readonly endpoints: readonly EndpointView[];
}

/** Clusters and endpoints with their live numbers, for `/clusters`. */
export function describeClusters(snapshot: Snapshot, live: LiveState): ClusterView[] {
  return [...snapshot.clusters.values()].map((cluster) => describeCluster(cluster, live));
}

function describeCluster(cluster: BoundCluster, live: LiveState): ClusterView {
  const { maxConnections, maxPendingRequests, maxRequests, maxRetries } = cluster.config.limits;
  return {
    name: cluster.name,
    addedViaApi: false,
    limits: {
      max_connections: maxConnections,
      max_pending_requests: maxPendingRequests,
      max_requests: maxRequests,
      max_retries: maxRetries,
    },
    endpoints: [...cluster.endpoints, ...live.destinations.of(cluster.name)].map((endpoint) =>
      describeEndpoint(endpoint, live),
    ),
  };
}

function describeEndpoint(endpoint: BoundEndpoint, live: LiveState): EndpointView {
  const state = live.endpoint(endpoint);
  return {
    address: endpoint.address,
    hostname: endpoint.hostname,
    weight: endpoint.weight,
    priority: endpoint.priority,
    health: endpoint.discoveredHealth,
    healthFlags: healthFlagsOf(endpoint),
    region: endpoint.locality.region,
    zone: endpoint.locality.zone,
    subZone: endpoint.locality.subZone,
    stats: {
      cx_active: state.connections,
      cx_connect_fail: state.connectFailures,
      rq_active: state.activeRequests,
      rq_error: state.errors,
      rq_success: state.successes,
      rq_timeout: state.timeouts,
      rq_total: state.requests,
    },
  };
}

function healthFlagsOf({ activeHealth, discoveredHealth, isRemoved }: BoundEndpoint): readonly string[] {
  const flags: string[] = [];
  if (activeHealth === "failed" || activeHealth === "pending") flags.push("failed_active_hc");
  if (discoveredHealth === "unhealthy") flags.push("failed_eds_health");
  if (activeHealth === "degraded") flags.push("degraded_active_hc");
  if (discoveredHealth === "degraded") flags.push("degraded_eds_health");
  if (isRemoved) flags.push("pending_dynamic_removal");
  if (activeHealth === "pending") flags.push("pending_active_hc");
  if (discoveredHealth === "draining") flags.push("eds_status_draining");
  return flags;
}
