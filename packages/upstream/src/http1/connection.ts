import { randomBytes } from "node:crypto";
import type { BoundCluster, BoundEndpoint } from "@heddle/engine";
import type {
  Framing,
  HeaderList,
  HeaderNames,
  Http1Limits,
  Http1ResponseSink,
  Http1Violation,
  ResponseHead,
} from "@heddle/http";
import {
  encodeLastChunk,
  encodeRequestHead,
  Http1ResponseDecoder,
  properCaseWords,
  webSocketAccept,
  writeChunk,
} from "@heddle/http";
import type { ClientTlsContext, StreamSocket, SocketFailure, SocketHandler } from "@heddle/net";
import type { ExchangeConnection } from "../exchange.ts";
import {
  type ConnectionOptions,
  describeConnection,
  failLost,
  isWornOut,
  type PooledConnection,
} from "../pooled-connection.ts";
import type { PooledExchange, RequestStream } from "../pooled-exchange.ts";

/** One HTTP/1.1 connection to an endpoint: one request at a time, many after one another. */
export class Http1Connection implements PooledConnection, RequestStream, SocketHandler {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  readonly isTunnelled: boolean;
  idleSinceMs: number;
  readonly madeAtMs: number;
  isListed = false;
  #requests = 0;
  readonly #options: ConnectionOptions;
  readonly #socket: StreamSocket;
  readonly #view: ExchangeConnection;
  readonly #decoder: Http1ResponseDecoder;
  /** How names of requests are written that were not kept as they came. */
  readonly #names: HeaderNames | undefined;
  #state: "idle" | "busy" | "closed" = "idle";
  /** From the upstream's last `Keep-Alive: timeout=…`, less a margin for the way there. */
  #idleAllowedMs = Number.POSITIVE_INFINITY;
  #exchange: PooledExchange | undefined;
  /** The upstream has closed its side: what is missing now is missing because of that. */
  #hasUpstreamEnded = false;

  // The request that it carries.
  #writtenBefore = 0;
  #framing: Framing = noBody;
  #bodyBytes = 0;
  #isRequestSent = false;
  #isAnswered = false;
  #hasTrailers = false;
  /** The upstream has switched to the protocol that the request asked for, or has made the way that CONNECT asked for. */
  #isTunnel = false;
  /** Of a WebSocket handshake whose client has none: HTTP/2 does without. */
  #madeKey: string | undefined;
  /** Nothing more is sent through the tunnel. */
  #isTunnelSent = false;

  constructor(options: ConnectionOptions, limits: Http1Limits) {
    this.#options = options;
    this.cluster = options.cluster;
    this.endpoint = options.endpoint;
    this.tls = options.tls;
    this.isTunnelled = options.isTunnelled;
    this.#socket = options.socket;
    this.#view = describeConnection(options.socket);
    const { headerKeyFormat } = options.cluster.config;
    this.#names = headerKeyFormat === "proper-words" ? properCaseWords : undefined;
    this.#decoder = new Http1ResponseDecoder(limits, new ResponseEvents(this));
    this.madeAtMs = options.timers.now();
    this.idleSinceMs = this.madeAtMs;
    options.socket.start(this);
  }

  get activeStreams(): number {
    return this.#state === "busy" ? 1 : 0;
  }

  get capacity(): number {
    return this.#state === "idle" ? 1 : 0;
  }

  isSpent(nowMs: number): boolean {
    if (this.#state === "idle" && nowMs - this.idleSinceMs >= this.#idleAllowedMs) return true;
    // Inside a carrier that goes away, or is old: that one closes when it has no streams.
    if (this.#socket.isCarrierSpent) return true;
    return isWornOut(this.cluster, this.#requests, nowMs - this.madeAtMs);
  }

  carry(exchange: PooledExchange): void {
    const isReused = this.#requests > 0;
    this.#requests += 1;
    this.#state = "busy";
    this.#exchange = exchange;
    this.#writtenBefore = this.#socket.bytesWritten;
    this.#framing = noBody;
    this.#madeKey = undefined;
    this.#bodyBytes = 0;
    this.#isRequestSent = false;
    this.#isAnswered = false;
    this.#hasTrailers = false;
    exchange.attach(this, this.#view, isReused);
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#decoder.abandon();
    const isAnswerOver = this.#isAnswered || this.#hasUpstreamEnded;
    const isRequestOver = this.#isTunnel ? this.#isTunnelSent : this.#isRequestSent;
    // To reset a stream where nothing is cut short would cost its carrier: peers allow few resets.
    if (this.#state === "idle" || (isRequestOver && isAnswerOver)) this.#socket.finish();
    else this.#socket.destroy();
  }

  // RequestStream -------------------------------------------------------------------------------

  /** Handed to the kernel or to TLS, by the carrier where there is one: what still waits in this process cannot have reached anybody. */
  get bytesWritten(): number {
    return this.#socket.bytesWritten - this.#writtenBefore;
  }

  sendHead(method: string, path: string, authority: string, headers: HeaderList, framing: Framing): void {
    this.#framing = framing;
    const isWebSocket = framing.kind === "upgrade" && framing.protocol === "websocket";
    const sent = isWebSocket && !headers.has("sec-websocket-key") ? this.#withKey(headers) : headers;
    const head = encodeRequestHead(method, path, authority, sent, framing, this.#names);
    if (head === undefined) {
      // A name or value that would end its line: the request must not go out in another shape than it was judged in.
      this.#exchange?.breakOff("internal_error", "the request cannot be written: a field holds a control character");
      return;
    }
    this.#decoder.expect(method, framing.kind === "upgrade");
    this.#socket.writeText(head);
    if (framing.kind === "none" || framing.kind === "upgrade" || framing.kind === "connect") this.#isRequestSent = true;
  }

  /** HTTP/1.1 demands one. It is this attempt's alone. */
  #withKey(headers: HeaderList): HeaderList {
    this.#madeKey = randomBytes(16).toString("base64");
    const sent = headers.clone();
    sent.set("sec-websocket-key", this.#madeKey);
    return sent;
  }

  sendData(bytes: Buffer, start: number, end: number): boolean {
    this.#bodyBytes += end - start;
    if (this.#framing.kind === "chunked") return writeChunk(this.#socket, bytes, start, end);
    if (this.#framing.kind === "length" && this.#bodyBytes > this.#framing.bytes) {
      // More than was announced would be read as the next request.
      this.#exchange?.breakOff("internal_error", "the request's body is longer than its Content-Length");
      return true;
    }
    return this.#socket.write(bytes, start, end);
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#framing.kind !== "chunked") return;
    this.#hasTrailers = true;
    this.#socket.writeText(encodeLastChunk(this.cluster.config.enableTrailers ? trailers : undefined, this.#names));
  }

  end(): void {
    if (this.#isTunnel) {
      this.#isTunnelSent = true;
      this.#socket.end();
    }
    if (this.#isRequestSent) return;
    if (this.#framing.kind === "length" && this.#bodyBytes < this.#framing.bytes) {
      this.#exchange?.breakOff("internal_error", "the request's body is shorter than its Content-Length");
      return;
    }
    if (this.#framing.kind === "chunked" && !this.#hasTrailers) this.#socket.writeText(encodeLastChunk());
    this.#isRequestSent = true;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** A response that nobody reads cannot be skipped in HTTP/1.1: the connection goes with its request. */
  abandon(): void {
    this.#exchange = undefined;
    this.close();
  }

  // SocketHandler -------------------------------------------------------------------------------

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    if (this.#state === "idle") {
      // Nobody asked for anything: whatever it is, it must not become the answer to the next request.
      this.close();
      return end - start;
    }
    if (this.bytesWritten === 0) {
      // Nor can it answer a request that still waits to leave, which may be sent again elsewhere.
      const exchange = this.#exchange;
      this.#exchange = undefined;
      exchange?.fail("upstream_reset", "the upstream sent something before it was asked");
      this.close();
      return end - start;
    }
    return this.#decoder.push(bytes, start, end);
  }

  onEnd(): void {
    // The upstream will answer nothing more; a body that ends with the connection ends here.
    this.#hasUpstreamEnded = true;
    // Each half of what CONNECT made ends by itself, as in the TCP that it carries; when both have, and all has left, the socket closes.
    if (this.#isTunnel && this.#framing.kind === "connect") {
      if (!this.#isTunnelSent) this.#exchange?.sink.onHalfEnd();
      return;
    }
    this.#decoder.finish();
    this.close();
  }

  onDrain(): void {
    this.#exchange?.drained();
  }

  /** The carrier closes when nothing is left inside: a request in progress is the last. */
  onCarrierSpent(): void {
    if (this.#state === "idle") this.close();
  }

  onClose(failure: SocketFailure | undefined): void {
    const exchange = this.#exchange;
    this.#state = "closed";
    this.#exchange = undefined;
    if (this.#isTunnelSent && this.#hasUpstreamEnded && failure === undefined) exchange?.finish();
    else if (exchange !== undefined) failLost(exchange, failure);
    this.#options.owner.onConnectionClosed(this);
  }

  // What the decoder reads ----------------------------------------------------------------------

  informational(head: ResponseHead): void {
    this.#exchange?.sink.onInformational(head.status, head.headers);
  }

  head(head: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    if (head.status === 101 && !this.#isProven(head)) {
      exchange.breakOff("upstream_protocol_error", "the upstream's sec-websocket-accept is not that of the key");
      return;
    }
    exchange.hasResponseHead = true;
    if (head.status === 101 || (this.#framing.kind === "connect" && head.status < 300)) this.#isTunnel = true;
    const keepAlive = head.headers.get("keep-alive");
    if (keepAlive !== undefined) this.#idleAllowedMs = idleAllowedMs(keepAlive);
    exchange.sink.onHead(head.status, head.headers, framingOf(head));
  }

  /** RFC 6455 §4.1: whoever made the key must fail a handshake without its proof. Of its own key the client judges. */
  #isProven({ headers }: ResponseHead): boolean {
    return this.#madeKey === undefined || headers.get("sec-websocket-accept") === webSocketAccept(this.#madeKey);
  }

  data(bytes: Buffer, start: number, end: number): void {
    this.#exchange?.sink.onData(bytes, start, end);
  }

  trailers(trailers: HeaderList): void {
    this.#exchange?.sink.onTrailers(trailers);
  }

  /** The response is whole. */
  responseEnd(): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    this.#exchange = undefined;
    this.#isAnswered = true;
    const { timers, owner } = this.#options;
    const now = timers.now();
    // A request still being sent would be cut off in its middle and taken for the next one.
    if (this.#isRequestSent && !this.#hasUpstreamEnded && this.#decoder.isReusable && !this.isSpent(now)) {
      this.#state = "idle";
      this.idleSinceMs = now;
      // A reader that had paused must not leave the connection deaf to its end.
      this.#socket.resume();
      owner.onConnectionFree(this);
    } else {
      this.close();
    }
    exchange.finish();
  }

  violated(violation: Http1Violation): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange !== undefined) this.#failFor(exchange, violation);
    this.close();
  }

  #failFor(exchange: PooledExchange, violation: Http1Violation): void {
    const { hasResponseHead } = exchange;
    if (this.#hasUpstreamEnded) {
      exchange.fail(
        hasResponseHead ? "upstream_reset_mid_response" : "upstream_reset",
        "the upstream closed the connection",
      );
      return;
    }
    exchange.fail(
      hasResponseHead ? "upstream_protocol_error_mid_response" : "upstream_protocol_error",
      `the upstream's response cannot be read: ${violation.reason}`,
    );
  }
}

/** The decoder's sink, apart from the connection because both hear of an `onEnd`. */
class ResponseEvents implements Http1ResponseSink {
  readonly #connection: Http1Connection;
  constructor(connection: Http1Connection) {
    this.#connection = connection;
  }
  onInformational(head: ResponseHead): void {
    this.#connection.informational(head);
  }
  onHead(head: ResponseHead): void {
    this.#connection.head(head);
  }
  onData(bytes: Buffer, start: number, end: number): void {
    this.#connection.data(bytes, start, end);
  }
  onTrailers(trailers: HeaderList): void {
    this.#connection.trailers(trailers);
  }
  onEnd(): void {
    this.#connection.responseEnd();
  }
  onError(violation: Http1Violation): void {
    this.#connection.violated(violation);
  }
}

/** Long enough for a request to get there before the upstream's timer fires. */
const keepAliveMarginMs = 1000;

/**
 * How long an upstream that sends this field leaves the connection open for certain (RFC 2068 §19.7.1.1; Node's servers send 5 s). Using it later is the
 * race that loses requests which may not be sent twice.
 */
function idleAllowedMs(keepAlive: string): number {
  const timeoutMs = Number(/(?:^|[,;\s])timeout=(\d{1,9})/i.exec(keepAlive)?.[1] ?? Number.POSITIVE_INFINITY) * 1000;
  return Math.max(timeoutMs - keepAliveMarginMs, timeoutMs / 2);
}

function framingOf(head: ResponseHead): Framing {
  switch (head.bodyKind) {
    case "none":
      return noBody;
    case "length":
      return { kind: "length", bytes: head.contentLength };
    case "chunked":
      return chunked;
    case "close":
      return untilClose;
  }
}
const noBody: Framing = { kind: "none" };
const chunked: Framing = { kind: "chunked" };
const untilClose: Framing = { kind: "close" };
