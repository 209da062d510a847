import type { ClusterConfig } from "../config/cluster.ts";
import type { EndpointsConfig } from "../config/endpoints.ts";
import type { ListenerConfig } from "../config/listener.ts";
import type { RouteTableConfig } from "../config/route.ts";
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
}

/** Everything that a worker knows, immutable. A request keeps the snapshot it began with. */
export interface Snapshot {
  readonly version: number;
  readonly listeners: ReadonlyMap<string, BoundListener>;
  readonly clusters: ReadonlyMap<string, BoundCluster>;
  readonly routeTables: ReadonlyMap<string, BoundRouteTable>;
  readonly endpoints: ReadonlyMap<string, EndpointsConfig>;
}

/** The snapshot without any resource. */
export declare const emptySnapshot: Snapshot;

/** A new snapshot; objects that the delta does not touch stay identical. The config must come from `load/`. */
export declare function applyDelta(previous: Snapshot, delta: ConfigDelta): Snapshot;

/** The same work in slices: call `step` until it says done (each step binds one resource), then take `snapshot`. */
export declare class SnapshotBinder {
  constructor(previous: Snapshot, delta: ConfigDelta);
  /** Binds one resource; false when nothing is left. */
  step(): boolean;
  readonly snapshot: Snapshot;
}
