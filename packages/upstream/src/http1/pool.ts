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
  readonly #waitingBy = new Tally();
  readonly #connectingBy = new Tally();
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
    this.#waitingBy.add(tls, 1);
    this.#connectFor(tls, cluster, endpoint);
  }

  /** The exchange gave up before it had a connection. One that is being made for it goes to the next, or becomes idle. */
  withdraw(exchange: Http1Exchange): void {
    const index = this.#waiting.findIndex((waiting) => waiting.exchange === exchange);
    if (index < 0) return;
    this.#leaveLine(index);
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
    while (this.#waiting.length > 0) this.#leaveLine(0).fail("upstream_reset", "the proxy is closing its connections");
    for (const connection of this.#connections) connection.close();
  }

  // ConnectionOwner -----------------------------------------------------------------------------

  onConnectionReady(connection: Http1Connection): void {
    this.#connectingBy.add(connection.tls, -1);
    this.#lend(connection);
  }

  onConnectionFree(connection: Http1Connection): void {
    this.#lend(connection);
  }

  onConnectionClosed(connection: Http1Connection, failure: SocketFailure | undefined): void {
    const { tls, cluster, endpoint } = connection;
    this.#connections.delete(connection);
    this.#options.live.releaseConnection(cluster, endpoint);
    const index = this.#idle.indexOf(connection);
    if (index >= 0) this.#idle.splice(index, 1);
    if (failure !== undefined) {
      this.#connectingBy.add(tls, -1);
      // One failed connection is one failed attempt: of the exchange that has waited for its kind longest.
      const first = this.#waiting.findIndex((waiting) => waiting.tls === tls);
      if (first >= 0) this.#leaveLine(first).fail(failure.code, failure.text);
    }
    for (const wanted of this.#waitingBy.keys()) this.#connectFor(wanted, cluster, endpoint);
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
      connection.carry(this.#leaveLine(next));
      return;
    }
    // Kept idle it would hold a place that those who wait for another kind of connection may need.
    if (this.#isRetired || this.#waiting.length > 0) {
      connection.close();
      return;
    }
    this.#idle.push(connection);
    if (this.#idleTimer === undefined) this.#watchIdle(this.#options.timers.now());
  }

  /** Takes one exchange out of the line. */
  #leaveLine(index: number): Http1Exchange {
    const [waiting] = this.#waiting.splice(index, 1);
    if (waiting === undefined) throw new RangeError("the exchange that was found is no longer there");
    this.#waitingBy.add(waiting.tls, -1);
    this.#options.live.releasePending(waiting.exchange.cluster);
    return waiting.exchange;
  }

  #watchIdle(now: number): void {
    const oldest = this.#idle[0];
    if (oldest === undefined) return;
    const { idleTimeoutMs } = oldest.cluster.config;
    if (idleTimeoutMs > 0)
      this.#idleTimer = this.#options.timers.schedule(Math.max(1, oldest.idleSinceMs + idleTimeoutMs - now), this);
  }

  /** Makes connections until each exchange that waits for this kind has one on its way, as far as the limit allows. */
  #connectFor(tls: ClientTlsContext | undefined, cluster: BoundCluster, endpoint: BoundEndpoint): void {
    const { live, timers, wallMs, limits } = this.#options;
    while (this.#connectingBy.of(tls) < this.#waitingBy.of(tls)) {
      if (!live.tryAcquireConnection(cluster, endpoint)) {
        if (this.#connections.size > 0) return;
        // Envoy lets a host without any connection have one beyond the limit, so that no endpoint starves.
        live.acquireFirstConnection(cluster, endpoint);
      }
      this.#connectingBy.add(tls, 1);
      this.#connections.add(new Http1Connection({ cluster, endpoint, tls, timers, wallMs, limits, owner: this }));
    }
  }

  #reportEmpty(): void {
    if (this.isEmpty) this.#options.onEmpty(this);
  }
}

/** How many there are of each kind of connection: one kind for each TLS context, and one for plaintext. */
class Tally {
  readonly #counts = new Map<ClientTlsContext | undefined, number>();

  of(tls: ClientTlsContext | undefined): number {
    return this.#counts.get(tls) ?? 0;
  }

  add(tls: ClientTlsContext | undefined, amount: 1 | -1): void {
    const count = this.of(tls) + amount;
    if (count === 0) this.#counts.delete(tls);
    else this.#counts.set(tls, count);
  }

  keys(): (ClientTlsContext | undefined)[] {
    return [...this.#counts.keys()];
  }
}
