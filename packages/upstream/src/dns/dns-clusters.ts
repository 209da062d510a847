import type { Logger, RandomSource, TimerHandle } from "@heddle/core";
import type {
  BoundCluster,
  ClusterConfig,
  EndpointConfig,
  EndpointsConfig,
  LocalityEndpointsConfig,
} from "@heddle/engine";
import { isIP } from "node:net";
import type { UpstreamTimers } from "../timers.ts";

/** What a name stands for now. */
export interface ResolvedName {
  /** IP literals in the order of preference. Never empty. */
  readonly addresses: readonly string[];
  /** Undefined when the resolver does not tell. */
  readonly ttlMs: number | undefined;
}

/** Looks a name up; rejects when it has no address or the look-up failed. */
export type ResolveName = (host: string, family: ClusterConfig["dns"]["family"]) => Promise<ResolvedName>;

export interface DnsClustersOptions {
  readonly resolve: ResolveName;
  readonly timers: UpstreamTimers;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Endpoints of a cluster as its names stand now; the worker applies them like an EDS answer. */
  readonly onEndpoints: (endpoints: EndpointsConfig) => void;
}

/**
 * Keeps the endpoints of STRICT_DNS and LOGICAL_DNS clusters. Names are asked for again after `dns_refresh_rate`, or after
 * their time to live where the cluster respects it. A look-up that fails changes nothing and is tried again with
 * back-off: an answer that was good is better than none (Envoy, "Service discovery", keeps the last successful one).
 */
export class DnsClusters {
  readonly #options: DnsClustersOptions;
  readonly #resolving = new Map<string, DnsCluster>();

  constructor(options: DnsClustersOptions) {
    this.#options = options;
  }

  /** Begins with new clusters, ends those that are gone or changed. Called after each swap of the configuration. */
  update(clusters: ReadonlyMap<string, BoundCluster>): void {
    for (const [name, known] of this.#resolving) {
      if (clusters.get(name)?.config === known.config) continue;
      known.stop();
      this.#resolving.delete(name);
    }
    for (const { name, config } of clusters.values()) {
      if ((config.type !== "strict_dns" && config.type !== "logical_dns") || this.#resolving.has(name)) continue;
      const cluster = new DnsCluster(config, this.#options);
      this.#resolving.set(name, cluster);
      cluster.resolve();
    }
  }

  stop(): void {
    for (const cluster of this.#resolving.values()) cluster.stop();
    this.#resolving.clear();
  }
}

class DnsCluster {
  readonly config: ClusterConfig;
  readonly #options: DnsClustersOptions;
  readonly #answers = new Map<string, readonly string[]>();
  #timer: TimerHandle | undefined;
  #failures = 0;
  #isStopped = false;

  constructor(config: ClusterConfig, options: DnsClustersOptions) {
    this.config = config;
    this.#options = options;
  }

  resolve(): void {
    void this.#resolveAll();
  }

  onTimer(): void {
    this.#timer = undefined;
    this.resolve();
  }

  stop(): void {
    this.#isStopped = true;
    if (this.#timer !== undefined) this.#options.timers.cancel(this.#timer);
  }

  async #resolveAll(): Promise<void> {
    const { resolve, logger, timers } = this.#options;
    const { dns, name, inlineEndpoints } = this.config;
    const hosts = new Set(
      (inlineEndpoints?.localities ?? []).flatMap(({ endpoints }) => endpoints.map(({ address }) => address.host)),
    );
    let ttlMs = Number.POSITIVE_INFINITY;
    let hasFailed = false;
    for (const host of hosts) {
      if (isIP(host) !== 0) {
        this.#answers.set(host, [host]);
        continue;
      }
      try {
        const answer = await resolve(host, dns.family);
        this.#answers.set(host, this.config.type === "logical_dns" ? answer.addresses.slice(0, 1) : answer.addresses);
        ttlMs = Math.min(ttlMs, answer.ttlMs ?? Number.POSITIVE_INFINITY);
      } catch (error) {
        hasFailed = true;
        const kept = this.#answers.has(host) ? "the last answer stays in use" : "the cluster has no endpoint for it";
        logger.warn(`the name ${host} cannot be resolved: ${kept}`, { cluster: name, error: String(error) });
      }
    }
    if (this.#isStopped) return;
    if (this.#answers.size > 0) this.#options.onEndpoints(this.#endpoints());
    this.#timer = timers.schedule(this.#nextMs(hasFailed, ttlMs), this);
  }

  /** Back-off with full jitter after a failure; else the refresh rate, or the names' own time to live. */
  #nextMs(hasFailed: boolean, ttlMs: number): number {
    const { dns } = this.config;
    if (!hasFailed) {
      this.#failures = 0;
      return dns.respectTtl && Number.isFinite(ttlMs) ? Math.max(ttlMs, 1) : dns.refreshMs;
    }
    const limit = Math.min(dns.failureBaseMs * 2 ** this.#failures++, dns.failureMaxMs);
    return Math.max(1, limit * this.#options.random());
  }

  #endpoints(): EndpointsConfig {
    const { inlineEndpoints, edsServiceName } = this.config;
    const localities = (inlineEndpoints?.localities ?? []).map(
      (locality): LocalityEndpointsConfig => ({
        ...locality,
        endpoints: locality.endpoints.flatMap((endpoint) => this.#expand(endpoint)),
      }),
    );
    return {
      clusterName: edsServiceName,
      localities,
      overprovisioningFactor: inlineEndpoints?.overprovisioningFactor ?? 140,
    };
  }

  /** One endpoint for each address of its name; the name stays the host name, for `auto` host rewriting. */
  #expand(endpoint: EndpointConfig): EndpointConfig[] {
    const { address, hostname } = endpoint;
    return (this.#answers.get(address.host) ?? []).map((host) => ({
      ...endpoint,
      address: { host, port: address.port },
      hostname: hostname === "" ? address.host : hostname,
    }));
  }
}
