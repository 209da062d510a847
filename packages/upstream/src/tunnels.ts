import { type BoundCluster, type BoundEndpoint, type ClusterConfig, LiveState } from "@heddle/engine";
import type { ClientTlsContext, SocketFailure } from "@heddle/net";
import { Dial, type Dialing, type DialOptions, type OnPeer } from "./dial.ts";
import { type DeniedPeer, OpenPeers } from "./tls/open-peers.ts";
import { PooledTransport, type PooledTransportOptions } from "./transport.ts";
import { TunnelDial } from "./tunnel-dial.ts";

const unlimited = 0xffff_ffff;

/**
 * How connections to endpoints are made: by themselves, or as streams of carriers where that is asked for and the endpoint takes them. Carriers are pooled connections
 * of HTTP/2 with accounts of their own: what limits a cluster's connections, or sheds them, concerns its streams, not what carries them.
 */
export class Tunnels {
  readonly #live = new LiveState();
  readonly #carriers: PooledTransport;
  readonly #peers: OpenPeers;
  readonly #onDirect: OnPeer;
  readonly #clusters = new WeakMap<ClusterConfig, BoundCluster>();

  constructor(options: Omit<PooledTransportOptions, "live" | "dial" | "shedsConnection">) {
    this.#peers = new OpenPeers(options.tls, options.wallMs);
    this.#onDirect = this.#onPeer(false);
    const onCarrier = this.#onPeer(true);
    const dial = (carrier: DialOptions): Dialing => new Dial(carrier, onCarrier);
    this.#carriers = new PooledTransport({ ...options, live: this.#live, dial });
  }

  dial(options: DialOptions): Dialing {
    if (!options.isTunnelled) return new Dial(options, this.#onDirect);
    const { tunnel } = options.endpoint;
    if (tunnel === undefined) return new NoTunnel(options);
    return new TunnelDial(options, {
      tunnel,
      carrierCluster: this.#carrierCluster(options.cluster),
      carriers: this.#carriers,
    });
  }

  /** Lets go of carriers to endpoints that the configuration no longer has; their streams end first. Called after each swap. */
  retain(clusters: ReadonlyMap<string, BoundCluster>): void {
    const wanted = new Map<string, BoundCluster>();
    for (const [name, cluster] of clusters) {
      const endpoints = cluster.endpoints
        .map(({ tunnel }) => tunnel?.carrier)
        .filter((carrier) => carrier !== undefined);
      if (endpoints.length > 0) wanted.set(name, { ...cluster, endpoints });
    }
    this.#carriers.retain(wanted);
    this.#live.prune({ clusters: wanted });
  }

  /** Judges the servers of all open connections by what is trusted now. Called when secrets or clusters have changed. */
  judgePeersAgain(clusters: ReadonlyMap<string, BoundCluster>, onDenied: (denied: DeniedPeer) => void): void {
    this.#peers.judgeAgain(clusters, onDenied);
  }

  #onPeer(isCarrier: boolean): OnPeer {
    return (socket, endpoint, { policy }) => this.#peers.add(socket, endpoint, isCarrier, policy);
  }

  #carrierCluster(cluster: BoundCluster): BoundCluster {
    const { config } = cluster;
    let known = this.#clusters.get(config);
    if (known !== undefined) return known;
    known = { ...cluster, config: carrierConfig(config) };
    this.#clusters.set(config, known);
    return known;
  }
}

/** A stream of a carrier to an endpoint that takes none. By itself it would be another connection than was asked for, without the carrier's TLS. */
class NoTunnel implements Dialing {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;

  constructor({ cluster, endpoint, tls, owner }: DialOptions) {
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.tls = tls;
    const text = `no carriers go to ${endpoint.address}`;
    const failure: SocketFailure = { kind: "local", code: "upstream_connect_failed", text, cause: "" };
    process.nextTick(() => owner.onDialFailed(this, failure));
  }

  /** It has failed already. */
  close(): void {}
}

function carrierConfig(config: ClusterConfig): ClusterConfig {
  return {
    ...config,
    protocol: "http2",
    http2: config.tunnel?.http2 ?? config.http2,
    maxConnectionDurationMs: config.tunnel?.maxConnectionDurationMs ?? 0,
    maxRequestsPerConnection: 0,
    limits: {
      maxConnections: unlimited,
      maxPendingRequests: unlimited,
      maxRequests: unlimited,
      maxRetries: unlimited,
    },
  };
}
