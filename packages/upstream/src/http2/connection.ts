import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint } from "@heddle/engine";
import {
  Http2Connection,
  Http2ErrorCode,
  Http2KeepAlive,
  type Http2Limits,
  type Http2ResponseHead,
  type Http2Rule,
  type Http2Sink,
  type Http2Violation,
  type HeaderList,
} from "@heddle/http";
import {
  flushShared,
  type ClientTlsContext,
  type StreamSocket,
  type SocketFailure,
  type SocketHandler,
} from "@heddle/net";
import type { ExchangeConnection } from "../exchange.ts";
import { type ConnectionOptions, describeConnection, isWornOut, type PooledConnection } from "../pooled-connection.ts";
import type { PooledExchange } from "../pooled-exchange.ts";
import { flushTimeoutMs } from "../timers.ts";
import { ClientStream } from "./stream.ts";

type FaultCounter = (cluster: string, fault: Http2Rule | "keepAliveTimeout") => void;

/**
 * One HTTP/2 connection to an endpoint, which carries many requests at once. What they write during one turn of the event loop
 * leaves in one write, so that one TLS record and one system call carry many of them.
 */
export class Http2ClientConnection implements PooledConnection, SocketHandler, TimerTarget {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  readonly isTunnelled: boolean;
  readonly codec: Http2Connection;
  /** Of requests that name none. */
  readonly scheme: "http" | "https";
  idleSinceMs: number;
  readonly madeAtMs: number;
  isListed = false;
  /** Counts how often output left: a stream whose head was written since has reached nobody. */
  flushes = 0;
  readonly #options: ConnectionOptions;
  readonly #onFault: FaultCounter;
  readonly #socket: StreamSocket;
  readonly #view: ExchangeConnection;
  readonly #maxStreams: number;
  readonly #streams = new Map<number, ClientStream>();
  /** What waits for the peer's SETTINGS. */
  readonly #unsettled: ClientStream[] = [];
  #settingsTimer: TimerHandle | undefined;
  /** Streams that have nothing more to say and still wait for the peer's windows, with the bytes that waited when they were last looked at. */
  readonly #flushing = new Map<ClientStream, number>();
  #flushTimer: TimerHandle | undefined;
  /** Lent places, of streams that are open and of those that have not sent their head. */
  #lent = 0;
  #requests = 0;
  #isGoingAway = false;
  #isFlushListed = false;
  #isBlocked = false;
  #isClosed = false;
  #violation: Http2Violation | undefined;
  #keepAlive: Http2KeepAlive | undefined;
  #ageTimer: TimerHandle | undefined;

  constructor(options: ConnectionOptions, limits: Http2Limits, onFault: FaultCounter) {
    this.#options = options;
    this.#onFault = onFault;
    this.cluster = options.cluster;
    this.endpoint = options.endpoint;
    this.tls = options.tls;
    this.isTunnelled = options.isTunnelled;
    this.scheme = options.tls === undefined ? "http" : "https";
    this.#socket = options.socket;
    this.#view = describeConnection(options.socket, () => this.isSpent(options.timers.now()));
    this.#maxStreams = limits.maxConcurrentStreams;
    this.madeAtMs = options.timers.now();
    this.idleSinceMs = this.madeAtMs;
    this.codec = new Http2Connection("client", limits, new StreamEvents(this));
    options.socket.start(this);
    const { http2, maxConnectionDurationMs } = options.cluster.config;
    const { keepAlive } = http2;
    if (maxConnectionDurationMs > 0)
      this.#ageTimer = options.timers.schedule(maxConnectionDurationMs, { onTimer: () => this.#grewOld() });
    if (keepAlive.intervalMs > 0)
      this.#keepAlive = new Http2KeepAlive(this.codec, keepAlive, options.timers, Math.random, this);
    this.flushLater();
  }

  get activeStreams(): number {
    return this.#lent;
  }

  get capacity(): number {
    if (this.#isClosed || this.#isGoingAway) return 0;
    // Streams that have their place but no head yet are not the codec's to count.
    const unopened = this.#lent - this.#streams.size;
    return Math.max(0, Math.min(this.#maxStreams - this.#lent, this.codec.availableStreams - unopened));
  }

  isSpent(nowMs: number): boolean {
    if (this.#isClosed || this.#isGoingAway || this.#socket.isCarrierSpent) return true;
    return isWornOut(this.cluster, this.#requests, nowMs - this.madeAtMs);
  }

  carry(exchange: PooledExchange): void {
    const isReused = this.#requests > 0;
    this.#requests += 1;
    this.#lent += 1;
    exchange.attach(new ClientStream(this, exchange), this.#view, isReused);
  }

  close(): void {
    if (this.#isClosed) return;
    this.codec.close(Http2ErrorCode.noError);
    this.#flush();
    this.#socket.end();
    this.#socket.finish();
  }

  // What streams do -----------------------------------------------------------------------------

  /** The stream has its identifier: what comes for it goes to it. */
  register(stream: ClientStream): void {
    this.#streams.set(stream.id, stream);
  }

  /** The stream is over, and its place is free. Before its exchange hears of the end, so that the place may be used for what follows. */
  release(stream: ClientStream): void {
    if (stream.id > 0) this.#streams.delete(stream.id);
    this.#flushing.delete(stream);
    this.#lent -= 1;
    if (this.#lent === 0) this.idleSinceMs = this.#options.timers.now();
    if (this.codec.hasResetEnough) return this.goingAway();
    this.#options.owner.onConnectionFree(this);
  }

  /** Tells the stream now, or when the peer has said its SETTINGS, which may take as long as a connection may (`connect_timeout`). */
  awaitSettings(stream: ClientStream): void {
    if (this.codec.isEstablished) return stream.onSettings();
    this.#unsettled.push(stream);
    const { connectTimeoutMs } = this.cluster.config;
    if (connectTimeoutMs > 0) this.#settingsTimer ??= this.#options.timers.schedule(connectTimeoutMs, this);
  }

  /** No SETTINGS came in time. */
  onTimer(): void {
    this.#settingsTimer = undefined;
    const text = `no SETTINGS within ${this.cluster.config.connectTimeoutMs} ms: does the upstream speak HTTP/2?`;
    this.#socket.destroy({ kind: "timeout", code: "upstream_reset", text, cause: "" });
  }

  #stopWaiting(): void {
    if (this.#settingsTimer !== undefined) this.#options.timers.cancel(this.#settingsTimer);
    this.#settingsTimer = undefined;
  }

  /** Tells the stream, whose end is said, when all of it has left, or that nothing of it has for `flushTimeoutMs` and up to twice that. */
  awaitFlush(stream: ClientStream): void {
    this.#flushing.set(stream, Number.POSITIVE_INFINITY);
    this.#watchFlushing();
  }

  #watchFlushing(): void {
    this.#flushTimer ??= this.#options.timers.schedule(flushTimeoutMs, { onTimer: () => this.#endStalled() });
  }

  #endStalled(): void {
    this.#flushTimer = undefined;
    for (const [stream, waitedBytes] of this.#flushing) {
      const queuedBytes = this.codec.queuedBytes(stream.id);
      if (queuedBytes < waitedBytes) this.#flushing.set(stream, queuedBytes);
      else stream.onFlushTimeout();
    }
    if (this.#flushing.size > 0) this.#watchFlushing();
  }

  /** Has the output leave soon, with what other requests write meanwhile. */
  flushLater(): void {
    if (this.#isFlushListed || this.#isBlocked || this.#isClosed) return;
    this.#isFlushListed = true;
    flushShared(this, this.#lent);
  }

  flush(): void {
    this.#isFlushListed = false;
    this.#flush();
  }

  #flush(): void {
    // What is left when the socket has gone reached nobody.
    while (this.#socket.isOpen && !this.#isBlocked && this.codec.hasOutput) {
      const output = this.codec.takeOutput();
      this.flushes += 1;
      this.#isBlocked = !this.#socket.writeOwn(output);
    }
    this.#socket.flush();
    // A codec that has ended keeps nothing, which is not to have sent it.
    if (this.#flushing.size > 0 && !this.codec.isDead)
      for (const stream of this.#flushing.keys()) if (this.codec.queuedBytes(stream.id) === 0) stream.onFlushed();
  }

  // SocketHandler -------------------------------------------------------------------------------

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    this.codec.push(bytes, start, end, this.#options.timers.now());
    if (this.codec.hasOutput) this.flushLater();
    return end - start;
  }

  onEnd(): void {
    this.#socket.finish();
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#flush();
  }

  onClose(failure: SocketFailure | undefined): void {
    this.#isClosed = true;
    this.#keepAlive?.stop();
    this.#stopWaiting();
    for (const timer of [this.#ageTimer, this.#flushTimer]) if (timer !== undefined) this.#options.timers.cancel(timer);
    this.#flushing.clear();
    for (const stream of [...this.#unsettled.splice(0), ...this.#streams.values()]) {
      if (this.#violation === undefined) stream.lost(failure);
      else stream.failFor(this.#violation);
    }
    this.#streams.clear();
    this.#options.owner.onConnectionClosed(this);
  }

  /** No answer to a PING: whoever was there is gone, and its requests with it. */
  onPeerLost(): void {
    this.countFault("keepAliveTimeout");
    const text = `no answer to a PING within ${this.cluster.config.http2.keepAlive.timeoutMs} ms`;
    this.#socket.destroy({ kind: "timeout", code: "upstream_reset", text, cause: "" });
  }

  /** @internal */
  pingAck(payload: Buffer, start: number): void {
    this.#keepAlive?.onPingAck(payload, start);
  }

  // What the codec tells ------------------------------------------------------------------------

  stream(streamId: number): ClientStream | undefined {
    return this.#streams.get(streamId);
  }

  peerSettings(): void {
    this.#stopWaiting();
    for (const stream of this.#unsettled.splice(0)) stream.onSettings();
    this.#options.owner.onConnectionFree(this);
  }

  countFault(fault: Http2Rule | "keepAliveTimeout"): void {
    this.#onFault(this.cluster.name, fault);
  }

  onCarrierSpent(): void {
    this.goingAway();
  }

  #grewOld(): void {
    this.#ageTimer = undefined;
    this.goingAway();
  }

  /** No stream is opened here any more; those that the peer will not work on are told by `onReset`, as refused. What is idle inside lets go. */
  goingAway(): void {
    const isNew = !this.#isGoingAway;
    this.#isGoingAway = true;
    if (isNew) for (const stream of this.#streams.values()) stream.onConnectionSpent();
    this.#options.owner.onConnectionFree(this);
  }

  violated(violation: Http2Violation): void {
    this.countFault(violation.rule);
    this.#violation = violation;
    this.#isGoingAway = true;
    this.#flush();
    this.#socket.destroy();
  }
}

/** The codec's sink, apart from the connection because both hear of an `onEnd`. */
class StreamEvents implements Http2Sink {
  readonly #connection: Http2ClientConnection;

  constructor(connection: Http2ClientConnection) {
    this.#connection = connection;
  }

  onInformational(streamId: number, head: Http2ResponseHead): void {
    this.#connection.stream(streamId)?.onInformational(head);
  }
  onResponse(streamId: number, head: Http2ResponseHead, isEnd: boolean): void {
    this.#connection.stream(streamId)?.onResponse(head, isEnd);
  }
  onData(streamId: number, bytes: Buffer, start: number, end: number): void {
    this.#connection.stream(streamId)?.onData(bytes, start, end);
  }
  onTrailers(streamId: number, trailers: HeaderList): void {
    this.#connection.stream(streamId)?.onTrailers(trailers);
  }
  onEnd(streamId: number): void {
    this.#connection.stream(streamId)?.onEnd();
  }
  onReset(streamId: number, errorCode: number, violation: Http2Violation | undefined): void {
    this.#connection.stream(streamId)?.onReset(errorCode, violation);
  }
  onViolation(violation: Http2Violation): void {
    this.#connection.countFault(violation.rule);
  }
  onWritable(streamId: number): void {
    this.#connection.stream(streamId)?.onWritable();
  }
  onSettings(): void {
    this.#connection.peerSettings();
  }
  onGoAway(): void {
    this.#connection.goingAway();
  }
  onPingAck(payload: Buffer, start: number): void {
    this.#connection.pingAck(payload, start);
  }
  onError(violation: Http2Violation): void {
    this.#connection.violated(violation);
  }
  // A client has no requests to answer.
  onRequest(): void {}
  onHeadersTooLarge(): void {}
}
