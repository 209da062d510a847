import type { Logger, RandomSource } from "@heddle/core";
import type { BoundCluster, ClusterConfig, EndpointsConfig } from "@heddle/engine";
import type { UpstreamTimers } from "../timers.ts";
import { DnsCluster } from "./dns-cluster.ts";
import type { ResolveName } from "./question.ts";

export interface DnsClustersOptions {
  readonly resolve: ResolveName;
  readonly timers: UpstreamTimers;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Endpoints of a cluster as its names stand now; the worker applies them like an EDS answer. */
  readonly onEndpoints: (endpoints: EndpointsConfig) => void;
  /** A name of the cluster was looked up, for the cluster's `update_*` statistics. */
  readonly onLookup?: (cluster: string, outcome: LookupOutcome) => void;
}

/** `empty`: the name has no address. */
export type LookupOutcome = "success" | "failure" | "empty";

/** Keeps the endpoints of STRICT_DNS and LOGICAL_DNS clusters. */
export class DnsClusters {
  readonly #options: DnsClustersOptions;
  readonly #resolving = new Map<string, DnsCluster>();

  constructor(options: DnsClustersOptions) {
    this.#options = options;
  }

  /** Begins with new clusters, ends those that are gone or changed. Called after each swap of the configuration. */
  update(clusters: ReadonlyMap<string, BoundCluster>): void {
    const changed = new Map<string, DnsCluster>();
    for (const [name, known] of this.#resolving) {
      if (clusters.get(name)?.config === known.config) continue;
      known.stop();
      this.#resolving.delete(name);
      changed.set(name, known);
    }
    for (const { name, config } of clusters.values()) {
      if (!isResolved(config) || this.#resolving.has(name)) continue;
      const cluster = new DnsCluster(config, this.#options, changed.get(name));
      this.#resolving.set(name, cluster);
      cluster.start();
    }
  }

  stop(): void {
    for (const cluster of this.#resolving.values()) cluster.stop();
    this.#resolving.clear();
  }
}

function isResolved({ type }: ClusterConfig): boolean {
  return type === "strict_dns" || type === "logical_dns";
}
