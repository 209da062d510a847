import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint, LiveState } from "@heddle/engine";
import type { StreamSocket, SocketFailure } from "@heddle/net";
import type { Dialing, DialOptions, DialOwner } from "./dial.ts";
import {
  type ConnectionKind,
  type ConnectionOptions,
  type ConnectionOwner,
  isSameKind,
  type PooledConnection,
} from "./pooled-connection.ts";
import type { PooledExchange } from "./pooled-exchange.ts";
import type { ProxiedClient } from "./proxy-preface.ts";
import type { UpstreamTimers } from "./timers.ts";

export interface PoolOptions {
  /** Of the endpoint, whoever's connections these are. */
  readonly endpointKey: string;
  /** Whose connections these are, where the endpoint is told; undefined: anybody's. */
  readonly client: ProxiedClient | undefined;
  readonly live: LiveState;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly dial: (options: DialOptions) => Dialing;
  /** Makes a connection of a socket that is ready, by what was agreed on it. */
  readonly connect: (options: ConnectionOptions) => PooledConnection;
  /** Asked before each connection that would be made: true, and it is not (Envoy's load shed point of connection pools). */
  readonly shedsConnection: () => boolean;
  /** What would carry a request to the endpoint as well: inside a carrier or by itself, whichever the first kind is not; undefined: nothing. */
  readonly otherKind: (
    kind: ConnectionKind,
    cluster: BoundCluster,
    endpoint: BoundEndpoint,
  ) => ConnectionKind | undefined;
  /** The pool is about to have its first connection although the cluster has as many as it may. */
  readonly makeRoomFor: (pool: Pool) => void;
  /** The pool has no connection and no waiting exchange any more. */
  readonly onEmpty: (pool: Pool) => void;
}

interface Waiting {
  readonly exchange: PooledExchange;
  /** As it was configured when the exchange came: connections of the pool may be to an older one, which could be reached in another way. */
  readonly endpoint: BoundEndpoint;
  /** A connection of this kind is made for it. */
  readonly kind: ConnectionKind;
  /** One of this kind is taken if it is free first. */
  readonly other: ConnectionKind | undefined;
}

/**
 * Connections to one endpoint of one cluster, by themselves and inside carriers. The connection that became free last is used first, so that the
 * others can age; an exchange that finds none waits in line while one is made, and takes whichever is free first, as in Envoy. Where the cluster
 * may have no connection more, it takes one of the other kind rather than wait.
 */
export class Pool implements ConnectionOwner, DialOwner, TimerTarget {
  readonly key: string;
  readonly #options: PoolOptions;
  /** With capacity, by themselves. The last one is used next. */
  readonly #ready: PooledConnection[] = [];
  /** With capacity, inside carriers. */
  readonly #readyTunnelled: PooledConnection[] = [];
  readonly #waiting: Waiting[] = [];
  readonly #dials = new Map<Dialing, ConnectionKind>();
  readonly #connections = new Set<PooledConnection>();
  readonly #waitingBy = new Tally();
  readonly #dialingBy = new Tally();
  /** What the last request wanted, by itself and inside a carrier: connections of the same sort and of other TLS are of older certificates or anchors. */
  #newest: ConnectionKind | undefined;
  #newestTunnelled: ConnectionKind | undefined;
  #idleTimer: TimerHandle | undefined;
  #isRetired = false;
  /** Whether the endpoint's last connection by itself carried many streams: until one is made, HTTP/2 is hoped for where it may be agreed on. */
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
  open(exchange: PooledExchange, cluster: BoundCluster, endpoint: BoundEndpoint, kind: ConnectionKind): void {
    if (kind.isTunnelled) this.#newestTunnelled = kind;
    else this.#newest = kind;
    if (this.#carry(exchange, kind)) return this.#connectAhead(kind, exchange, endpoint);
    const { live, otherKind } = this.#options;
    const other = otherKind(kind, cluster, endpoint);
    if (!live.mayAwaitConnection(cluster) && this.#carry(exchange, other)) return;
    if (!live.tryAcquirePending(cluster)) {
      exchange.fail("overflow", "");
      return;
    }
    this.#waiting.push({ exchange, endpoint, kind, other });
    this.#waitingBy.add(kind, 1);
    if (this.#connectFor(kind, exchange, endpoint)) return this.#connectAhead(kind, exchange, endpoint);
    // Whoever was in line before it may still get what others give back.
    this.#leaveLine(this.#waiting.length - 1);
    if (!this.#carry(exchange, other)) exchange.fail("overflow", "");
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
    for (const connection of [...this.#ready.splice(0), ...this.#readyTunnelled.splice(0)]) {
      connection.isListed = false;
      if (connection.activeStreams === 0) connection.close();
    }
  }

  /** Closes the connection that has been idle for longest. @returns false: none is idle */
  closeIdle(): boolean {
    const [one, other] = [this.#ready.find(isIdle), this.#readyTunnelled.find(isIdle)];
    const connection = one === undefined || (other && other.idleSinceMs < one.idleSinceMs) ? other : one;
    if (connection === undefined) return false;
    this.#unlist(connection);
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
    for (const dial of this.#dials.keys()) dial.close();
    for (const connection of this.#connections) connection.close();
  }

  // DialOwner -------------------------------------------------------------------------------------

  onDialed(dial: Dialing, socket: StreamSocket): void {
    const { cluster, endpoint } = dial;
    const kind = this.#endDial(dial);
    const { timers, connect } = this.#options;
    const connection = connect({ ...kind, socket, cluster, endpoint, timers, owner: this });
    this.#connections.add(connection);
    if (!kind.isTunnelled) this.#isMultiplexed = connection.capacity > 1;
    this.#lend(connection, true);
    // Fewer streams than were hoped for: those that still wait need connections of their own.
    if (connection.activeStreams > 0) this.#reconnectFor(kind);
  }

  onDialFailed(dial: Dialing, failure: SocketFailure, isCountedElsewhere = false): void {
    const { cluster, endpoint } = dial;
    const kind = this.#endDial(dial);
    this.#options.live.releaseConnection(cluster, endpoint);
    // One failed connection is one failed attempt: of the exchanges that it was made for, which have waited for its kind longest.
    const failing: PooledExchange[] = [];
    for (let places = this.#streamsOf(cluster, kind); places > 0; places -= 1) {
      const first = this.#waiting.findIndex((waiting) => isSameKind(waiting.kind, kind));
      if (first < 0) break;
      failing.push(this.#leaveLine(first));
    }
    // Only now: who is tried again at once stands in the line for the next connection, not for this failure.
    for (const [index, exchange] of failing.entries())
      exchange.fail(failure.code, failure.text, 0, isCountedElsewhere || index > 0);
    for (const wanted of this.#waitingBy.keys()) this.#reconnectFor(wanted);
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
    if (connection.isListed) this.#unlist(connection);
    for (const wanted of this.#waitingBy.keys()) this.#reconnectFor(wanted);
    this.#reportEmpty();
  }

  /** Connections may have been idle long enough. */
  onTimer(): void {
    this.#idleTimer = undefined;
    const now = this.#options.timers.now();
    for (const connection of [...this.#ready, ...this.#readyTunnelled]) {
      if (connection.activeStreams > 0 || idleLeftMs(connection, now) > 0) continue;
      this.#unlist(connection);
      connection.close();
    }
    this.#watchIdle(now);
  }

  /** @returns false: none of this kind is ready */
  #carry(exchange: PooledExchange, kind: ConnectionKind | undefined): boolean {
    const free = kind === undefined ? undefined : this.#takeReady(kind);
    free?.carry(exchange);
    return free !== undefined;
  }

  #takeReady(kind: ConnectionKind): PooledConnection | undefined {
    const ready = this.#readyOf(kind);
    for (let i = ready.length - 1; i >= 0; i -= 1) {
      const connection = ready[i]!;
      // One that was made under other certificates or anchors serves its requests to the end and then no other.
      const isUsable =
        connection.tls === kind.tls && connection.capacity > 0 && !connection.isSpent(this.#options.timers.now());
      if (!isUsable || connection.capacity === 1) this.#unlist(connection);
      if (isUsable) return connection;
      if (connection.activeStreams === 0) connection.close();
    }
    return undefined;
  }

  /** @param isNew it serves one exchange even when it is spent, as what is inside a carrier of one request is: the next would be no better */
  #lend(connection: PooledConnection, isNew = false): void {
    const now = this.#options.timers.now();
    const isSpent = connection.isSpent(now);
    const mostPlaces = isSpent ? Number(isNew) : Number.POSITIVE_INFINITY;
    for (let lent = 0; lent < mostPlaces && connection.capacity > 0; lent += 1) {
      const next = this.#waiting.findIndex((waiting) => isFor(waiting, connection));
      if (next < 0) break;
      connection.carry(this.#leaveLine(next));
    }
    // Kept idle it would hold a place that those who wait for another kind of connection may need.
    const isOver = isSpent || this.#isRetired || this.#isOutdated(connection);
    if ((isOver || this.#waiting.length > 0) && connection.activeStreams === 0) {
      connection.close();
      return;
    }
    if (isOver || connection.capacity === 0 || !this.#connections.has(connection)) return;
    if (!connection.isListed) this.#readyOf(connection).push(connection);
    connection.isListed = true;
    if (this.#idleTimer === undefined && connection.activeStreams === 0) this.#watchIdle(now);
  }

  #isOutdated({ isTunnelled, tls }: ConnectionKind): boolean {
    const newest = isTunnelled ? this.#newestTunnelled : this.#newest;
    return newest !== undefined && newest.tls !== tls;
  }

  #readyOf({ isTunnelled }: ConnectionKind): PooledConnection[] {
    return isTunnelled ? this.#readyTunnelled : this.#ready;
  }

  /** Only one that is listed. */
  #unlist(connection: PooledConnection): void {
    const ready = this.#readyOf(connection);
    connection.isListed = false;
    // The last one is what is taken for nearly every request.
    if (ready.at(-1) === connection) ready.pop();
    else ready.splice(ready.indexOf(connection), 1);
  }

  /** Takes one exchange out of the line. */
  #leaveLine(index: number): PooledExchange {
    const [waiting] = this.#waiting.splice(index, 1);
    if (waiting === undefined) throw new RangeError("the exchange that was found is no longer there");
    this.#waitingBy.add(waiting.kind, -1);
    this.#options.live.releasePending(waiting.exchange.cluster);
    return waiting.exchange;
  }

  #watchIdle(now: number): void {
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const ready of [this.#ready, this.#readyTunnelled])
      for (const connection of ready)
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
  #connectFor(kind: ConnectionKind, exchange: PooledExchange, endpoint: BoundEndpoint): boolean {
    const { live, shedsConnection } = this.#options;
    const { cluster } = exchange;
    while (this.#dialingBy.of(kind) * this.#streamsOf(cluster, kind) < this.#waitingBy.of(kind)) {
      if (this.#dialingBy.of(kind) > 0 && this.#streamsOf(cluster, kind) > 1) return true;
      const isWithinLimit = live.mayConnect(cluster);
      // One that is idle is of no use to whoever waits here, and holds a place: what follows its end is a connection that is.
      if (!isWithinLimit && (this.closeIdle() || this.#mayBecomeFree(kind))) return true;
      if (shedsConnection()) return false;
      // Envoy lets a host without any connection have one beyond the limit, so that no endpoint starves. Those that serve the rest of their requests
      // under older certificates or anchors are none to whoever comes now.
      if (!isWithinLimit) this.#options.makeRoomFor(this);
      live.acquireConnection(cluster, endpoint);
      this.#dial(kind, exchange, endpoint);
    }
    return true;
  }

  /** Whether there is anything, open or on its way, that those who wait for this kind could get. */
  #mayBecomeFree(kind: ConnectionKind): boolean {
    const waiting = this.#waiting.filter((one) => isSameKind(one.kind, kind));
    return [...this.#connections, ...this.#dials.values()].some((open) => waiting.some((one) => isFor(one, open)));
  }

  /** A connection was lost, or carries less than was hoped for. Those in line stay there while anything is left that they could get. */
  #reconnectFor(kind: ConnectionKind): void {
    const first = this.#waiting.find((waiting) => isSameKind(waiting.kind, kind));
    if (first === undefined || this.#connectFor(kind, first.exchange, first.endpoint)) return;
    if (this.#connections.size > 0 || this.#dials.size > 0) return;
    while (this.#waiting.length > 0) this.#leaveLine(0).fail("overflow", "");
  }

  /**
   * Dials ahead of requests, so that the next ones find a connection (Envoy's ConnPoolImplBase::shouldConnect): places, used and free, are to be
   * as many times the requests as the ratio says. Only as requests come, so that an endpoint which fails is not dialled without end.
   */
  #connectAhead(kind: ConnectionKind, exchange: PooledExchange, endpoint: BoundEndpoint): void {
    const { cluster } = exchange;
    const { preconnectRatio } = cluster.config;
    if (preconnectRatio <= 1 || this.#isRetired) return;
    const { live, shedsConnection } = this.#options;
    let active = 0;
    let free = this.#dialingBy.of(kind) * this.#streamsOf(cluster, kind);
    for (const connection of this.#connections) {
      if (!isSameKind(connection, kind)) continue;
      active += connection.activeStreams;
      free += connection.capacity;
    }
    const wanted = (active + this.#waitingBy.of(kind)) * preconnectRatio - active;
    for (; free < wanted; free += this.#streamsOf(cluster, kind)) {
      if (!live.mayConnect(cluster) || shedsConnection()) return;
      live.acquireConnection(cluster, endpoint);
      this.#dial(kind, exchange, endpoint);
    }
  }

  /** Only with a place for the connection. */
  #dial(kind: ConnectionKind, { cluster, sink }: PooledExchange, endpoint: BoundEndpoint): void {
    const { client, timers, wallMs, dial } = this.#options;
    this.#dialingBy.add(kind, 1);
    const { announcement } = sink;
    this.#dials.set(dial({ ...kind, cluster, endpoint, client, announcement, timers, wallMs, owner: this }), kind);
  }

  #endDial(dial: Dialing): ConnectionKind {
    const kind = this.#dials.get(dial);
    if (kind === undefined) throw new RangeError("an attempt to connect has ended twice");
    this.#dials.delete(dial);
    this.#dialingBy.add(kind, -1);
    return kind;
  }

  /** Requests that a connection of this kind is expected to carry at once. */
  #streamsOf({ config }: BoundCluster, { tls, isTunnelled }: ConnectionKind): number {
    if (config.protocol === "http1") return 1;
    if (config.protocol === "http2") return config.http2.maxConcurrentStreams;
    // Inside a carrier nothing is agreed on.
    return tls !== undefined && !isTunnelled && this.#isMultiplexed ? config.http2.maxConcurrentStreams : 1;
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

function isFor({ kind, other }: Waiting, open: ConnectionKind): boolean {
  return isSameKind(kind, open) || (other !== undefined && isSameKind(other, open));
}

function isIdle({ activeStreams }: PooledConnection): boolean {
  return activeStreams === 0;
}

/** How many there are of each kind of connection, of which there are few at a time. */
class Tally {
  readonly #counts: { readonly kind: ConnectionKind; count: number }[] = [];

  of(kind: ConnectionKind): number {
    for (const entry of this.#counts) if (isSameKind(entry.kind, kind)) return entry.count;
    return 0;
  }

  add(kind: ConnectionKind, amount: 1 | -1): void {
    const index = this.#counts.findIndex((entry) => isSameKind(entry.kind, kind));
    const known = this.#counts[index];
    if (known === undefined) this.#counts.push({ kind, count: amount });
    else if ((known.count += amount) === 0) this.#counts.splice(index, 1);
  }

  keys(): ConnectionKind[] {
    return this.#counts.map(({ kind }) => kind);
  }
}
