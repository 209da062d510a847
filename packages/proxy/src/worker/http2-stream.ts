import type { ConnectionView } from "@heddle/engine";
import {
  declareBody,
  type Framing,
  type HeaderList,
  Http2ErrorCode,
  type Http2RequestHead,
  type RequestHead,
} from "@heddle/http";
import type { TlsSession } from "@heddle/net";
import { type Deadline, type DeadlineOwner, Deadlines } from "./deadlines.ts";
import { type Downstream, Exchange } from "./exchange.ts";
import type { HttpChain } from "./http-chain.ts";
import type { Http2ServerConnection } from "./http2-connection.ts";
import {
  onDeadline,
  onDownstreamClosed,
  onDownstreamDrain,
  onDrainDeadline,
  onOverloadReset,
  onRequestData,
  onRequestEnd,
  onRequestHead,
  onUnreadableRequest,
  reduceIdleTimeout,
  upstreamEvents,
} from "./request-path.ts";
import { ServedTunnel } from "./tunnel-server.ts";

/** One request on an HTTP/2 connection: the client's side of its exchange. Used for one stream after another. */
export class Http2ServerStream implements Downstream, DeadlineOwner {
  readonly httpVersion = 2;
  readonly deadlines: Deadlines;
  readonly #connection: Http2ServerConnection;
  readonly #exchange: Exchange;
  /** 0: no stream; what still comes for the last one is not its business. */
  #id = 0;
  #trailers: HeaderList | undefined;
  #isPaused = false;
  /** Bytes that came while paused: their window is given back when the request goes on. */
  #unconsumedBytes = 0;
  /** The response's last frame has been handed to the codec. */
  #hasEnded = false;

  constructor(connection: Http2ServerConnection, chain: HttpChain) {
    this.#connection = connection;
    this.deadlines = new Deadlines(connection.worker.timers, this);
    this.#exchange = new Exchange(connection.worker, this, chain, upstreamEvents);
  }

  get view(): ConnectionView {
    return this.#connection.view;
  }

  get connectionId(): number {
    return this.#connection.connectionId;
  }

  get tlsSession(): TlsSession | undefined {
    return this.#connection.tlsSession;
  }

  get tlsVersion(): string {
    return this.#connection.tlsVersion;
  }

  get tlsCipher(): string {
    return this.#connection.tlsCipher;
  }

  get queuedBytes(): number {
    return this.#connection.codec.queuedBytes(this.#id);
  }

  begin(id: number, chain: HttpChain): void {
    this.#id = id;
    this.#trailers = undefined;
    this.#isPaused = false;
    this.#unconsumedBytes = 0;
    this.#hasEnded = false;
    this.#exchange.chain = chain;
  }

  /** No stream follows: nothing may hold on to it. */
  retire(): void {
    this.deadlines.stop();
  }

  // The request -----------------------------------------------------------------------------------

  onHead(head: Http2RequestHead, isEnd: boolean): void {
    const id = this.#id;
    onRequestHead(this.#exchange, requestHeadOf(head, isEnd));
    // It may have been answered, and this object serve another stream already.
    if (isEnd && this.#id === id) this.onEnd();
  }

  onHeadersTooLarge(): void {
    onUnreadableRequest(this.#exchange, "headers_too_large", 431, "");
  }

  onData(bytes: Buffer, start: number, end: number): void {
    const id = this.#id;
    onRequestData(this.#exchange, bytes, start, end);
    if (this.#id !== id) this.#connection.codec.consume(id, end - start);
    else if (this.#isPaused) this.#unconsumedBytes += end - start;
    else this.#connection.codec.consume(id, end - start);
  }

  onTrailers(trailers: HeaderList): void {
    this.#trailers = trailers;
  }

  onEnd(): void {
    onRequestEnd(this.#exchange, this.#trailers);
  }

  /** The stream was reset, or its connection is gone. */
  onGone(): void {
    onDownstreamClosed(this.#exchange);
  }

  /** It is a connection of another listener of ours, whose time limits are that listener's. */
  get isServedTunnel(): boolean {
    return this.#exchange.upstream instanceof ServedTunnel;
  }

  /** Bytes of the request that are here. Those of the response are the codec's. */
  get heldBytes(): number {
    return this.#exchange.body.heldBytes;
  }

  /** The stream was reset because of what it held. */
  onHeldReset(): void {
    onOverloadReset(this.#exchange);
  }

  /** The time to drain is over. */
  cut(): void {
    onDrainDeadline(this.#exchange);
  }

  reduceTimeouts(nowMs: number): void {
    reduceIdleTimeout(this.#exchange, nowMs);
  }

  onWritable(): void {
    onDownstreamDrain(this.#exchange);
  }

  pauseRequest(): void {
    this.#isPaused = true;
  }

  resumeRequest(): void {
    this.#isPaused = false;
    if (this.#unconsumedBytes === 0) return;
    this.#connection.codec.consume(this.#id, this.#unconsumedBytes);
    this.#unconsumedBytes = 0;
    this.#connection.flushLater();
  }

  /** Nothing to do: the rest of one stream is in nobody's way. */
  leaveRestUnread(): void {}

  dropsRest(): boolean {
    this.resumeRequest();
    this.#connection.codec.discardRequest(this.#id);
    return true;
  }

  // The response ----------------------------------------------------------------------------------

  sendInformational(status: number, headers: HeaderList): void {
    this.#connection.codec.sendHead(this.#id, status, headers, false);
    this.#connection.flushLater();
  }

  sendHead(status: number, headers: HeaderList, framing: Framing): void {
    const isEnd = declareBody(headers, framing);
    this.#hasEnded = isEnd;
    // RFC 8441 §5: a switch is told by 200, and needs no proof.
    if (status === 101) headers.remove("sec-websocket-accept");
    if (!this.#connection.codec.sendHead(this.#id, status === 101 ? 200 : status, headers, isEnd)) {
      this.#connection.worker.logger.error("a response was broken off: one of its headers cannot be sent", {
        status,
        path: this.#exchange.req.path,
      });
      this.#hasEnded = true;
      this.#connection.codec.resetStream(this.#id, Http2ErrorCode.internalError);
    }
    this.#connection.flushLater();
  }

  sendData(bytes: Buffer, start: number, end: number): boolean {
    if (this.#hasEnded) return true;
    this.#connection.flushLater();
    return this.#connection.codec.sendData(this.#id, bytes, start, end, false) !== "full";
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#hasEnded) return;
    this.#hasEnded = this.#connection.codec.sendTrailers(this.#id, trailers);
  }

  endResponse(): void {
    if (!this.#hasEnded) this.#connection.codec.sendData(this.#id, empty, 0, 0, true);
    this.#hasEnded = true;
    this.#connection.flushLater();
  }

  endHalf(): void {
    this.endResponse();
  }

  abortResponse(): void {
    this.#hasEnded = true;
    this.#connection.codec.resetStream(this.#id, Http2ErrorCode.internalError);
    this.#connection.flushLater();
  }

  /** What is wrong with one stream is no reason to end the others. */
  closeAfterResponse(): void {}

  onExchangeFinished(): void {
    const id = this.#id;
    this.#id = 0;
    this.#exchange.reset();
    this.#connection.release(this, id);
  }

  onDeadline(which: Deadline): void {
    onDeadline(this.#exchange, which);
  }
}

/** The request path works on one form of heads: an extended CONNECT is what HTTP/1.1 has Upgrade for (RFC 8441 §5). */
function requestHeadOf(head: Http2RequestHead, isEnd: boolean): RequestHead {
  const { headers, contentLength, protocol } = head;
  const isUpgrade = protocol !== "" && !isEnd;
  const isConnect = head.method === "CONNECT" && head.path === "";
  return {
    method: isUpgrade ? "GET" : head.method,
    target: head.path,
    path: head.path,
    authority: head.authority,
    scheme: head.scheme,
    versionMinor: 1,
    headers,
    bodyKind:
      isUpgrade || isConnect
        ? "none"
        : isEnd
          ? contentLength === 0
            ? "length"
            : "none"
          : contentLength >= 0
            ? "length"
            : "chunked",
    contentLength,
    keepAlive: true,
    expectContinue: !isEnd && headers.get("expect")?.toLowerCase() === "100-continue",
    upgrade: isUpgrade ? protocol.toLowerCase() : "",
  };
}
const empty = Buffer.alloc(0);
