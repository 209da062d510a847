import type { ConnectionView } from "@heddle/engine";
import {
  encodeLastChunk,
  encodeResponseHead,
  type Framing,
  type HeaderList,
  Http1RequestDecoder,
  type Http1RequestSink,
  type Http1Violation,
  type RequestHead,
  writeChunk,
} from "@heddle/http";
import type { SocketFailure, SocketHandler, StreamSocket, TlsSession } from "@heddle/net";
import { nextConnectionId } from "./connection-id.ts";
import type { WorkerContext } from "./context.ts";
import { type Deadline, deadline, type DeadlineOwner, Deadlines } from "./deadlines.ts";
import { type Downstream, Exchange } from "./exchange.ts";
import type { HttpChain } from "./http-chain.ts";
import { shedsLoad } from "./load-shedding.ts";
import {
  onDeadline,
  onDispatchAborted,
  onDownstreamClosed,
  onDownstreamDrain,
  onDrainDeadline,
  onRequestData,
  onRequestEnd,
  onRequestHead,
  onUnreadableRequest,
  reduceIdleTimeout,
  upstreamEvents,
} from "./request-path.ts";
import { reduceConnectionTimeouts } from "./reduced-timeouts.ts";
import type { ChainSlot, ConnectionObserver, HttpConnectionParts, ServedConnection } from "./served-connection.ts";
import { type LastWord, lastWordOf, OrderlyClose, stalledGraceMs } from "./orderly-close.ts";
import { leaveRestUnread } from "./unread-rest.ts";

/**
 * One HTTP/1.1 connection of a client. It reads one request at a time: the next is not even decoded before the former is
 * answered and no more answers wait than are wanted. So pipelined answers keep their order, the kernel's window limits what requests a client
 * can pile up (RFC 9112 §9.3.2), and one that does not read holds a buffer and one answer.
 */
export class Http1Connection implements Downstream, DeadlineOwner, ServedConnection, SocketHandler {
  readonly slot: ChainSlot;
  readonly view: ConnectionView;
  readonly deadlines: Deadlines;
  readonly httpVersion = 1;
  readonly connectionId = nextConnectionId();
  readonly #worker: WorkerContext;
  readonly #socket: StreamSocket;
  /** The version of the filter chain that the current request is served by. */
  #chain: HttpChain;
  readonly #observer: ConnectionObserver;
  readonly #decoder: Http1RequestDecoder;
  readonly #exchange: Exchange;
  #head: RequestHead | undefined;
  #trailers: HeaderList | undefined;
  #responseTrailers: HeaderList | undefined;
  #requestCount = 0;
  #isChunked = false;
  #isCloseDelimited = false;
  /** More waits for the client than is wanted: `onDrain` follows. */
  #isFull = false;
  /** How much waited when that was last looked at. */
  #unreadBytes = 0;
  /** Nothing more is read as a request; after the response the connection ends. */
  #isClosing = false;
  /** The next response says that it is the last. */
  #isDraining = false;
  readonly #close: OrderlyClose;
  #isClosed = false;

  constructor({ worker, socket, slot, chain, view, observer }: HttpConnectionParts) {
    this.#worker = worker;
    this.#socket = socket;
    this.slot = slot;
    this.#chain = chain;
    this.view = view;
    this.#observer = observer;
    this.deadlines = new Deadlines(worker.timers, this);
    this.#close = new OrderlyClose(socket, this.deadlines);
    this.#decoder = new Http1RequestDecoder(chain.limits, new RequestSink(this));
    this.#exchange = new Exchange(worker, this, chain, upstreamEvents);
    socket.highWaterBytes = chain.bufferBytes;
    chain.stats.http1ConnectionsTotal.add(1);
    const now = worker.timers.now();
    this.deadlines.set(deadline.idle, now, chain.hcm.config.idleTimeoutMs);
    this.deadlines.set(deadline.connectionDuration, now, chain.hcm.config.maxConnectionDurationMs);
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

  get queuedBytes(): number {
    return this.#socket.queuedBytes;
  }

  /**
   * The next response is the last. A connection without a request stays, or one that is just being sent would be lost; but
   * not where its filter chain is gone, since no policy would be there to judge that request.
   */
  drain(): void {
    this.#isDraining = true;
    if (this.slot.chain === undefined && !this.#exchange.isActive) this.#linger();
  }

  cut(): void {
    this.#isDraining = true;
    if (this.#exchange.isActive) onDrainDeadline(this.#exchange);
    else if (!this.#close.isBegun) this.#socket.destroy();
  }

  /** Ends the connection now; a request in progress is lost to it. */
  destroy(): void {
    this.#socket.destroy();
  }

  reduceTimeouts(nowMs: number): void {
    reduceConnectionTimeouts(this.deadlines, this.#chain, this.#worker.load, nowMs);
    reduceIdleTimeout(this.#exchange, nowMs);
  }

  // The socket ------------------------------------------------------------------------------------

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    if (this.#close.isBegun || this.#shedsLoad()) return end - start;
    if (this.#exchange.isTunnel) {
      onRequestData(this.#exchange, bytes, start, end);
      return end - start;
    }
    const consumed = this.#decoder.push(bytes, start, end);
    if (consumed < end - start && this.#isFull && !this.#exchange.isActive) this.#awaitReading();
    if (this.#decoder.headStarted) this.#onHeadBegun();
    return consumed;
  }

  /** Envoy's load shed points of what comes on a connection: nothing of it is looked at any more. */
  #shedsLoad(): boolean {
    const isFirst = this.#requestCount === 0 && !this.#decoder.headStarted;
    if (isFirst && shedsLoad(this.#worker, "envoy.load_shed_points.hcm_ondata_creating_codec")) {
      this.#chain.stats.requestsShed.add(1);
      this.#socket.destroy();
      return true;
    }
    if (!shedsLoad(this.#worker, "envoy.load_shed_points.http1_server_abort_dispatch")) return false;
    this.#isClosing = true;
    // The rest of a request that has been answered already.
    if (this.#exchange.responsePhase === "ended") this.#linger("refusal");
    else onDispatchAborted(this.#exchange);
    return true;
  }

  /** As in Envoy, a client that closes its half before it has its answer does not want it any more; in a tunnel the other half goes on. */
  onEnd(): void {
    if (this.#exchange.isTunnel && this.#exchange.isActive) return onRequestEnd(this.#exchange, undefined);
    if (this.#exchange.isActive) onDownstreamClosed(this.#exchange);
    this.#decoder.abandon();
    this.#socket.end();
    this.#socket.destroy();
  }

  onDrain(): void {
    this.#isFull = false;
    if (this.#exchange.isActive) onDownstreamDrain(this.#exchange);
    else if (!this.#isClosing) this.#readNext();
  }

  onClose(_failure: SocketFailure | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isClosing = true;
    this.#decoder.abandon();
    onDownstreamClosed(this.#exchange);
    this.deadlines.stop();
    this.#chain.stats.connectionsActive.add(-1);
    this.#observer.onConnectionClosed(this);
  }

  // The request -----------------------------------------------------------------------------------

  /** @internal */
  takeHead(head: RequestHead): void {
    this.#head = head;
    this.deadlines.clear(deadline.idle);
    this.deadlines.clear(deadline.requestHead);
    // Only HTTP/1.0 may leave the host out (RFC 9112 §3.2).
    const current = this.slot.http;
    if (current !== undefined && current !== this.#chain) this.#adopt(current);
    this.#countRequest();
    if (head.authority === "") head.authority = this.#chain.hcm.config.http1.defaultHost;
    onRequestHead(this.#exchange, head);
  }

  #countRequest(): void {
    const { maxRequestsPerConnection } = this.#chain.hcm.config;
    this.#requestCount += 1;
    if (maxRequestsPerConnection === 0 || this.#requestCount < maxRequestsPerConnection) return;
    this.#chain.stats.requestLimitsReached.add(1);
    this.#isDraining = true;
  }

  /** From now on the connection is served, and counted, by a newer version of its chain. */
  #adopt(chain: HttpChain): void {
    this.#chain.stats.connectionsActive.add(-1);
    chain.stats.connectionsActive.add(1);
    this.#chain = chain;
    this.#exchange.chain = chain;
  }

  /** @internal */
  takeData(bytes: Buffer, start: number, end: number): void {
    onRequestData(this.#exchange, bytes, start, end);
  }

  /** @internal */
  takeTrailers(trailers: HeaderList): void {
    this.#trailers = trailers;
  }

  /** @internal */
  takeRequestEnd(): void {
    const trailers = this.#trailers;
    this.#trailers = undefined;
    onRequestEnd(this.#exchange, trailers);
  }

  /** @internal */
  takeViolation(violation: Http1Violation): void {
    // The client ended within a message: nobody is there to be answered.
    if (violation.code === "downstream_closed") return this.#socket.destroy();
    onUnreadableRequest(this.#exchange, violation.code, violation.status, violation.details);
  }

  #onHeadBegun(): void {
    if (this.deadlines.isSet(deadline.requestHead)) return;
    this.deadlines.clear(deadline.idle);
    this.deadlines.set(deadline.requestHead, this.#worker.timers.now(), this.#chain.headTimeLimitMs);
  }

  leaveRestUnread(): void {
    leaveRestUnread(this.#exchange);
  }

  /** The next request stands behind the rest of this one, which must be read. */
  dropsRest(): boolean {
    return false;
  }

  pauseRequest(): void {
    this.#socket.pause();
  }

  resumeRequest(): void {
    this.#socket.resume();
  }

  // The response ----------------------------------------------------------------------------------

  sendInformational(status: number, headers: HeaderList): void {
    if (this.#isClosed) return;
    const head = encodeResponseHead(status, headers, noBody, 1, this.#chain.names);
    if (head !== undefined) this.#noteRoom(this.#socket.writeText(head));
  }

  sendHead(status: number, headers: HeaderList, framing: Framing): void {
    if (this.#isClosed) return;
    const versionMinor = this.#head?.versionMinor ?? 1;
    const isSwitch = status === 101;
    const sent = this.#framingSent(status, framing, versionMinor);
    this.#isChunked = sent.kind === "chunked";
    this.#isCloseDelimited = sent.kind === "close";
    if (this.#isCloseDelimited || this.#isLastResponse()) this.#isClosing = true;
    if (isSwitch) {
      headers.set("connection", "Upgrade");
      headers.set("upgrade", this.#exchange.req.upgrade);
    } else if (this.#isTunnelBegun(status)) headers.remove("content-length");
    else if (this.#isClosing) headers.set("connection", "close");
    else if (versionMinor === 0) headers.set("connection", "keep-alive");
    const head = encodeResponseHead(status, headers, sent, versionMinor, this.#chain.names);
    if (head !== undefined) {
      this.#noteRoom(this.#socket.writeText(head));
      return;
    }
    // A value that configuration put together would have split the response (RFC 9110 §5.5): nothing of it may leave.
    this.#worker.logger.error("a response was broken off: one of its headers cannot be sent", {
      status,
      path: this.#exchange.req.path,
    });
    this.#isClosing = true;
    this.#socket.destroy();
  }

  /** RFC 9110 §9.3.6: what follows any 2xx to CONNECT is no body. */
  #isTunnelBegun(status: number): boolean {
    return this.#head?.method === "CONNECT" && status >= 200 && status < 300;
  }

  #framingSent(status: number, framing: Framing, versionMinor: 0 | 1): Framing {
    if (status === 101) return framing;
    if (this.#isTunnelBegun(status)) return closeDelimited;
    if (versionMinor === 1) return framing.kind === "close" ? chunked : framing;
    return framing.kind === "chunked" ? closeDelimited : framing;
  }

  sendData(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isClosed) return true;
    return this.#noteRoom(
      this.#isChunked ? writeChunk(this.#socket, bytes, start, end) : this.#socket.write(bytes, start, end),
    );
  }

  /** @param hasRoom what the socket said when it was written to */
  #noteRoom(hasRoom: boolean): boolean {
    this.#isFull = !hasRoom;
    return hasRoom;
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#chain.hcm.config.http1.enableTrailers) this.#responseTrailers = trailers;
  }

  endResponse(): void {
    if (this.#isClosed) return;
    if (this.#isChunked)
      this.#noteRoom(this.#socket.writeText(encodeLastChunk(this.#responseTrailers, this.#chain.names)));
    this.#responseTrailers = undefined;
    if (this.#isClosing) this.#linger();
  }

  endHalf(): void {
    this.#socket.end();
  }

  abortResponse(): void {
    this.#isClosing = true;
    // A body that ends with the connection would look complete after an orderly close.
    if (this.#isCloseDelimited) this.#socket.reset();
    else this.#linger();
  }

  closeAfterResponse(): void {
    this.#isClosing = true;
  }

  onExchangeFinished(): void {
    this.#exchange.reset();
    this.#head = undefined;
    if (this.#isClosing || this.#isClosed) return;
    this.deadlines.set(deadline.idle, this.#worker.timers.now(), this.#chain.hcm.config.idleTimeoutMs);
    if (!this.#isFull) this.#decoder.next();
    this.#socket.resume();
  }

  /** Whoever asks for more answers and reads none must not have them pile up here. Who only reads slowly has until `idle_timeout`. */
  #awaitReading(): void {
    if (this.deadlines.isSet(deadline.stalled)) return;
    this.#unreadBytes = this.#socket.queuedBytes;
    this.deadlines.set(deadline.stalled, this.#worker.timers.now(), stalledGraceMs(this.#chain));
  }

  #readNext(): void {
    this.deadlines.clear(deadline.stalled);
    this.#decoder.next();
    this.#socket.resume();
  }

  #endUnread(): void {
    if (this.#socket.queuedBytes !== this.#unreadBytes) return this.#awaitReading();
    this.#worker.metrics.http1ResponseFloods.add(1);
    this.#socket.destroy();
  }

  #isLastResponse(): boolean {
    const ended = this.#worker.load.endsKeepAlive;
    if (ended > 0 && this.#worker.random() < ended) {
      this.#chain.stats.keepAlivesEnded.add(1);
      return true;
    }
    return this.#head?.keepAlive !== true || this.#isDraining || this.#worker.isDraining;
  }

  #linger(lastWord: LastWord = lastWordOf(this.#exchange.code)): void {
    this.#isClosing = true;
    this.#decoder.abandon();
    this.#close.begin(this.#chain, this.#worker.timers.now(), lastWord);
  }

  // Time ------------------------------------------------------------------------------------------

  onDeadline(which: Deadline): void {
    switch (which) {
      case deadline.idle:
        if (this.#exchange.isActive || this.#isClosing) return;
        this.#chain.stats.idleConnections.add(1);
        return this.#linger();
      case deadline.requestHead:
        return onUnreadableRequest(this.#exchange, "request_headers_timeout", 408, "");
      case deadline.connectionDuration:
        this.#chain.stats.agedConnections.add(1);
        this.drain();
        if (!this.#exchange.isActive && this.#decoder.isBetweenMessages) this.#linger();
        return;
      case deadline.stalled:
        if (!this.#isClosing) this.#endUnread();
        return;
      case deadline.delayedClose:
        return this.#close.onDeadline(this.#worker.timers.now());
      default:
        return onDeadline(this.#exchange, which);
    }
  }
}

/** What the decoder reports; apart from the connection because sockets and requests both have an `onEnd`. */
class RequestSink implements Http1RequestSink {
  readonly #connection: Http1Connection;

  constructor(connection: Http1Connection) {
    this.#connection = connection;
  }

  onHead(head: RequestHead): void {
    this.#connection.takeHead(head);
  }
  onData(bytes: Buffer, start: number, end: number): void {
    this.#connection.takeData(bytes, start, end);
  }
  onTrailers(trailers: HeaderList): void {
    this.#connection.takeTrailers(trailers);
  }
  onEnd(): void {
    this.#connection.takeRequestEnd();
  }
  onError(violation: Http1Violation): void {
    this.#connection.takeViolation(violation);
  }
}

const noBody: Framing = { kind: "none" };
const chunked: Framing = { kind: "chunked" };
const closeDelimited: Framing = { kind: "close" };
