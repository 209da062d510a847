import type { Logger, RandomSource } from "@heddle/core";
import type { BoundCluster, CheckedHealth, LiveState } from "@heddle/engine";
import type { UpstreamTimers } from "../timers.ts";
import type { ClientTlsContexts } from "../tls/client-contexts.ts";
import { CheckTransport } from "./check-transport.ts";
import { ClusterCheck } from "./cluster-check.ts";
import type { CheckCount } from "./endpoint-check.ts";
import { Dial, type Dialing, type DialOptions } from "../dial.ts";

export interface HealthChecksOptions {
  /** Of the traffic: whether a cluster has any. */
  readonly live: LiveState;
  readonly timers: UpstreamTimers;
  readonly tls: ClientTlsContexts;
  readonly random: RandomSource;
  readonly wallMs: () => number;
  /** Begins to connect to an endpoint; by itself unless said otherwise. */
  readonly dial?: (options: DialOptions) => Dialing;
  readonly logger: Logger;
  /** Everything that is known, whenever something has changed; what changes in one turn of the event loop comes together. */
  readonly onHealth: (health: ReadonlyMap<string, CheckedHealth>) => void;
  readonly onCount: (cluster: string, what: CheckCount) => void;
}

/** Asks the endpoints of clusters that have `health_checks` how they are, and tells what that changes. */
export class HealthChecks {
  readonly #options: HealthChecksOptions;
  readonly #transport: CheckTransport;
  readonly #clusters = new Map<string, ClusterCheck>();
  #hasChanged = false;

  constructor(options: HealthChecksOptions) {
    this.#options = options;
    this.#transport = new CheckTransport(
      options.timers,
      options.tls,
      options.wallMs,
      options.dial ?? ((dial) => new Dial(dial)),
    );
  }

  /** Called after each swap of the configuration. A cluster whose check stays as it is keeps what it has found. */
  update(clusters: ReadonlyMap<string, BoundCluster>): void {
    for (const [name, known] of this.#clusters) {
      const config = clusters.get(name)?.config.healthCheck;
      if (config === known.config || (config !== undefined && JSON.stringify(config) === JSON.stringify(known.config)))
        continue;
      known.stop();
      this.#clusters.delete(name);
    }
    for (const cluster of clusters.values()) {
      const { healthCheck } = cluster.config;
      if (healthCheck === undefined) continue;
      let check = this.#clusters.get(cluster.name);
      if (check === undefined) {
        check = new ClusterCheck(cluster, healthCheck, this.#options, this.#transport, () => this.#note());
        this.#clusters.set(cluster.name, check);
      }
      check.update(cluster);
    }
    this.#transport.retain(new Map([...this.#clusters].map(([name, check]) => [name, check.asChecked()])));
  }

  /** An endpoint, by its key, has said in an answer that it is not well. Nothing happens where it is not checked. */
  failAtOnce(cluster: string, endpoint: string): void {
    this.#clusters.get(cluster)?.failAtOnce(endpoint);
  }

  stop(): void {
    for (const check of this.#clusters.values()) check.stop();
    this.#clusters.clear();
    this.#transport.close();
  }

  #note(): void {
    if (this.#hasChanged) return;
    this.#hasChanged = true;
    setImmediate(() => {
      this.#hasChanged = false;
      this.#options.onHealth(new Map([...this.#clusters].map(([name, check]) => [name, check.found])));
    });
  }
}
