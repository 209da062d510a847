import { isDeepStrictEqual } from "node:util";
import type {
  ClusterConfig,
  ConfigDelta,
  DownstreamTlsConfig,
  EndpointsConfig,
  ListenerConfig,
  ResourceDelta,
  RouteTableConfig,
  SecretConfig,
  SecretRef,
  UpstreamTlsConfig,
} from "@heddle/engine";
import { secretToTransfer } from "@heddle/engine/config";
import { ENDPOINT_TYPE, type ResourceType, ROUTE_TYPE, SECRET_TYPE } from "@heddle/xds/api";

/** A secret with the place that it came from: the same name may stand at several. */
export interface SourcedSecret {
  readonly source: SecretRef["source"];
  readonly secret: SecretConfig;
}

/** Accepted resources: what was set and what is gone. Absent kinds are untouched. */
export interface ResourceChange {
  readonly listeners?: ResourceDelta<ListenerConfig>;
  readonly clusters?: ResourceDelta<ClusterConfig>;
  readonly routeTables?: ResourceDelta<RouteTableConfig>;
  readonly endpoints?: ResourceDelta<EndpointsConfig>;
  readonly secrets?: {
    readonly set: readonly SourcedSecret[];
    readonly remove: readonly Pick<SecretRef, "source" | "name">[];
  };
}

/** What the workers must be told. */
export interface ActiveChange {
  readonly delta: ConfigDelta;
  readonly secrets: NonNullable<ResourceChange["secrets"]>;
}

function secretKey(ref: Pick<SecretRef, "source" | "name">): string {
  return `${ref.source}/${ref.name}`;
}

/**
 * Decides which of the accepted resources serve. As in Envoy, a cluster warms until its endpoints and secrets are there,
 * and a listener until its routes and secrets are: until then the version before it goes on serving, and a listener
 * that has none is not bound. There is no time after which half of a configuration serves (`initial_fetch_timeout: 0s`).
 */
export class ActiveConfiguration {
  readonly #listeners = new Map<string, ListenerConfig>();
  readonly #clusters = new Map<string, ClusterConfig>();
  readonly #routeTables = new Map<string, RouteTableConfig>();
  readonly #endpoints = new Map<string, EndpointsConfig>();
  readonly #secrets = new Map<string, SourcedSecret>();
  readonly #activeListeners = new Map<string, ListenerConfig>();
  readonly #activeClusters = new Map<string, ClusterConfig>();
  /** Accepted and not yet active. */
  readonly #warming = new Set<ListenerConfig | ClusterConfig>();

  get listeners(): ReadonlyMap<string, ListenerConfig> {
    return this.#activeListeners;
  }

  get clusters(): ReadonlyMap<string, ClusterConfig> {
    return this.#activeClusters;
  }

  /** Names of what does not serve yet, for the log and for readiness. */
  get warming(): { listeners: string[]; clusters: string[] } {
    const isWarming = (config: ListenerConfig | ClusterConfig): boolean => this.#warming.has(config);
    return {
      listeners: [...this.#listeners.values()].filter(isWarming).map((config) => config.name),
      clusters: [...this.#clusters.values()].filter(isWarming).map((config) => config.name),
    };
  }

  /** @param isRepetition of what a worker could not take before: it is given out although it is known here */
  apply(change: ResourceChange, isRepetition = false): ActiveChange {
    merge(this.#routeTables, change.routeTables, (table) => table.name);
    merge(this.#endpoints, change.endpoints, (endpoints) => endpoints.clusterName);
    const secrets = this.#applySecrets(change.secrets ?? { set: [], remove: [] }, isRepetition);
    this.#accept(this.#listeners, change.listeners);
    this.#accept(this.#clusters, change.clusters);
    const clusters = this.#settle(this.#clusters, this.#activeClusters, change.clusters, (config) =>
      this.#clusterMisses(config),
    );
    const listeners = this.#settle(this.#listeners, this.#activeListeners, change.listeners, (config) =>
      this.#listenerMisses(config),
    );
    return {
      delta: {
        ...(clusters === undefined ? {} : { clusters }),
        ...(change.endpoints === undefined ? {} : { endpoints: change.endpoints }),
        ...(change.routeTables === undefined ? {} : { routeTables: change.routeTables }),
        ...(listeners === undefined ? {} : { listeners }),
      },
      secrets,
    };
  }

  /** @returns what is another than before: those written inside a resource come with each version of it */
  #applySecrets({ set, remove }: ActiveChange["secrets"], isRepetition: boolean): ActiveChange["secrets"] {
    const changed = set.filter(({ source, secret }) => {
      const key = secretKey({ source, name: secret.name });
      const known = this.#secrets.get(key);
      // In the clear, as two that hide their values look alike.
      if (!isRepetition && known && isDeepStrictEqual(secretToTransfer(known.secret), secretToTransfer(secret)))
        return false;
      this.#secrets.set(key, { source, secret });
      return true;
    });
    return { set: changed, remove: remove.filter((ref) => this.#secrets.delete(secretKey(ref))) };
  }

  /** Everything that serves, for a worker that starts. */
  everything(): ActiveChange {
    return {
      delta: {
        clusters: { set: [...this.#activeClusters.values()], remove: [] },
        endpoints: { set: [...this.#endpoints.values()], remove: [] },
        routeTables: { set: [...this.#routeTables.values()], remove: [] },
        listeners: { set: [...this.#activeListeners.values()], remove: [] },
      },
      secrets: { set: [...this.#secrets.values()], remove: [] },
    };
  }

  /** Accepted, whether it serves already or warms. */
  hasCluster(name: string): boolean {
    return this.#clusters.has(name);
  }

  /** Names that the control plane was, or will be, asked for, since what serves or what warms refers to them; by type. */
  references(): Partial<Record<ResourceType, ReadonlySet<string>>> {
    const clusters = [...this.#clusters.values(), ...this.#activeClusters.values()];
    const listeners = [...this.#listeners.values(), ...this.#activeListeners.values()];
    const secrets = [...clusters.flatMap(clusterSecrets), ...listeners.flatMap(listenerSecrets)];
    return {
      [ENDPOINT_TYPE]: new Set(clusters.map(({ edsServiceName }) => edsServiceName)),
      [ROUTE_TYPE]: new Set(listeners.flatMap(routeTableNames)),
      [SECRET_TYPE]: new Set(secrets.filter(({ source }) => source === "ads").map(({ name }) => name)),
    };
  }

  hasSecret(ref: Pick<SecretRef, "source" | "name">): boolean {
    return this.#secrets.has(secretKey(ref));
  }

  get secrets(): Iterable<SourcedSecret> {
    return this.#secrets.values();
  }

  #accept<T extends ListenerConfig | ClusterConfig>(wanted: Map<string, T>, delta: ResourceDelta<T> | undefined): void {
    for (const config of delta?.set ?? []) {
      this.#forgetWarming(wanted.get(config.name));
      wanted.set(config.name, config);
      this.#warming.add(config);
    }
    for (const name of delta?.remove ?? []) {
      this.#forgetWarming(wanted.get(name));
      wanted.delete(name);
    }
  }

  #forgetWarming(config: ListenerConfig | ClusterConfig | undefined): void {
    if (config !== undefined) this.#warming.delete(config);
  }

  #settle<T extends ListenerConfig | ClusterConfig>(
    wanted: Map<string, T>,
    active: Map<string, T>,
    delta: ResourceDelta<T> | undefined,
    misses: (config: T) => boolean,
  ): ResourceDelta<T> | undefined {
    const set: T[] = [];
    for (const config of wanted.values()) {
      if (!this.#warming.has(config) || misses(config)) continue;
      this.#warming.delete(config);
      active.set(config.name, config);
      set.push(config);
    }
    const remove = (delta?.remove ?? []).filter((name) => active.delete(name));
    return set.length === 0 && remove.length === 0 ? undefined : { set, remove };
  }

  #clusterMisses(cluster: ClusterConfig): boolean {
    if (cluster.type === "eds" && !this.#endpoints.has(cluster.edsServiceName)) return true;
    return clusterSecrets(cluster).some((ref) => !this.hasSecret(ref));
  }

  #listenerMisses(listener: ListenerConfig): boolean {
    if (routeTableNames(listener).some((name) => !this.#routeTables.has(name))) return true;
    return listenerSecrets(listener).some((ref) => !this.hasSecret(ref));
  }
}

function merge<T>(map: Map<string, T>, delta: ResourceDelta<T> | undefined, nameOf: (config: T) => string): void {
  for (const config of delta?.set ?? []) map.set(nameOf(config), config);
  for (const name of delta?.remove ?? []) map.delete(name);
}

function chainsOf(listener: ListenerConfig): ListenerConfig["filterChains"] {
  return listener.defaultFilterChain === undefined
    ? listener.filterChains
    : [...listener.filterChains, listener.defaultFilterChain];
}

function routeTableNames(listener: ListenerConfig): string[] {
  return chainsOf(listener).flatMap((chain) =>
    chain.terminal.kind === "http" && chain.terminal.http.routeTableName !== undefined
      ? [chain.terminal.http.routeTableName]
      : [],
  );
}

function listenerSecrets(listener: ListenerConfig): SecretRef[] {
  return chainsOf(listener).flatMap((chain) => tlsSecrets(chain.tls));
}

function clusterSecrets(cluster: ClusterConfig): SecretRef[] {
  return [cluster.transport.default, ...cluster.transport.matches.map((match) => match.tls)].flatMap((tls) =>
    tlsSecrets(tls),
  );
}

/** The secrets that a TLS context refers to: certificate and trust anchors. */
function tlsSecrets(tls: DownstreamTlsConfig | UpstreamTlsConfig | undefined): SecretRef[] {
  if (tls === undefined) return [];
  const refs: SecretRef[] = [];
  if (tls.common.certificate !== undefined) refs.push(tls.common.certificate);
  const anchors = tls.common.validation?.trustedCa;
  if (anchors !== undefined && "name" in anchors) refs.push(anchors);
  return refs;
}
