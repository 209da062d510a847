import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint, LiveState } from "@heddle/engine";
import type { ByteWriter, Http1Limits } from "@heddle/http";
import type { ClientTlsContext, SocketFailure } from "@heddle/net";
import type { ConnectionOwner } from "./connection.ts";
import { Http1Connection } from "./connection.ts";
import type { Http1Exchange } from "./exchange.ts";
import type { UpstreamTimers } from "./transport.ts";

export interface PoolOptions {
  readonly live: LiveState;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly limits: Http1Limits;
  /** Shared by all pools of a thread: a message is encoded and taken within one call. */
  readonly writer: ByteWriter;
  /** The pool has no connection and no waiting exchange any more. */
  readonly onEmpty: (pool: Http1Pool) => void;
}

interface Waiting {
  readonly exchange: Http1Exchange;
  readonly tls: ClientTlsContext | undefined;
}

/**
 * Connections to one endpoint of one cluster. The connection that became idle last is used first, so that the others can age;
 * an exchange that finds none waits in line while one is made, and takes whichever is free first, as in Envoy.
 */
export class Http1Pool implements ConnectionOwner, TimerTarget {
  readonly key: string;
  readonly writer: ByteWriter;
  readonly #options: PoolOptions;
  /** Oldest first; the last one is used next. */
  readonly #idle: Http1Connection[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #connections = new Set<Http1Connection>();
  #connecting = 0;
  #idleTimer: TimerHandle | undefined;
  #isRetired = false;

  constructor(key: string, options: PoolOptions) {
    this.key = key;
    this.writer = options.writer;
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#waiting.length === 0;
  }

  /** Gives the exchange a connection now, or a place in the line. Fails it at once when a limit says so. */
  open(
    exchange: Http1Exchange,
    cluster: BoundCluster,
    endpoint: BoundEndpoint,
    tls: ClientTlsContext | undefined,
  ): void {
    const free = this.#takeIdle(tls);
    if (free !== undefined) {
      free.carry(exchange);
      return;
    }
    const { live } = this.#options;
    if (!live.tryAcquirePending(cluster)) {
      exchange.fail("overflow", "");
      return;
    }
    this.#waiting.push({ exchange, tls });
    if (this.#connecting >= this.#waiting.length) return;
    // Envoy lets a host without any connection have one beyond the limit, so that no endpoint starves.
    if (!live.tryAcquireConnection(cluster, endpoint)) {
      if (this.#connections.size > 0) return;
      live.acquireFirstConnection(cluster, endpoint);
    }
    this.#connect(cluster, endpoint, tls);
  }

  /** The exchange gave up before it had a connection. One that is being made for it goes to the next, or becomes idle. */
  withdraw(exchange: Http1Exchange): void {
    const index = this.#waiting.findIndex((waiting) => waiting.exchange === exchange);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#options.live.releasePending(exchange.cluster);
    this.#reportEmpty();
  }

  /** The endpoint is gone, or the worker drains: idle connections close now, the others after their response. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  /** The endpoint is back. */
  revive(): void {
    this.#isRetired = false;
  }

  /** Breaks everything off. */
  close(): void {
    this.#isRetired = true;
    if (this.#idleTimer !== undefined) this.#options.timers.cancel(this.#idleTimer);
    this.#idleTimer = undefined;
    for (const { exchange } of this.#waiting.splice(0)) {
      this.#options.live.releasePending(exchange.cluster);
      exchange.fail("upstream_reset", "the proxy is closing its connections");
    }
    for (const connection of this.#connections) connection.close();
  }

  // ConnectionOwner -----------------------------------------------------------------------------

  onConnectionReady(connection: Http1Connection): void {
    this.#connecting -= 1;
    this.#lend(connection);
  }

  onConnectionFree(connection: Http1Connection): void {
    this.#lend(connection);
  }

  onConnectionClosed(connection: Http1Connection, failure: SocketFailure | undefined): void {
    const { live } = this.#options;
    this.#connections.delete(connection);
    live.releaseConnection(connection.cluster, connection.endpoint);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    if (failure !== undefined) {
      this.#connecting -= 1;
      // One failed connection is one failed attempt: of the exchange that has waited longest.
      const first = this.#waiting.shift();
      if (first !== undefined) {
        live.releasePending(first.exchange.cluster);
        first.exchange.fail(failure.code, failure.text);
      }
    }
    this.#connectForWaiting(connection.cluster, connection.endpoint);
    this.#reportEmpty();
  }

  /** The connection that has been idle longest may have been so long enough. */
  onTimer(): void {
    this.#idleTimer = undefined;
    const now = this.#options.timers.now();
    for (let oldest = this.#idle[0]; oldest !== undefined; oldest = this.#idle[0]) {
      const { idleTimeoutMs } = oldest.cluster.config;
      if (idleTimeoutMs <= 0 || now - oldest.idleSinceMs < idleTimeoutMs) break;
      this.#idle.shift();
      oldest.close();
    }
    this.#watchIdle(now);
  }

  #takeIdle(tls: ClientTlsContext | undefined): Http1Connection | undefined {
    const { timers } = this.#options;
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      // One that was made under other certificates or anchors serves its request to the end and then no other.
      if (connection.tls === tls && !connection.isSpent(timers.now())) return connection;
      connection.close();
    }
    return undefined;
  }

  #lend(connection: Http1Connection): void {
    const next = this.#waiting.findIndex(({ tls }) => tls === connection.tls);
    if (next >= 0) {
      const [{ exchange } = unreachable()] = this.#waiting.splice(next, 1);
      this.#options.live.releasePending(exchange.cluster);
      connection.carry(exchange);
      return;
    }
    if (this.#isRetired) {
      connection.close();
      return;
    }
    this.#idle.push(connection);
    if (this.#idleTimer === undefined) this.#watchIdle(this.#options.timers.now());
  }

  #watchIdle(now: number): void {
    const oldest = this.#idle[0];
    if (oldest === undefined) return;
    const { idleTimeoutMs } = oldest.cluster.config;
    if (idleTimeoutMs > 0)
      this.#idleTimer = this.#options.timers.schedule(Math.max(1, oldest.idleSinceMs + idleTimeoutMs - now), this);
  }

  #connect(cluster: BoundCluster, endpoint: BoundEndpoint, tls: ClientTlsContext | undefined): void {
    const { timers, wallMs, limits } = this.#options;
    this.#connecting += 1;
    this.#connections.add(new Http1Connection({ cluster, endpoint, tls, timers, wallMs, limits, owner: this }));
  }

  /** A connection has gone and others still wait for one: under the limit they could not get one before. */
  #connectForWaiting(cluster: BoundCluster, endpoint: BoundEndpoint): void {
    const next = this.#waiting[this.#connecting];
    if (next === undefined) return;
    if (this.#options.live.tryAcquireConnection(cluster, endpoint)) this.#connect(cluster, endpoint, next.tls);
  }

  #reportEmpty(): void {
    if (this.isEmpty) this.#options.onEmpty(this);
  }
}

function unreachable(): never {
  throw new RangeError("the exchange that was found is no longer there");
}
