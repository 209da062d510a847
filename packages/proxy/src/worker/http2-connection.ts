import type { ConnectionView } from "@heddle/engine";
import {
  type HeaderList,
  Http2Connection,
  Http2ErrorCode,
  Http2KeepAlive,
  type Http2RequestHead,
  type Http2Sink,
  type Http2Violation,
} from "@heddle/http";
import { flushShared, type StreamSocket, type SocketFailure, type SocketHandler, type TlsSession } from "@heddle/net";
import { nextConnectionId } from "./connection-id.ts";
import type { WorkerContext } from "./context.ts";
import { type Deadline, deadline, type DeadlineOwner, Deadlines } from "./deadlines.ts";
import type { HeldStream } from "./held-streams.ts";
import type { HttpChain } from "./http-chain.ts";
import { Http2ServerStream } from "./http2-stream.ts";
import { shedsLoad } from "./load-shedding.ts";
import { type LastWord, OrderlyClose, stalledGraceMs } from "./orderly-close.ts";
import { reduceConnectionTimeouts } from "./reduced-timeouts.ts";
import type { ChainSlot, ConnectionObserver, HttpConnectionParts, ServedConnection } from "./served-connection.ts";

/** Streams whose state is kept for the next request; what a burst needed beyond them is left to the garbage collector. */
const maxSpareStreams = 100;
/** How often, at most, streams are looked at whose data waits for the client's windows. */
const stalledCheckMs = 10_000;
/** A client that takes less than this is holding memory, not reading (CVE-2026-47774: windows opened drop by drop). */
const slowestBytesPerSecond = 1024;

/**
 * One HTTP/2 connection of a client (RFC 9113). Each of its requests has an exchange of its own; what they answer during one turn of the event
 * loop leaves in one write.
 */
export class Http2ServerConnection implements DeadlineOwner, ServedConnection, SocketHandler {
  readonly slot: ChainSlot;
  readonly view: ConnectionView;
  readonly worker: WorkerContext;
  readonly codec: Http2Connection;
  readonly connectionId = nextConnectionId();
  readonly #socket: StreamSocket;
  /** The version of the filter chain that the last request was served by. */
  #chain: HttpChain;
  readonly #observer: ConnectionObserver;
  readonly #deadlines: Deadlines;
  readonly #streams = new Map<number, Http2ServerStream>();
  readonly #spares: Http2ServerStream[] = [];
  #keepAlive: Http2KeepAlive | undefined;
  #requestCount = 0;
  /** The head that `deadline.requestHead` is set for. */
  #limitedHead = 0;
  #isFlushListed = false;
  #isBlocked = false;
  #isDraining = false;
  /** GOAWAY was said at once, to shed load: requests that come now are not served. */
  #isShed = false;
  /** What the connection ends behind. */
  #lastWord: LastWord = "answer";
  /** Once it has begun, what still comes is not looked at. */
  readonly #close: OrderlyClose;
  #isClosed = false;

  constructor({ worker, socket, slot, chain, view, observer }: HttpConnectionParts) {
    this.worker = worker;
    this.#socket = socket;
    this.slot = slot;
    this.#chain = chain;
    this.view = view;
    this.#observer = observer;
    this.#deadlines = new Deadlines(worker.timers, this);
    this.#close = new OrderlyClose(socket, this.#deadlines);
    this.codec = new Http2Connection("server", chain.http2Limits, new RequestEvents(this));
    socket.highWaterBytes = chain.bufferBytes;
    chain.stats.http2ConnectionsTotal.add(1);
    const now = worker.timers.now();
    this.#deadlines.set(deadline.idle, now, chain.hcm.config.idleTimeoutMs);
    this.#deadlines.set(deadline.connectionDuration, now, chain.hcm.config.maxConnectionDurationMs);
    this.#limitHead(now);
    const { keepAlive } = chain.hcm.config.http2;
    if (keepAlive.intervalMs > 0)
      this.#keepAlive = new Http2KeepAlive(this.codec, keepAlive, worker.timers, worker.random, this);
    this.flushLater();
  }

  get tlsSession(): TlsSession | undefined {
    return this.#socket.tls;
  }

  get tlsVersion(): string {
    return this.#socket.tls?.version ?? "";
  }

  get tlsCipher(): string {
    return this.#socket.tls?.cipher ?? "";
  }

  /** Says GOAWAY, twice (RFC 9113 §6.8), and ends when no request is left; at once where no policy would be there to judge another one. */
  drain(): void {
    if (this.slot.chain === undefined && this.#streams.size === 0) return this.#goAwayNow();
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.codec.shutdown();
    this.#deadlines.set(deadline.drain, this.worker.timers.now(), Math.max(1, this.#chain.hcm.config.drainTimeoutMs));
    this.flushLater();
  }

  /** GOAWAY without the one before that lets requests come that are on their way. */
  #goAwayNow(): void {
    this.codec.shutdown();
    this.codec.finishShutdown();
    this.flushLater();
  }

  cut(): void {
    for (const stream of this.#streams.values()) stream.cut();
    this.#goAwayNow();
    this.#cutOff("answer");
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reduceTimeouts(nowMs: number): void {
    reduceConnectionTimeouts(this.#deadlines, this.#chain, this.worker.load, nowMs);
    for (const stream of this.#streams.values()) stream.reduceTimeouts(nowMs);
  }

  findHeldStreams(leastBytes: number, found: HeldStream[]): void {
    this.codec.forEachStream((streamId, queuedBytes) => {
      const heldBytes = queuedBytes + (this.#streams.get(streamId)?.heldBytes ?? 0);
      if (heldBytes >= leastBytes) found.push({ heldBytes, reset: () => this.#resetHeld(streamId) });
    });
  }

  /** Not with NO_ERROR, as Envoy does it: clients take that for the end of a response (RFC 9113 §8.1). */
  #resetHeld(streamId: number): void {
    this.codec.resetStream(streamId, Http2ErrorCode.enhanceYourCalm);
    this.#streams.get(streamId)?.onHeldReset();
    this.flushLater();
  }

  /** Has the output leave soon, with what other requests write meanwhile. */
  flushLater(): void {
    if (this.#isFlushListed || !this.#mayWrite || this.#isClosed) return;
    this.#isFlushListed = true;
    flushShared(this, this.#streams.size);
  }

  flush(): void {
    this.#isFlushListed = false;
    this.#flush();
  }

  #flush(): void {
    if (this.#isClosed) return;
    while (this.#mayWrite && this.codec.hasOutput) this.#isBlocked = !this.#socket.writeOwn(this.codec.takeOutput());
    this.#socket.flush();
    if (this.codec.isDrained && !this.codec.hasOutput) this.#linger();
  }

  /** The last frames wait for no room: a client that takes nothing would never make any, and its connection never end. */
  get #mayWrite(): boolean {
    return !this.#isBlocked || this.codec.isDrained;
  }

  // The socket ------------------------------------------------------------------------------------

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    if (this.#close.isBegun || this.#shedsLoad()) return end - start;
    const now = this.worker.timers.now();
    this.codec.push(bytes, start, end, now);
    this.#watchHead(now);
    // A client that goes away and has nothing in progress is not answered, and not waited for.
    if (this.codec.hasOutput || this.codec.isDrained) this.flushLater();
    return end - start;
  }

  /** Envoy's load shed points of what comes on a connection. @returns whether nothing of it is looked at any more */
  #shedsLoad(): boolean {
    if (!this.codec.isEstablished && shedsLoad(this.worker, "envoy.load_shed_points.hcm_ondata_creating_codec")) {
      this.#chain.stats.requestsShed.add(1);
      this.#socket.destroy();
      return true;
    }
    if (shedsLoad(this.worker, "envoy.load_shed_points.http2_server_go_away_and_close_on_dispatch")) {
      this.#chain.stats.requestsShed.add(1);
      this.codec.close(Http2ErrorCode.noError);
      this.#cutOff("refusal");
      return true;
    }
    if (!this.#isShed && shedsLoad(this.worker, "envoy.load_shed_points.http2_server_go_away_on_dispatch")) {
      this.#isShed = true;
      this.#goAwayNow();
    }
    return false;
  }

  /** As in Envoy, a client that closes its half does not wait for its answers any more. */
  onEnd(): void {
    this.#socket.end();
    this.#socket.destroy();
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#flush();
  }

  onClose(_failure: SocketFailure | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#keepAlive?.stop();
    this.#breakOffStreams();
    for (const spare of this.#spares.splice(0)) spare.retire();
    this.#deadlines.stop();
    this.#chain.stats.connectionsActive.add(-1);
    this.#observer.onConnectionClosed(this);
  }

  // Requests --------------------------------------------------------------------------------------

  stream(streamId: number): Http2ServerStream | undefined {
    return this.#streams.get(streamId);
  }

  /** A stream begins, served by the current version of the chain. */
  begin(streamId: number): Http2ServerStream {
    const current = this.slot.http;
    if (current !== undefined && current !== this.#chain) this.#adopt(current);
    const chain = this.#chain;
    this.#deadlines.clear(deadline.idle);
    if (!this.#deadlines.isSet(deadline.stalled))
      this.#deadlines.set(deadline.stalled, this.worker.timers.now(), this.#stalledCheckMs());
    const stream = this.#spares.pop() ?? new Http2ServerStream(this, chain);
    stream.begin(streamId, chain);
    this.#streams.set(streamId, stream);
    const { maxRequestsPerConnection } = chain.hcm.config;
    this.#requestCount += 1;
    if (maxRequestsPerConnection > 0 && this.#requestCount >= maxRequestsPerConnection && !this.#isDraining) {
      chain.stats.requestLimitsReached.add(1);
      this.drain();
    } else if (this.worker.isDraining) this.drain();
    return stream;
  }

  /** The exchange of a stream is over; what is queued of its response leaves by itself. */
  release(stream: Http2ServerStream, streamId: number): void {
    this.#streams.delete(streamId);
    // Its timer is left to run out, as between the requests of an HTTP/1.1 connection: the next request moves it without arming one.
    if (!this.#isClosed && this.#spares.length < maxSpareStreams) this.#spares.push(stream);
    else stream.retire();
    if (this.#streams.size > 0 || this.#isClosed) return;
    this.#deadlines.set(deadline.idle, this.worker.timers.now(), this.#chain.hcm.config.idleTimeoutMs);
    if (this.#isDraining) this.flushLater();
  }

  /** The peer broke the protocol: the last output says so. */
  violated(violation: Http2Violation): void {
    this.#chain.stats.protocolErrors.add(1);
    this.worker.metrics.http2.count(violation.rule);
    if (violation.rule === "prematureResetFlood") this.#chain.stats.tooManyPrematureResets.add(1);
    this.worker.logger.info("an HTTP/2 connection is cut off", {
      from: this.view.peer?.principal ?? this.view.remoteAddress.host,
      reason: violation.reason,
    });
    this.#cutOff("refusal");
  }

  #cutOff(lastWord: LastWord): void {
    this.#lastWord = lastWord;
    this.#flush();
    this.#breakOffStreams();
    this.#linger();
  }

  #breakOffStreams(): void {
    for (const stream of this.#streams.values()) stream.onGone();
  }

  /** From now on the connection is served, and counted, by a newer version of its chain. */
  #adopt(chain: HttpChain): void {
    this.#chain.stats.connectionsActive.add(-1);
    chain.stats.connectionsActive.add(1);
    this.#chain = chain;
  }

  /** Another head than before has a time of its own: one that ends where the next begins is none that never ends. */
  #watchHead(now: number): void {
    const { openHead, isEstablished } = this.codec;
    if (openHead !== this.#limitedHead) this.#deadlines.clear(deadline.requestHead);
    this.#limitedHead = openHead;
    if (openHead !== 0 || !isEstablished) this.#limitHead(now);
    else this.#deadlines.clear(deadline.requestHead);
  }

  /** A head that never ends, or a preface that never comes, must not be held for ever. */
  #limitHead(now: number): void {
    if (this.#deadlines.isSet(deadline.requestHead)) return;
    this.#deadlines.set(deadline.requestHead, now, this.#chain.headTimeLimitMs);
  }

  #linger(): void {
    if (!this.#isClosed) this.#close.begin(this.#chain, this.worker.timers.now(), this.#lastWord);
  }

  /** No answer to a PING: whoever was there is gone. */
  onPeerLost(): void {
    this.worker.metrics.http2.count("keepAliveTimeout");
    this.worker.logger.info("an HTTP/2 connection is given up: its client does not answer a PING", {
      from: this.view.peer?.principal ?? this.view.remoteAddress.host,
    });
    this.#socket.destroy();
  }

  /** @internal */
  pingAck(payload: Buffer, start: number): void {
    this.#keepAlive?.onPingAck(payload, start);
  }

  // Time ------------------------------------------------------------------------------------------

  onDeadline(which: Deadline): void {
    switch (which) {
      case deadline.idle:
        if (this.#streams.size > 0 || this.#isDraining || this.#close.isBegun) return;
        this.#chain.stats.idleConnections.add(1);
        return this.drain();
      case deadline.requestHead:
        this.#chain.stats.requestTimeouts.add(1);
        this.codec.close(Http2ErrorCode.enhanceYourCalm);
        return this.#cutOff("refusal");
      case deadline.connectionDuration:
        this.#chain.stats.agedConnections.add(1);
        return this.drain();
      case deadline.drain:
        this.codec.finishShutdown();
        return this.flushLater();
      case deadline.stalled:
        return this.#endStalled();
      case deadline.delayedClose:
        return this.#close.onDeadline(this.worker.timers.now());
      default:
        return;
    }
  }

  #endStalled(): void {
    const now = this.worker.timers.now();
    for (const streamId of this.codec.stalledStreams(now, stalledGraceMs(this.#chain), slowestBytesPerSecond)) {
      if (this.#streams.get(streamId)?.isServedTunnel === true) continue;
      this.worker.metrics.http2.count("stalledStream");
      this.codec.resetStream(streamId, Http2ErrorCode.cancel);
      this.#streams.get(streamId)?.onGone();
    }
    if (this.codec.streamCount > 0) this.#deadlines.set(deadline.stalled, now, this.#stalledCheckMs());
    this.flushLater();
  }

  /** Twice in the time that is allowed, so that no stream outlives it by more than half. */
  #stalledCheckMs(): number {
    return Math.min(stalledCheckMs, Math.max(1, stalledGraceMs(this.#chain) / 2));
  }
}

/** The codec's sink, apart from the connection because both hear of an `onEnd`. */
class RequestEvents implements Http2Sink {
  readonly #connection: Http2ServerConnection;

  constructor(connection: Http2ServerConnection) {
    this.#connection = connection;
  }

  onRequest(streamId: number, head: Http2RequestHead, isEnd: boolean): void {
    this.#connection.begin(streamId).onHead(head, isEnd);
  }
  onHeadersTooLarge(streamId: number): void {
    this.#connection.begin(streamId).onHeadersTooLarge();
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
  onReset(streamId: number): void {
    this.#connection.stream(streamId)?.onGone();
  }
  onViolation(violation: Http2Violation): void {
    this.#connection.worker.metrics.http2.count(violation.rule);
  }
  onWritable(streamId: number): void {
    this.#connection.stream(streamId)?.onWritable();
  }
  onError(violation: Http2Violation): void {
    this.#connection.violated(violation);
  }
  onSettings(): void {}
  onGoAway(): void {}
  onPingAck(payload: Buffer, start: number): void {
    this.#connection.pingAck(payload, start);
  }
  // A server gets no responses.
  onInformational(): void {}
  onResponse(): void {}
}
