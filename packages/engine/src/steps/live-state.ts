import type { RandomSource } from "@heddle/core";
import type { BoundCluster, BoundEndpoint, EndpointGroup } from "../bind/types.ts";
import type { Snapshot } from "../bind/snapshot.ts";
import { OriginalDestinations } from "./original-destinations.ts";
import type { EndpointQueue } from "./endpoint-queue.ts";
import { type LimitedResource, limitedResources, type SharedCounts } from "./shared-counts.ts";

/** Live numbers of one endpoint of one cluster. */
export class EndpointState {
  readonly key: string;
  activeRequests: number;
  connections: number;
  /** Totals since this state exists, for `/clusters`. */
  requests: number;
  successes: number;
  errors: number;
  connectFailures: number;
  timeouts: number;

  constructor(key: string) {
    this.key = key;
    this.activeRequests = 0;
    this.connections = 0;
    this.requests = 0;
    this.successes = 0;
    this.errors = 0;
    this.connectFailures = 0;
    this.timeouts = 0;
  }

  get isIdle(): boolean {
    return this.activeRequests === 0 && this.connections === 0;
  }
}

/** Live numbers of one cluster. */
export class ClusterState {
  readonly name: string;
  activeRequests: number;
  pendingRequests: number;
  activeRetries: number;
  connections: number;
  /** Since this state exists, open or not. */
  connectionsMade: number;
  requests: number;
  retries: number;
  retryLimitExceeded: number;
  /** Turned away by a limit. */
  requestOverflows: number;
  pendingOverflows: number;
  retryOverflows: number;
  connectionOverflows: number;
  connectTimeouts: number;
  /** Times that an endpoint had to wait with its response for a client that takes it slowly, and that it went on. */
  readingPaused: number;
  readingResumed: number;
  /** Answers that are no HTTP, or break a limit. */
  protocolErrors: number;
  readonly endpoints: Map<string, EndpointState>;
  #shared: SharedCounts | undefined;

  constructor(name: string, shared?: SharedCounts) {
    this.name = name;
    this.activeRequests = 0;
    this.pendingRequests = 0;
    this.activeRetries = 0;
    this.connections = 0;
    this.connectionsMade = 0;
    this.requests = 0;
    this.retries = 0;
    this.retryLimitExceeded = 0;
    this.requestOverflows = 0;
    this.pendingOverflows = 0;
    this.retryOverflows = 0;
    this.connectionOverflows = 0;
    this.connectTimeouts = 0;
    this.readingPaused = 0;
    this.readingResumed = 0;
    this.protocolErrors = 0;
    this.endpoints = new Map();
    this.#shared = shared;
  }

  /** Begins, or ends, to use one of what is limited. */
  use(resource: LimitedResource, count: 1 | -1): void {
    this[resource] += count;
    this.#shared?.add(resource, count);
  }

  /** What all workers use, by which limits are judged. */
  inUse(resource: LimitedResource): number {
    return this.#shared === undefined ? this[resource] : this.#shared.total(resource);
  }

  /** What is in use is counted there from now on. */
  share(shared: SharedCounts): void {
    for (const resource of limitedResources) {
      this.#shared?.add(resource, -this[resource]);
      shared.add(resource, this[resource]);
    }
    this.#shared = shared;
  }

  get isIdle(): boolean {
    if (this.activeRequests !== 0 || this.pendingRequests !== 0 || this.activeRetries !== 0 || this.connections !== 0)
      return false;
    for (const endpoint of this.endpoints.values()) if (!endpoint.isIdle) return false;
    return true;
  }
}

/** What round robin and weighted balancing remember about one group of endpoints. */
export interface GroupState {
  next: number;
  queue: EndpointQueue | undefined;
}

/**
 * What balancing and limits remember, owned by one worker, keyed by cluster name and endpoint address, so that it
 * survives every configuration swap. Explain runs on an empty one. Limits are judged by what all workers use of a
 * cluster whose counts are shared.
 */
export class LiveState {
  /** Delays and aborts in progress. */
  activeFaults: number;
  readonly clusters: Map<string, ClusterState>;
  readonly destinations: OriginalDestinations;
  // By object, so that the request path does not hash names; both forget with the snapshot that made the objects.
  readonly #byCluster: WeakMap<BoundCluster, ClusterState>;
  readonly #byEndpoint: WeakMap<BoundEndpoint, EndpointState>;
  readonly #groups: WeakMap<EndpointGroup, GroupState>;
  readonly #shared: Map<string, SharedCounts>;

  constructor() {
    this.activeFaults = 0;
    this.clusters = new Map();
    this.destinations = new OriginalDestinations();
    this.#byCluster = new WeakMap();
    this.#byEndpoint = new WeakMap();
    this.#groups = new WeakMap();
    this.#shared = new Map();
  }

  /** What other workers use of the cluster counts from now on as well. */
  share(clusterName: string, counts: SharedCounts): void {
    this.#shared.set(clusterName, counts);
    this.clusters.get(clusterName)?.share(counts);
  }

  cluster(cluster: BoundCluster): ClusterState {
    let state = this.#byCluster.get(cluster);
    if (state === undefined) {
      state = this.#named(cluster.name);
      this.#byCluster.set(cluster, state);
    }
    return state;
  }

  endpoint(endpoint: BoundEndpoint): EndpointState {
    let state = this.#byEndpoint.get(endpoint);
    if (state === undefined) {
      const { endpoints } = this.#named(endpoint.clusterName);
      state = endpoints.get(endpoint.key);
      if (state === undefined) {
        state = new EndpointState(endpoint.key);
        endpoints.set(endpoint.key, state);
      }
      this.#byEndpoint.set(endpoint, state);
    }
    return state;
  }

  /** A group starts at a random place, so that workers and swaps do not all begin with the first endpoint. */
  group(group: EndpointGroup, random: RandomSource): GroupState {
    let state = this.#groups.get(group);
    if (state === undefined) {
      state = { next: Math.floor(random() * group.endpoints.length), queue: undefined };
      this.#groups.set(group, state);
    }
    return state;
  }

  #named(name: string): ClusterState {
    let state = this.clusters.get(name);
    if (state === undefined) {
      state = new ClusterState(name, this.#shared.get(name));
      this.clusters.set(name, state);
    }
    return state;
  }

  /** A place among the requests that wait for a connection; false: overflow, counted. Every true is released once. */
  tryAcquirePending(cluster: BoundCluster): boolean {
    const state = this.cluster(cluster);
    if (state.inUse("pendingRequests") >= cluster.config.limits.maxPendingRequests) {
      state.pendingOverflows++;
      return false;
    }
    state.use("pendingRequests", 1);
    return true;
  }

  releasePending(cluster: BoundCluster): void {
    const state = this.cluster(cluster);
    if (state.pendingRequests === 0) throw new RangeError(`no pending request of ${cluster.name} is left to release`);
    state.use("pendingRequests", -1);
  }

  /** Whether a request that finds no connection may wait for one that is made for it. Nothing is counted. */
  mayAwaitConnection(cluster: BoundCluster): boolean {
    const state = this.cluster(cluster);
    const { maxConnections, maxPendingRequests } = cluster.config.limits;
    return state.inUse("connections") < maxConnections && state.inUse("pendingRequests") < maxPendingRequests;
  }

  /** Whether the limit allows one connection more; false: overflow, counted. */
  mayConnect(cluster: BoundCluster): boolean {
    const state = this.cluster(cluster);
    if (state.inUse("connections") < cluster.config.limits.maxConnections) return true;
    state.connectionOverflows++;
    return false;
  }

  /** A new connection to an endpoint, whatever the limit is; released once. */
  acquireConnection(cluster: BoundCluster, endpoint: BoundEndpoint): void {
    const state = this.cluster(cluster);
    state.use("connections", 1);
    state.connectionsMade++;
    this.endpoint(endpoint).connections++;
  }

  releaseConnection(cluster: BoundCluster, endpoint: BoundEndpoint): void {
    const state = this.cluster(cluster);
    const own = this.endpoint(endpoint);
    if (state.connections === 0 || own.connections === 0) {
      throw new RangeError(`no connection of ${cluster.name} to ${endpoint.key} is left to release`);
    }
    state.use("connections", -1);
    own.connections--;
  }

  /** Forgets destinations of ORIGINAL_DST clusters that nobody has asked for. @returns whether there were any */
  sweepDestinations(snapshot: Snapshot, nowMs: number): boolean {
    return this.destinations.sweep(snapshot.clusters, nowMs, (endpoint) => this.endpoint(endpoint).activeRequests > 0);
  }

  /** Forgets clusters and endpoints that the snapshot no longer has and that nothing uses any more. */
  prune(snapshot: Pick<Snapshot, "clusters">): void {
    for (const name of this.#shared.keys()) if (!snapshot.clusters.has(name)) this.#shared.delete(name);
    for (const [name, state] of this.clusters) {
      const cluster = snapshot.clusters.get(name);
      if (cluster === undefined) {
        if (state.isIdle) this.clusters.delete(name);
        continue;
      }
      const endpoints = [...cluster.endpoints, ...this.destinations.of(name)];
      const present = new Set(endpoints.map((endpoint) => endpoint.key));
      for (const [key, endpoint] of state.endpoints)
        if (!present.has(key) && endpoint.isIdle) state.endpoints.delete(key);
    }
  }
}
