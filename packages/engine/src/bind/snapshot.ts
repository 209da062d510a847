import type { ClusterConfig } from "../config/cluster.ts";
import type { EndpointsConfig } from "../config/endpoints.ts";
import type { ListenerConfig } from "../config/listener.ts";
import type { RouteTableConfig } from "../config/route.ts";
import { bindCluster, type CheckedHealth } from "./cluster.ts";
import { bindListener } from "./listener.ts";
import { bindRouteTable } from "./route-table.ts";
import type { BoundCluster, BoundListener, BoundRouteTable } from "./types.ts";

/** Added or changed resources of one kind, and names that are gone. */
export interface ResourceDelta<T> {
  readonly set: readonly T[];
  readonly remove: readonly string[];
}

/**
 * A plain, structured-clonable change of configuration; absent kinds are untouched. `endpoints` are keyed by
 * `clusterName`, i.e. a cluster's `edsServiceName`; a resolver hands in what it found for a DNS cluster the same way.
 */
export interface ConfigDelta {
  readonly listeners?: ResourceDelta<ListenerConfig>;
  readonly clusters?: ResourceDelta<ClusterConfig>;
  readonly routeTables?: ResourceDelta<RouteTableConfig>;
  readonly endpoints?: ResourceDelta<EndpointsConfig>;
  /** What active checks have found, by cluster: everything that is known of each cluster named here. */
  readonly health?: ReadonlyMap<string, CheckedHealth>;
}

/** Everything that a worker knows, immutable. A request keeps the snapshot it began with. */
export interface Snapshot {
  readonly version: number;
  readonly listeners: ReadonlyMap<string, BoundListener>;
  readonly clusters: ReadonlyMap<string, BoundCluster>;
  readonly routeTables: ReadonlyMap<string, BoundRouteTable>;
  readonly endpoints: ReadonlyMap<string, EndpointsConfig>;
  readonly health: ReadonlyMap<string, CheckedHealth>;
}

/** The snapshot without any resource. */
export const emptySnapshot: Snapshot = {
  version: 0,
  listeners: new Map(),
  clusters: new Map(),
  routeTables: new Map(),
  endpoints: new Map(),
  health: new Map(),
};

/**
 * Makes the next snapshot in slices: call `step` until it says false (each step binds one resource), then read
 * `snapshot`. Objects that the delta does not touch stay identical. The configuration must come from `load/`, which has
 * checked everything that could fail here.
 */
export class SnapshotBinder {
  readonly #previous: Snapshot;
  readonly #listeners: Map<string, BoundListener>;
  readonly #clusters: Map<string, BoundCluster>;
  readonly #routeTables: Map<string, BoundRouteTable>;
  readonly #endpoints: Map<string, EndpointsConfig>;
  readonly #health: Map<string, CheckedHealth>;
  readonly #work: (() => void)[];

  constructor(previous: Snapshot, delta: ConfigDelta) {
    this.#previous = previous;
    this.#listeners = new Map(previous.listeners);
    this.#clusters = new Map(previous.clusters);
    this.#routeTables = new Map(previous.routeTables);
    this.#endpoints = new Map(previous.endpoints);
    this.#health = new Map([...previous.health, ...(delta.health ?? [])]);
    this.#work = [];
    const touched = this.#takeEndpoints(delta.endpoints);
    const clusters = new Map<string, ClusterConfig>();
    for (const name of delta.clusters?.remove ?? []) {
      this.#clusters.delete(name);
      this.#health.delete(name);
    }
    for (const { name, config } of this.#clusters.values())
      if (touched.has(config.edsServiceName) || delta.health?.has(name) === true) clusters.set(name, config);
    for (const config of delta.clusters?.set ?? []) clusters.set(config.name, config);
    for (const config of clusters.values()) this.#work.push(() => this.#bindCluster(config));
    for (const name of delta.routeTables?.remove ?? []) this.#routeTables.delete(name);
    for (const config of delta.routeTables?.set ?? []) {
      this.#work.push(() => void this.#routeTables.set(config.name, bindRouteTable(config)));
    }
    for (const name of delta.listeners?.remove ?? []) this.#listeners.delete(name);
    for (const config of delta.listeners?.set ?? []) {
      this.#work.push(() => void this.#listeners.set(config.name, bindListener(config)));
    }
    this.#work.reverse();
  }

  #takeEndpoints(delta: ResourceDelta<EndpointsConfig> | undefined): Set<string> {
    const touched = new Set<string>();
    for (const name of delta?.remove ?? []) {
      this.#endpoints.delete(name);
      touched.add(name);
    }
    for (const config of delta?.set ?? []) {
      this.#endpoints.set(config.clusterName, config);
      touched.add(config.clusterName);
    }
    return touched;
  }

  #bindCluster(config: ClusterConfig): void {
    const assigned = this.#endpoints.get(config.edsServiceName);
    const { name } = config;
    const previous = this.#previous.clusters.get(name);
    // What was found by a check that is gone says nothing of the endpoints under another one.
    if (config.healthCheck === undefined) this.#health.delete(name);
    this.#clusters.set(name, bindCluster(config, assigned, previous, this.#health.get(name)));
  }

  /** Binds one resource; false when nothing is left. */
  step(): boolean {
    this.#work.pop()?.();
    return this.#work.length > 0;
  }

  /** The finished snapshot; throws while steps are left. */
  get snapshot(): Snapshot {
    if (this.#work.length > 0) throw new Error("the snapshot is not bound yet: call step() until it returns false");
    return {
      version: this.#previous.version + 1,
      listeners: this.#listeners,
      clusters: this.#clusters,
      routeTables: this.#routeTables,
      endpoints: this.#endpoints,
      health: this.#health,
    };
  }
}

/** {@link SnapshotBinder} in one go. */
export function applyDelta(previous: Snapshot, delta: ConfigDelta): Snapshot {
  const binder = new SnapshotBinder(previous, delta);
  while (binder.step());
  return binder.snapshot;
}
