import {
  declareBody,
  type Framing,
  type HeaderList,
  Http2ErrorCode,
  type Http2Request,
  type Http2ResponseHead,
  type Http2Violation,
  webSocketAccept,
} from "@heddle/http";
import type { SocketFailure } from "@heddle/net";
import { failLost } from "../pooled-connection.ts";
import type { PooledExchange, RequestStream } from "../pooled-exchange.ts";
import type { Http2ClientConnection } from "./connection.ts";

/** One request on an HTTP/2 connection, and its response. */
export class ClientStream implements RequestStream {
  /** 0 until the head is sent. */
  id = 0;
  readonly #connection: Http2ClientConnection;
  readonly #exchange: PooledExchange;
  #method = "";
  #framing: Framing = { kind: "none" };
  #webSocketKey: string | undefined;
  /** The extended CONNECT that an upgrade becomes. */
  #upgrade: Http2Request | undefined;
  #bodyBytes = 0;
  #isRequestSent = false;
  /** The peer has made the way that CONNECT asked for. */
  #isTunnel = false;
  #hasPeerEnded = false;
  #isOver = false;
  /** Output had left so often when the head was written. */
  #openedAtFlush = 0;
  #isPaused = false;
  /** Bytes delivered while reading was paused: their window is given back when it goes on. */
  #unconsumedBytes = 0;

  constructor(connection: Http2ClientConnection, exchange: PooledExchange) {
    this.#connection = connection;
    this.#exchange = exchange;
  }

  /** 0: the head is still in this process; else 1 for the head, and what has left of the body. */
  get bytesWritten(): number {
    const { codec, flushes } = this.#connection;
    if (this.id === 0 || flushes === this.#openedAtFlush) return 0;
    return 1 + (codec.takenBytes(this.id) ?? this.#bodyBytes);
  }

  sendHead(
    method: string,
    path: string,
    authority: string,
    headers: HeaderList,
    framing: Framing,
    scheme: string = this.#connection.scheme,
  ): void {
    this.#method = method;
    this.#framing = framing;
    if (framing.kind !== "upgrade")
      return this.#open({ method, scheme, authority, path, headers }, declareBody(headers, framing));
    this.#method = "CONNECT";
    this.#webSocketKey = framing.protocol === "websocket" ? headers.get("sec-websocket-key") : undefined;
    // Of these fields alone: the next attempt needs the client's key again.
    const fields = headers.clone();
    fields.remove("sec-websocket-key");
    // Whether the peer takes extended CONNECT its SETTINGS say (RFC 8441 §3).
    this.#upgrade = { method: "CONNECT", scheme, authority, path, headers: fields, protocol: framing.protocol };
    this.#connection.awaitSettings(this);
  }

  /** The peer has said its SETTINGS, for which an upgrade waits. */
  onSettings(): void {
    if (this.#upgrade === undefined || this.#exchange.isOver) return;
    this.#open(this.#upgrade, declareBody(this.#upgrade.headers, this.#framing));
  }

  #open(request: Http2Request, isEnd: boolean): void {
    const { codec, flushes } = this.#connection;
    const id = codec.openStream(request, isEnd);
    if (typeof id !== "number") {
      if (id === "not-encodable") this.#exchange.breakOff("internal_error", "the request cannot be written as HTTP/2");
      else if (id === "no-connect-protocol")
        this.#exchange.breakOff("upstream_protocol_error", "the upstream does not take extended CONNECT (RFC 8441)");
      // The peer has allowed fewer streams meanwhile, or goes away: nothing was sent, so the request may go elsewhere.
      else this.#exchange.breakOff("upstream_refused", "the upstream's connection takes no more requests");
      return;
    }
    this.id = id;
    this.#openedAtFlush = flushes;
    this.#isRequestSent = isEnd;
    this.#connection.register(this);
    this.#connection.flushLater();
  }

  sendData(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isOver || this.#isRequestSent) return true;
    this.#bodyBytes += end - start;
    if (this.#framing.kind === "length" && this.#bodyBytes > this.#framing.bytes) {
      this.#exchange.breakOff("internal_error", "the request's body is longer than its Content-Length");
      return true;
    }
    const answer = this.#connection.codec.sendData(this.id, bytes, start, end, false);
    this.#connection.flushLater();
    return answer !== "full";
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#isOver || this.#isRequestSent) return;
    // What cannot be sent as a trailer is left out: the body is complete all the same.
    if (!this.#connection.codec.sendTrailers(this.id, trailers)) return;
    this.#isRequestSent = true;
    this.#connection.flushLater();
  }

  end(): void {
    if (this.#isOver || this.#isRequestSent) return;
    if (this.#framing.kind === "length" && this.#bodyBytes < this.#framing.bytes) {
      this.#exchange.breakOff("internal_error", "the request's body is shorter than its Content-Length");
      return;
    }
    this.#isRequestSent = true;
    this.#connection.codec.sendData(this.id, empty, 0, 0, true);
    this.#connection.flushLater();
    if (this.#hasPeerEnded) this.#endBoth();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    const byteCount = this.#unconsumedBytes;
    if (byteCount === 0) return;
    this.#unconsumedBytes = 0;
    this.#connection.codec.consume(this.id, byteCount);
    this.#connection.flushLater();
  }

  /** Only this stream ends: its connection carries the others on. */
  abandon(): void {
    this.#reset(Http2ErrorCode.cancel);
    this.#leave();
  }

  // What the connection reports -------------------------------------------------------------------

  onInformational(head: Http2ResponseHead): void {
    this.#exchange.sink.onInformational(head.status, head.headers);
  }

  onResponse(head: Http2ResponseHead, isEnd: boolean): void {
    this.#exchange.hasResponseHead = true;
    if (this.#framing.kind === "upgrade" && head.status >= 200 && head.status < 300) {
      // As HTTP/1.1 says it, whose clients want their proof.
      if (this.#webSocketKey !== undefined)
        head.headers.set("sec-websocket-accept", webSocketAccept(this.#webSocketKey));
      this.#exchange.sink.onHead(101, head.headers, untilEnd);
    } else if (this.#framing.kind === "connect" && head.status >= 200 && head.status < 300) {
      this.#isTunnel = true;
      // RFC 9110 §9.3.6: what follows has no length.
      head.headers.remove("content-length");
      this.#exchange.sink.onHead(head.status, head.headers, untilEnd);
    } else this.#exchange.sink.onHead(head.status, head.headers, framingOf(this.#method, head, isEnd));
    if (isEnd) this.onEnd();
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.#exchange.sink.onData(bytes, start, end);
    if (this.#isOver) return;
    if (this.#isPaused) this.#unconsumedBytes += end - start;
    else this.#connection.codec.consume(this.id, end - start);
  }

  onTrailers(trailers: HeaderList): void {
    this.#exchange.sink.onTrailers(trailers);
  }

  onEnd(): void {
    if (this.#isOver) return;
    this.#hasPeerEnded = true;
    if (this.#isTunnel && !this.#hasAllLeft) {
      if (this.#isRequestSent) this.#connection.awaitFlush(this);
      return this.#exchange.sink.onHalfEnd();
    }
    if (this.#isRequestSent) return this.#endBoth();
    // An answer to a request that is still being sent: the rest is of no use to anybody.
    this.#reset(Http2ErrorCode.cancel);
    this.#finish();
  }

  /**
   * Both halves have said their end. The place is given back when all has left: a connection that goes away closes as soon as no place is lent. An
   * answer waits for nothing, what CONNECT made is whole only then.
   */
  #endBoth(): void {
    if (this.#hasAllLeft) return this.#finish();
    this.#connection.awaitFlush(this);
    if (!this.#isTunnel) this.#exchange.finish();
  }

  get #hasAllLeft(): boolean {
    return this.#isRequestSent && this.#connection.codec.queuedBytes(this.id) === 0;
  }

  /** What waited for the peer's windows has left. */
  onFlushed(): void {
    this.#finish();
  }

  /** Nothing of what waits has left for a while. Whoever uses a tunnel has limits of time for it; of what is answered nobody else knows any more. */
  onFlushTimeout(): void {
    if (!this.#isTunnel) this.abandon();
  }

  #finish(): void {
    this.#leave();
    this.#exchange.finish();
  }

  onReset(errorCode: number, violation: Http2Violation | undefined): void {
    if (violation !== undefined) {
      this.failFor(violation);
      return;
    }
    // RFC 9113 §8.1: the answer is whole, and what else is sent is of no use to the peer.
    if (this.#hasPeerEnded && errorCode === Http2ErrorCode.noError) return this.#finish();
    const bytesWritten = errorCode === Http2ErrorCode.refusedStream ? 0 : this.bytesWritten;
    this.#leave();
    const text = `the upstream reset the stream (${errorCode})`;
    if (this.#exchange.hasResponseHead) this.#exchange.fail("upstream_reset_mid_response", text);
    else if (errorCode === Http2ErrorCode.refusedStream) this.#exchange.fail("upstream_refused", text, 0);
    else this.#exchange.fail("upstream_remote_reset", text, bytesWritten);
  }

  onWritable(): void {
    this.#exchange.drained();
  }

  onConnectionSpent(): void {
    if (this.#isTunnel) this.#exchange.sink.onConnectionSpent?.();
  }

  /** The peer broke the protocol, on this stream or on the connection. */
  failFor(violation: Http2Violation): void {
    const { bytesWritten } = this;
    this.#leave();
    this.#exchange.fail(
      this.#exchange.hasResponseHead ? "upstream_protocol_error_mid_response" : "upstream_protocol_error",
      `the upstream's response cannot be read: ${violation.reason}`,
      bytesWritten,
    );
  }

  /** The connection is gone. */
  lost(failure: SocketFailure | undefined): void {
    this.#isOver = true;
    failLost(this.#exchange, failure);
  }

  #reset(errorCode: number): void {
    if (this.id === 0 || this.#isOver) return;
    this.#connection.codec.resetStream(this.id, errorCode);
    this.#connection.flushLater();
  }

  /** Gives its place back, once. */
  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.release(this);
  }
}

function framingOf(method: string, { status, contentLength }: Http2ResponseHead, isEnd: boolean): Framing {
  if (method === "HEAD" || status === 204 || status === 304) return noBody;
  if (isEnd) return emptyBody;
  return contentLength >= 0 ? { kind: "length", bytes: contentLength } : chunked;
}
const noBody: Framing = { kind: "none" };
const emptyBody: Framing = { kind: "length", bytes: 0 };
const chunked: Framing = { kind: "chunked" };
const untilEnd: Framing = { kind: "close" };
const empty = Buffer.alloc(0);
