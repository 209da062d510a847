import { bindDestination } from "../bind/cluster.ts";
import type { ConnectionView } from "../bind/connection.ts";
import { canonicalIp, formatHostPort } from "../bind/ip-address.ts";
import type { MutableHeaders } from "../bind/headers.ts";
import type { BoundCluster, BoundEndpoint } from "../bind/types.ts";
import type { SocketAddress } from "../config/address.ts";
import type { ClusterConfig } from "../config/cluster.ts";

/** Of one cluster; beyond it a destination has no endpoint. */
const maxDestinations = 16_384;

interface Destination {
  readonly endpoint: BoundEndpoint;
  wasUsed: boolean;
}

/** Endpoints of ORIGINAL_DST clusters, made for the connections that want them and forgotten when nobody has for a while. */
export class OriginalDestinations {
  readonly #clusters = new Map<string, { config: ClusterConfig; byKey: Map<string, Destination>; sweptAtMs: number }>();

  /** undefined: there are too many. */
  endpoint(cluster: BoundCluster, address: SocketAddress): BoundEndpoint | undefined {
    let known = this.#clusters.get(cluster.name);
    if (known === undefined || known.config !== cluster.config) {
      known = { config: cluster.config, byKey: new Map(), sweptAtMs: Number.NEGATIVE_INFINITY };
      this.#clusters.set(cluster.name, known);
    }
    const key = formatHostPort(address.host, address.port);
    const found = known.byKey.get(key);
    if (found !== undefined) {
      found.wasUsed = true;
      return found.endpoint;
    }
    if (known.byKey.size >= maxDestinations) return undefined;
    const endpoint = bindDestination(cluster, address);
    known.byKey.set(key, { endpoint, wasUsed: true });
    return endpoint;
  }

  of(cluster: string): BoundEndpoint[] {
    return [...(this.#clusters.get(cluster)?.byKey.values() ?? [])].map(({ endpoint }) => endpoint);
  }

  /**
   * Forgets what was not asked for since the sweep before, each cluster in its own time, and clusters that are gone (Envoy's `cleanup_interval`).
   *
   * @returns whether any was
   */
  sweep(
    clusters: ReadonlyMap<string, BoundCluster>,
    nowMs: number,
    isBusy: (endpoint: BoundEndpoint) => boolean,
  ): boolean {
    let isSwept = false;
    for (const [name, known] of this.#clusters) {
      if (clusters.get(name)?.config.type !== "original_dst") {
        this.#clusters.delete(name);
        isSwept = true;
        continue;
      }
      if (nowMs - known.sweptAtMs < known.config.originalDestination.cleanupMs) continue;
      known.sweptAtMs = nowMs;
      for (const [key, destination] of known.byKey) {
        if (!destination.wasUsed && !isBusy(destination.endpoint)) {
          known.byKey.delete(key);
          isSwept = true;
        }
        destination.wasUsed = false;
      }
    }
    return isSwept;
  }
}

/**
 * Where a request or connection wants to go: what the header says, where one is looked at and it is an address, else where the connection was
 * meant to go before it came here. undefined: it came here on purpose.
 */
export function originalDestination(
  { originalDestination: config }: ClusterConfig,
  connection: ConnectionView,
  headers: MutableHeaders | undefined,
): SocketAddress | undefined {
  const named = config.header === "" ? undefined : headers?.get(config.header);
  const address =
    (named === undefined ? undefined : readAddress(named)) ??
    (connection.isDestinationRestored ? connection.localAddress : undefined);
  return address === undefined || config.portOverride === 0 ? address : { ...address, port: config.portOverride };
}

/** `10.0.0.1:80` or `[::1]:80`. */
function readAddress(text: string): SocketAddress | undefined {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = canonicalIp(v6 ?? v4 ?? "");
  const number = Number(port);
  return host === undefined || !(number >= 1 && number <= 65_535) ? undefined : { host, port: number };
}
