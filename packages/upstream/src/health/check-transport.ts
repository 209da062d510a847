import { type BoundCluster, type BoundEndpoint, LiveState } from "@heddle/engine";
import type { ClientTlsContext } from "@heddle/net";
import type { Dialing, DialOptions } from "../dial.ts";
import type { ExchangeSink, UpstreamExchange } from "../exchange.ts";
import type { UpstreamTimers } from "../timers.ts";
import type { ClientTlsContexts } from "../tls/client-contexts.ts";
import { PooledTransport } from "../transport.ts";

/** The checks' own connections: traffic neither waits for them nor counts them. */
export class CheckTransport {
  readonly #tls: ClientTlsContexts;
  readonly #live = new LiveState();
  readonly #pooled: PooledTransport;

  /** Begins to connect to an endpoint. */
  readonly dial: (options: DialOptions) => Dialing;

  constructor(
    timers: UpstreamTimers,
    tls: ClientTlsContexts,
    wallMs: () => number,
    dial: (options: DialOptions) => Dialing,
  ) {
    this.#tls = tls;
    this.dial = dial;
    this.#pooled = new PooledTransport({ live: this.#live, timers, tls, wallMs, dial });
  }

  open(endpoint: BoundEndpoint, cluster: BoundCluster, sink: ExchangeSink): UpstreamExchange {
    return this.#pooled.open(endpoint, cluster, sink, undefined);
  }

  tlsOf(endpoint: BoundEndpoint): { readonly context: ClientTlsContext | undefined } | { readonly reason: string } {
    if (endpoint.tls === undefined) return { context: undefined };
    const built = this.#tls.get(endpoint.tls);
    return built.ok ? { context: built.context } : { reason: built.reason };
  }

  retain(clusters: ReadonlyMap<string, BoundCluster>): void {
    this.#pooled.retain(clusters);
    this.#live.prune({ clusters });
  }

  close(): void {
    this.#pooled.close();
  }
}
