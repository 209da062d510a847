import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint, LiveState } from "@heddle/engine";
import type { Http1Limits } from "@heddle/http";
import { ByteWriter, defaultHttp1Limits } from "@heddle/http";
import type { ExchangeSink, UpstreamExchange, UpstreamTransport } from "../exchange.ts";
import type { ClientTlsContexts } from "../tls/client-contexts.ts";
import { Http1Exchange } from "./exchange.ts";
import { Http1Pool } from "./pool.ts";

/** Coarse timers of the thread that the transport runs in. */
export interface UpstreamTimers {
  /** Monotonic milliseconds. */
  now(): number;
  schedule(delayMs: number, target: TimerTarget): TimerHandle;
  cancel(handle: TimerHandle): void;
}

export interface Http1TransportOptions {
  readonly live: LiveState;
  readonly timers: UpstreamTimers;
  readonly tls: ClientTlsContexts;
  /** Epoch milliseconds: certificates are judged by wall-clock time. */
  readonly wallMs: () => number;
  readonly limits?: Http1Limits;
}

/** Carries requests over pooled HTTP/1.1 connections, in plaintext or with TLS as the endpoint's cluster says. */
export class Http1Transport implements UpstreamTransport {
  readonly #options: Http1TransportOptions;
  readonly #limits: Http1Limits;
  readonly #writer = new ByteWriter();
  readonly #pools = new Map<string, Http1Pool>();
  /** Spares the request path a key: an endpoint stays the same object until it changes. */
  #byEndpoint = new WeakMap<BoundEndpoint, Http1Pool>();

  constructor(options: Http1TransportOptions) {
    this.#options = options;
    this.#limits = options.limits ?? defaultHttp1Limits;
  }

  open(endpoint: BoundEndpoint, cluster: BoundCluster, sink: ExchangeSink): UpstreamExchange {
    const pool = this.#pool(endpoint);
    const exchange = new Http1Exchange(pool, cluster, sink);
    const built = endpoint.tls === undefined ? undefined : this.#options.tls.get(endpoint.tls);
    // Never in plaintext instead: an endpoint that wants TLS gets TLS or nothing.
    if (built?.ok === false) exchange.fail("upstream_tls_failed", `TLS error: ${built.reason}`);
    else pool.open(exchange, cluster, endpoint, built?.context);
    if (pool.isEmpty) this.#forget(pool);
    return exchange;
  }

  /** Closes what is idle towards endpoints that the configuration no longer has. Called after each swap. */
  retain(clusters: ReadonlyMap<string, BoundCluster>): void {
    const wanted = new Set<string>();
    for (const cluster of clusters.values()) for (const endpoint of cluster.endpoints) wanted.add(poolKey(endpoint));
    for (const pool of this.#pools.values()) {
      if (wanted.has(pool.key)) pool.revive();
      else pool.retire();
    }
  }

  /** Closes idle connections now and the others after their response; for draining. */
  drain(): void {
    for (const pool of this.#pools.values()) pool.retire();
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
  }

  #pool(endpoint: BoundEndpoint): Http1Pool {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known;
    const key = poolKey(endpoint);
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      const { live, timers, wallMs } = this.#options;
      pool = new Http1Pool(key, {
        live,
        timers,
        wallMs,
        limits: this.#limits,
        writer: this.#writer,
        onEmpty: (empty) => this.#forget(empty),
      });
      this.#pools.set(key, pool);
    }
    this.#byEndpoint.set(endpoint, pool);
    return pool;
  }

  /** A pool that is used again after it was forgotten would be counted by nobody: endpoints look it up anew. */
  #forget(pool: Http1Pool): void {
    if (this.#pools.get(pool.key) !== pool) return;
    this.#pools.delete(pool.key);
    this.#byEndpoint = new WeakMap();
  }
}

function poolKey(endpoint: BoundEndpoint): string {
  return `${endpoint.clusterName}\0${endpoint.key}`;
}
