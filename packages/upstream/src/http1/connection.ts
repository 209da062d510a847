import type { BoundCluster, BoundEndpoint } from "@heddle/engine";
import type { Framing, HeaderList, Http1Limits, Http1ResponseSink, Http1Violation, ResponseHead } from "@heddle/http";
import { Http1ResponseDecoder } from "@heddle/http";
import type { ClientTlsContext, SocketAddress, SocketFailure, SocketHandler } from "@heddle/net";
import { FastSocket } from "@heddle/net";
import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { ExchangeConnection } from "../exchange.ts";
import type { Http1Exchange } from "./exchange.ts";
import type { UpstreamTimers } from "./transport.ts";

/** What a connection tells its pool. */
export interface ConnectionOwner {
  onConnectionReady(connection: Http1Connection): void;
  /** The response ended and the connection may carry another request. */
  onConnectionFree(connection: Http1Connection): void;
  /** It is gone: `failure` when it never became ready. Its exchange, if it had one, has been told. */
  onConnectionClosed(connection: Http1Connection, failure: SocketFailure | undefined): void;
}

export interface ConnectionOptions {
  readonly endpoint: BoundEndpoint;
  readonly cluster: BoundCluster;
  readonly tls: ClientTlsContext | undefined;
  readonly limits: Http1Limits;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly owner: ConnectionOwner;
}

type State = "connecting" | "idle" | "busy" | "closed";

/** One HTTP/1.1 connection to an endpoint: one request at a time, many after one another. */
export class Http1Connection implements SocketHandler, TimerTarget {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  /** Monotonic milliseconds at which it became idle, or was made. */
  idleSinceMs: number;
  requests = 0;
  #view: ExchangeConnection | undefined;
  readonly #options: ConnectionOptions;
  readonly #socket: FastSocket;
  readonly #decoder: Http1ResponseDecoder;
  readonly #madeAtMs: number;
  #connectTimer: TimerHandle | undefined;
  #state: State = "connecting";
  #isUpgrading = false;
  /** From the upstream's last `Keep-Alive: timeout=…`, less a margin for the way there. */
  #idleAllowedMs = Number.POSITIVE_INFINITY;
  #exchange: Http1Exchange | undefined;
  /** The upstream has closed its side: what is missing now is missing because of that. */
  #hasUpstreamEnded = false;
  #failure: SocketFailure | undefined;

  constructor(options: ConnectionOptions) {
    const { endpoint, cluster, timers } = options;
    this.#options = options;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.tls = options.tls;
    this.#decoder = new Http1ResponseDecoder(options.limits, new ResponseEvents(this));
    this.#madeAtMs = timers.now();
    this.idleSinceMs = this.#madeAtMs;
    const { connectTimeoutMs, tcpKeepalive, perConnectionBufferBytes } = cluster.config;
    if (connectTimeoutMs > 0) this.#connectTimer = timers.schedule(connectTimeoutMs, this);
    this.#socket = FastSocket.connect({ host: endpoint.host, port: endpoint.port }, this, { keepalive: tcpKeepalive });
    if (perConnectionBufferBytes > 0) this.#socket.highWaterBytes = perConnectionBufferBytes;
  }

  /** Handed to the kernel or to TLS: what still waits in this process cannot have reached anybody. */
  get bytesWritten(): number {
    return this.#socket.bytesWritten;
  }

  get isIdle(): boolean {
    return this.#state === "idle";
  }

  get view(): ExchangeConnection {
    return (this.#view ??= describe(this.#socket));
  }

  /** Old enough, used often enough, or idle for almost as long as the upstream allows, to be replaced rather than used again. */
  isSpent(nowMs: number): boolean {
    if (this.#state === "idle" && nowMs - this.idleSinceMs >= this.#idleAllowedMs) return true;
    const { maxRequestsPerConnection, maxConnectionDurationMs } = this.cluster.config;
    if (maxRequestsPerConnection > 0 && this.requests >= maxRequestsPerConnection) return true;
    return maxConnectionDurationMs > 0 && nowMs - this.#madeAtMs >= maxConnectionDurationMs;
  }

  /** Lends the connection to an exchange. Only when idle. */
  carry(exchange: Http1Exchange): void {
    const isReused = this.requests > 0;
    this.requests += 1;
    this.#state = "busy";
    this.#exchange = exchange;
    exchange.attach(this, isReused);
  }

  /** A request head was or will be written: its response comes next. */
  expect(method: string): void {
    this.#decoder.expect(method);
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    return this.#socket.write(bytes, start, end);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** The exchange has left: with a response outstanding the connection is of no use. */
  abandon(): void {
    this.#exchange = undefined;
    this.close();
  }

  close(): void {
    if (this.#state === "closed") return;
    this.#decoder.abandon();
    this.#socket.destroy();
  }

  // SocketHandler -------------------------------------------------------------------------------

  onReady(): void {
    const { tls, timers, wallMs, owner } = this.#options;
    if (tls !== undefined && !this.#isUpgrading) {
      this.#isUpgrading = true;
      this.#socket.upgrade(tls, wallMs, this);
      return;
    }
    if (this.#connectTimer !== undefined) timers.cancel(this.#connectTimer);
    this.#connectTimer = undefined;
    this.#state = "idle";
    this.#socket.start(this);
    owner.onConnectionReady(this);
  }

  onBytes(bytes: Buffer, start: number, end: number): number {
    if (this.#state === "idle") {
      // Nobody asked for anything: whatever it is, it must not become the answer to the next request.
      this.close();
      return end - start;
    }
    return this.#decoder.push(bytes, start, end);
  }

  onEnd(): void {
    // The upstream will answer nothing more; a body that ends with the connection ends here.
    this.#hasUpstreamEnded = true;
    this.#decoder.finish();
    this.close();
  }

  onDrain(): void {
    this.#exchange?.drained();
  }

  onClose(failure: SocketFailure | undefined): void {
    const wasReady = this.#state !== "connecting";
    const exchange = this.#exchange;
    this.#state = "closed";
    this.#exchange = undefined;
    if (this.#connectTimer !== undefined) this.#options.timers.cancel(this.#connectTimer);
    this.#connectTimer = undefined;
    const reason = this.#failure ?? failure;
    if (exchange !== undefined) this.#tellLost(exchange, reason);
    this.#options.owner.onConnectionClosed(this, wasReady ? undefined : (reason ?? closedWhileConnecting));
  }

  /** The connection went with its request. */
  #tellLost(exchange: Http1Exchange, reason: SocketFailure | undefined): void {
    const text = reason?.text ?? "the upstream closed the connection";
    // TLS 1.3 lets a client send before the server has judged its certificate (RFC 8446 §4.4.2.4): such an alert ends a handshake that only seemed
    // to be over, and the server never looked at the request.
    const isHandshakes = reason?.kind === "peer" && !exchange.isReusedConnection && !exchange.hasResponseHead;
    if (isHandshakes) exchange.fail(reason.code, text, 0);
    else exchange.fail(exchange.hasResponseHead ? "upstream_reset_mid_response" : "upstream_reset", text);
  }

  /** The connection was not made in time. */
  onTimer(): void {
    this.#connectTimer = undefined;
    const { host, port } = this.endpoint;
    this.#failure = {
      kind: "timeout",
      code: "upstream_connect_timeout",
      text: `no connection to ${formatAddress({ host, port })} within ${this.cluster.config.connectTimeoutMs} ms`,
      cause: "",
    };
    this.#socket.destroy(this.#failure);
  }

  // What the decoder reads ----------------------------------------------------------------------

  informational(head: ResponseHead): void {
    this.#exchange?.sink.onInformational(head.status, head.headers);
  }

  head(head: ResponseHead): void {
    const exchange = this.#exchange;
    if (exchange === undefined) return;
    exchange.hasResponseHead = true;
    const keepAlive = head.headers.get("keep-alive");
    if (keepAlive !== undefined) this.#idleAllowedMs = idleAllowedMs(keepAlive);
    exchange.sink.onHead(head.status, head.headers, framingOf(head));
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
    const { timers, owner } = this.#options;
    const now = timers.now();
    // A request still being sent would be cut off in its middle and taken for the next one.
    if (exchange.isRequestSent && !this.#hasUpstreamEnded && this.#decoder.isReusable && !this.isSpent(now)) {
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
    this.close();
    if (exchange === undefined) return;
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

const closedWhileConnecting: SocketFailure = {
  kind: "reset",
  code: "upstream_connect_failed",
  text: "the connection was closed before it was ready",
  cause: "",
};

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

function describe(socket: FastSocket): ExchangeConnection {
  return {
    localAddress: socket.localAddress,
    remoteAddress: socket.remoteAddress,
    peer: socket.tls?.peer,
    tlsVersion: socket.tls?.version ?? "",
  };
}

function formatAddress({ host, port }: SocketAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
