import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint, LiveState } from "@heddle/engine";
import type { ClientTlsContext, StreamSocket, SocketFailure } from "@heddle/net";
import type { Dialing, DialOptions, DialOwner } from "./dial.ts";
import type { ConnectionOptions, ConnectionOwner, PooledConnection } from "./pooled-connection.ts";
import type { PooledExchange } from "./pooled-exchange.ts";
import type { ProxiedClient } from "./proxy-preface.ts";
import type { UpstreamTimers } from "./timers.ts";

export interface PoolOptions {
  /** Of the endpoint, whoever's connections these are. */
  readonly endpointKey: string;
  /** Whose connections these are, where the endpoint is told; undefined: anybody's. */
  readonly client: ProxiedClient | undefined;
  /** They are streams of carriers. */
  readonly isTunnelled: boolean;
  readonly live: LiveState;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly dial: (options: DialOptions) => Dialing;
  /** Makes a connection of a socket that is ready, by what was agreed on it. */
  readonly connect: (options: ConnectionOptions) => PooledConnection;
  /** Asked before each connection that would be made: true, and it is not (Envoy's load shed point of connection pools). */
  readonly shedsConnection: () => boolean;
  /** The pool is about to have its first connection although the cluster has as many as it may. */
  readonly makeRoomFor: (pool: Pool) => void;
  /** The pool has no connection and no waiting exchange any more. */
  readonly onEmpty: (pool: Pool) => void;
}

interface Waiting {
  readonly exchange: PooledExchange;
  readonly tls: ClientTlsContext | undefined;
}

/**
 * Connections to one endpoint of one cluster. The connection that became free last is used first, so that the others can age;
 * an exchange that finds none waits in line while one is made, and takes whichever is free first, as in Envoy.
 */
export class Pool implements ConnectionOwner, DialOwner, TimerTarget {
  readonly key: string;
  readonly #options: PoolOptions;
  /** With capacity. The last one is used next. */
  readonly #ready: PooledConnection[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #dials = new Set<Dialing>();
  readonly #connections = new Set<PooledConnection>();
  readonly #waitingBy = new Tally();
  readonly #dialingBy = new Tally();
  #idleTimer: TimerHandle | undefined;
  #isRetired = false;
  /** Whether the endpoint's last connection carried many streams: until one is made, HTTP/2 is hoped for where it may be agreed on. */
  #isMultiplexed = true;

  constructor(key: string, options: PoolOptions) {
    this.key = key;
    this.#options = options;
  }

  get endpointKey(): string {
    return this.#options.endpointKey;
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0 && this.#dials.size === 0 && this.#waiting.length === 0;
  }

  /** Gives the exchange a connection now, or a place in the line. Fails it at once when a limit says so. */
  open(
    exchange: PooledExchange,
    cluster: BoundCluster,
    endpoint: BoundEndpoint,
    tls: ClientTlsContext | undefined,
  ): void {
    const free = this.#takeReady(tls);
    if (free !== undefined) {
      free.carry(exchange);
      this.#connectAhead(tls, cluster, endpoint);
      return;
    }
    if (!this.#options.live.tryAcquirePending(cluster)) {
      exchange.fail("overflow", "");
      return;
    }
    this.#waiting.push({ exchange, tls });
    this.#waitingBy.add(tls, 1);
    if (!this.#connectFor(tls, cluster, endpoint)) {
      // Whoever was in line before it may still get what others give back.
      this.#leaveLine(this.#waiting.length - 1).fail("overflow", "");
      return;
    }
    this.#connectAhead(tls, cluster, endpoint);
  }

  /** The exchange gave up before it had a connection. One that is being made for it goes to the next, or becomes idle. */
  withdraw(exchange: PooledExchange): void {
    const index = this.#waiting.findIndex((waiting) => waiting.exchange === exchange);
    if (index < 0) return;
    this.#leaveLine(index);
    this.#reportEmpty();
  }

  /** The endpoint is gone, or the worker drains: idle connections close now, the others after their responses. */
  retire(): void {
    this.#isRetired = true;
    for (const connection of this.#ready.splice(0)) {
      connection.isListed = false;
      if (connection.activeStreams === 0) connection.close();
    }
  }

  /** Closes the connection that has been idle for longest. @returns false: none is idle */
  closeIdle(): boolean {
    const index = this.#ready.findIndex(({ activeStreams }) => activeStreams === 0);
    const connection = this.#ready[index];
    if (connection === undefined) return false;
    this.#unlist(index);
    connection.close();
    return true;
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
    for (const dial of this.#dials) dial.close();
    for (const connection of this.#connections) connection.close();
  }

  // DialOwner -------------------------------------------------------------------------------------

  onDialed(dial: Dialing, socket: StreamSocket): void {
    const { tls, cluster, endpoint } = dial;
    this.#dials.delete(dial);
    this.#dialingBy.add(tls, -1);
    const { timers, connect } = this.#options;
    const connection = connect({ socket, cluster, endpoint, tls, timers, owner: this });
    this.#connections.add(connection);
    this.#isMultiplexed = connection.capacity > 1;
    this.#lend(connection);
    // Fewer streams than were hoped for: those that still wait need connections of their own.
    if (connection.activeStreams > 0) this.#reconnectFor(tls, cluster, endpoint);
  }

  onDialFailed(dial: Dialing, failure: SocketFailure, isCountedElsewhere = false): void {
    const { tls, cluster, endpoint } = dial;
    this.#dials.delete(dial);
    this.#dialingBy.add(tls, -1);
    this.#options.live.releaseConnection(cluster, endpoint);
    // One failed connection is one failed attempt: of the exchanges that it was made for, which have waited for its kind longest.
    const failing: PooledExchange[] = [];
    for (let places = this.#streamsOf(cluster, tls); places > 0; places -= 1) {
      const first = this.#waiting.findIndex((waiting) => waiting.tls === tls);
      if (first < 0) break;
      failing.push(this.#leaveLine(first));
    }
    // Only now: who is tried again at once stands in the line for the next connection, not for this failure.
    for (const [index, exchange] of failing.entries())
      exchange.fail(failure.code, failure.text, 0, isCountedElsewhere || index > 0);
    for (const wanted of this.#waitingBy.keys()) this.#reconnectFor(wanted, cluster, endpoint);
    this.#reportEmpty();
  }

  // ConnectionOwner -----------------------------------------------------------------------------

  onConnectionFree(connection: PooledConnection): void {
    this.#lend(connection);
  }

  onConnectionClosed(connection: PooledConnection): void {
    const { cluster, endpoint } = connection;
    this.#connections.delete(connection);
    this.#options.live.releaseConnection(cluster, endpoint);
    if (connection.isListed) this.#unlist(this.#ready.indexOf(connection));
    for (const wanted of this.#waitingBy.keys()) this.#reconnectFor(wanted, cluster, endpoint);
    this.#reportEmpty();
  }

  /** Connections may have been idle long enough. */
  onTimer(): void {
    this.#idleTimer = undefined;
    const now = this.#options.timers.now();
    for (let i = this.#ready.length - 1; i >= 0; i -= 1) {
      const connection = this.#ready[i]!;
      if (connection.activeStreams > 0 || idleLeftMs(connection, now) > 0) continue;
      this.#unlist(i);
      connection.close();
    }
    this.#watchIdle(now);
  }

  #takeReady(tls: ClientTlsContext | undefined): PooledConnection | undefined {
    const ready = this.#ready;
    for (let i = ready.length - 1; i >= 0; i -= 1) {
      const connection = ready[i]!;
      // One that was made under other certificates or anchors serves its requests to the end and then no other.
      const isUsable =
        connection.tls === tls && connection.capacity > 0 && !connection.isSpent(this.#options.timers.now());
      if (!isUsable || connection.capacity === 1) this.#unlist(i);
      if (isUsable) return connection;
      if (connection.activeStreams === 0) connection.close();
    }
    return undefined;
  }

  #lend(connection: PooledConnection): void {
    const now = this.#options.timers.now();
    const isSpent = connection.isSpent(now);
    for (let places = isSpent ? 0 : connection.capacity; places > 0; places = connection.capacity) {
      const next = this.#waiting.findIndex(({ tls }) => tls === connection.tls);
      if (next < 0) break;
      connection.carry(this.#leaveLine(next));
    }
    // Kept idle it would hold a place that those who wait for another kind of connection may need.
    const isUnwanted = isSpent || this.#isRetired || this.#waiting.length > 0;
    if (isUnwanted && connection.activeStreams === 0) {
      connection.close();
      return;
    }
    if (isSpent || this.#isRetired || connection.capacity === 0 || !this.#connections.has(connection)) return;
    if (!connection.isListed) this.#ready.push(connection);
    connection.isListed = true;
    if (this.#idleTimer === undefined && connection.activeStreams === 0) this.#watchIdle(now);
  }

  #unlist(index: number): void {
    const ready = this.#ready;
    // The last one is what is taken for nearly every request.
    const connection = index === ready.length - 1 ? ready.pop() : ready.splice(index, 1)[0];
    if (connection !== undefined) connection.isListed = false;
  }

  /** Takes one exchange out of the line. */
  #leaveLine(index: number): PooledExchange {
    const [waiting] = this.#waiting.splice(index, 1);
    if (waiting === undefined) throw new RangeError("the exchange that was found is no longer there");
    this.#waitingBy.add(waiting.tls, -1);
    this.#options.live.releasePending(waiting.exchange.cluster);
    return waiting.exchange;
  }

  #watchIdle(now: number): void {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const connection of this.#ready)
      if (connection.activeStreams === 0) earliestMs = Math.min(earliestMs, idleLeftMs(connection, now));
    if (earliestMs === Number.POSITIVE_INFINITY) return;
    this.#idleTimer = this.#options.timers.schedule(Math.max(1, earliestMs), this);
  }

  /**
   * Dials until each exchange that waits for this kind has a place on its way, as far as the limit allows. Connections that many share are made
   * one after the other: whoever waits may find a place on the first.
   *
   * @returns false: one more was wanted, and load is to be shed
   */
  #connectFor(tls: ClientTlsContext | undefined, cluster: BoundCluster, endpoint: BoundEndpoint): boolean {
    const { live, shedsConnection } = this.#options;
    while (this.#dialingBy.of(tls) * this.#streamsOf(cluster, tls) < this.#waitingBy.of(tls)) {
      if (this.#dialingBy.of(tls) > 0 && this.#streamsOf(cluster, tls) > 1) return true;
      const isWithinLimit = live.mayConnect(cluster);
      if (!isWithinLimit && (this.#connections.size > 0 || this.#dials.size > 0)) return true;
      if (shedsConnection()) return false;
      // Envoy lets a host without any connection have one beyond the limit, so that no endpoint starves.
      if (!isWithinLimit) this.#options.makeRoomFor(this);
      live.acquireConnection(cluster, endpoint);
      this.#dial(tls, cluster, endpoint);
    }
    return true;
  }

  /** A connection was lost, or carries less than was hoped for. Those in line stay there while anything is left that they could get. */
  #reconnectFor(tls: ClientTlsContext | undefined, cluster: BoundCluster, endpoint: BoundEndpoint): void {
    if (this.#connectFor(tls, cluster, endpoint)) return;
    if (this.#connections.size > 0 || this.#dials.size > 0) return;
    while (this.#waiting.length > 0) this.#leaveLine(0).fail("overflow", "");
  }

  /**
   * Dials ahead of requests, so that the next ones find a connection (Envoy's ConnPoolImplBase::shouldConnect): places, used and free, are to be
   * as many times the requests as the ratio says. Only as requests come, so that an endpoint which fails is not dialled without end.
   */
  #connectAhead(tls: ClientTlsContext | undefined, cluster: BoundCluster, endpoint: BoundEndpoint): void {
    const { preconnectRatio } = cluster.config;
    if (preconnectRatio <= 1 || this.#isRetired) return;
    const { live, shedsConnection } = this.#options;
    let active = 0;
    let free = this.#dialingBy.of(tls) * this.#streamsOf(cluster, tls);
    for (const connection of this.#connections) {
      if (connection.tls !== tls) continue;
      active += connection.activeStreams;
      free += connection.capacity;
    }
    const wanted = (active + this.#waitingBy.of(tls)) * preconnectRatio - active;
    for (; free < wanted; free += this.#streamsOf(cluster, tls)) {
      if (!live.mayConnect(cluster) || shedsConnection()) return;
      live.acquireConnection(cluster, endpoint);
      this.#dial(tls, cluster, endpoint);
    }
  }

  #dial(tls: ClientTlsContext | undefined, cluster: BoundCluster, endpoint: BoundEndpoint): void {
    const { client, isTunnelled, timers, wallMs, dial } = this.#options;
    this.#dialingBy.add(tls, 1);
    this.#dials.add(dial({ cluster, endpoint, tls, isTunnelled, client, timers, wallMs, owner: this }));
  }

  /** Requests that a connection of this kind is expected to carry at once. */
  #streamsOf({ config }: BoundCluster, tls: ClientTlsContext | undefined): number {
    if (config.protocol === "http1") return 1;
    if (config.protocol === "http2") return config.http2.maxConcurrentStreams;
    return tls !== undefined && this.#isMultiplexed ? config.http2.maxConcurrentStreams : 1;
  }

  #reportEmpty(): void {
    if (this.isEmpty) this.#options.onEmpty(this);
  }
}

/** Until the cluster's idle timeout or its longest age closes an idle connection; Infinity: never. */
function idleLeftMs({ cluster, idleSinceMs, madeAtMs }: PooledConnection, now: number): number {
  const { idleTimeoutMs, maxConnectionDurationMs } = cluster.config;
  const idleLeft = idleTimeoutMs <= 0 ? Number.POSITIVE_INFINITY : idleSinceMs + idleTimeoutMs - now;
  return maxConnectionDurationMs <= 0 ? idleLeft : Math.min(idleLeft, madeAtMs + maxConnectionDurationMs - now);
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
