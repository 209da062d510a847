import { randomBytes } from "node:crypto";
import type { ErrorCode, TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint, BoundTunnel } from "@heddle/engine";
import { type Framing, HeaderList } from "@heddle/http";
import type { ClientTlsContext, SocketFailure, VirtualCarrier } from "@heddle/net";
import { VirtualSocket } from "@heddle/net";
import type { Dialing, DialOptions } from "./dial.ts";
import { proxyPreface } from "./proxy-preface.ts";
import type {
  ExchangeConnection,
  ExchangeFailure,
  ExchangeSink,
  UpstreamExchange,
  UpstreamTransport,
} from "./exchange.ts";
import { flushTimeoutMs } from "./timers.ts";

/** Times that a stream is asked for anew because its carrier went away before it had seen the request. */
const maxReopenings = 3;
/** For the peer to end its half behind ours, when it has that. Its application sees a client that closes, and has nothing left to do. */
const peerEndTimeoutMs = 5000;
const connectFraming: Framing = { kind: "connect" };

export interface TunnelOptions {
  readonly tunnel: BoundTunnel;
  /** The cluster as its carriers see it. */
  readonly carrierCluster: BoundCluster;
  readonly carriers: UpstreamTransport;
}

/**
 * A connection to an endpoint that is a CONNECT stream of a carrier (HBONE): the carrier is lent by the pool of carriers, and the 200 is the
 * connection. Until then nothing was carried, so whatever fails is a connection that was not made.
 */
export class TunnelDial implements Dialing, ExchangeSink, VirtualCarrier, TimerTarget {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  /** Only who closes behind an answer asks, and that is never the side that dials. */
  readonly queuedBytes = 0;
  #connection: ExchangeConnection | undefined;
  readonly #options: DialOptions;
  readonly #tunnel: TunnelOptions;
  #exchange: UpstreamExchange | undefined;
  #socket: VirtualSocket | undefined;
  #timer: TimerHandle | undefined;
  #reopenings = 0;
  #isOver = false;
  #hasPeerEnded = false;
  /** The socket is gone; the stream waits for the peer, to take what was written and to end its half. */
  #isFinished = false;
  /** What waited for the peer's windows when that was last looked at. */
  #waitingBytes = 0;
  /** How long the peer may then take nothing and say nothing. */
  #patienceMs = peerEndTimeoutMs;
  /** What has left, once there is no stream to ask. */
  #lastSentBytes = 0;
  #writtenBytes = 0;

  constructor(options: DialOptions, tunnel: TunnelOptions) {
    const { cluster, endpoint } = options;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.tls = options.tls;
    this.#options = options;
    this.#tunnel = tunnel;
    // Its owner must know of it before it can fail.
    process.nextTick(open, this);
  }

  /** @internal */
  open(): void {
    if (this.#isOver) return;
    const { carriers, carrierCluster, tunnel } = this.#tunnel;
    const reopenings = this.#reopenings;
    const exchange = carriers.open(tunnel.carrier, carrierCluster, this, undefined);
    // It may have failed inside `open`, and another one taken its place.
    if (this.#isOver || reopenings !== this.#reopenings) return;
    this.#exchange = exchange;
    exchange.sendHead("CONNECT", "", tunnel.authority, this.#headers(), connectFraming);
  }

  /** The owner hears of it as of a failure. */
  close(): void {
    const exchange = this.#exchange;
    this.#fail({ kind: "local", code: "upstream_connect_failed", text: "given up", cause: "" });
    exchange?.cancel();
  }

  /** There was no answer in time, or no end. */
  onTimer(): void {
    this.#timer = undefined;
    if (this.#isFinished) return this.#unsentBytes < this.#waitingBytes ? this.#awaitEnd() : this.cancel();
    const exchange = this.#exchange;
    const { address } = this.#tunnel.tunnel.carrier;
    const text = `no tunnel through ${address} within ${this.cluster.config.connectTimeoutMs} ms`;
    this.#fail({ kind: "timeout", code: "upstream_connect_timeout", text, cause: "" });
    exchange?.cancel();
  }

  /** W3C trace context, a new trace as nobody has begun one, and what the workload says of itself (`baggage`). */
  #headers(): HeaderList {
    const headers = new HeaderList();
    const { announcement = "" } = this.#options;
    if (announcement !== "") headers.set("baggage", announcement);
    headers.set("traceparent", `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-00`);
    return headers;
  }

  #fail(failure: SocketFailure, isCountedElsewhere = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#exchange = undefined;
    this.#cancelTimer();
    this.#options.owner.onDialFailed(this, failure, isCountedElsewhere);
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#options.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  // ExchangeSink ----------------------------------------------------------------------------------

  /** The carrier is there, which has its own time to connect: one failure for all that wait for it. */
  onConnected(): void {
    const { connectTimeoutMs } = this.cluster.config;
    if (connectTimeoutMs > 0) this.#timer ??= this.#options.timers.schedule(connectTimeoutMs, this);
  }

  onInformational(): void {}
  onTrailers(): void {}

  onHead(status: number): void {
    const { connection } = this.#exchange ?? {};
    if (this.#isOver || connection === undefined) return;
    if (status < 200 || status >= 300) {
      const exchange = this.#exchange;
      const text = `the proxy at ${this.#tunnel.tunnel.carrier.address} answered CONNECT with ${status}`;
      this.#fail({ kind: "refused", code: "upstream_connect_failed", text, cause: "" });
      exchange?.cancel();
      return;
    }
    this.#isOver = true;
    this.#connection = connection;
    this.#cancelTimer();
    const { host, port } = this.endpoint;
    this.#socket = new VirtualSocket(this, {
      remoteAddress: { host, port },
      localAddress: connection.localAddress,
      // What was agreed on for the carrier says nothing of what it carries.
      tls: connection.session === undefined ? undefined : { ...connection.session, alpn: "" },
    });
    // Of whoever is passed on the endpoint hears first, as on a connection of its own.
    const preface = proxyPreface(this.endpoint, this.#options.client);
    if (preface !== undefined) this.#socket.write(preface, 0, preface.length);
    this.#options.owner.onDialed(this, this.#socket);
  }

  onConnectionSpent(): void {
    this.#socket?.carrierSpent();
  }

  onData(bytes: Buffer, start: number, end: number): void {
    this.#socket?.receive(bytes, start, end);
  }

  onHalfEnd(): void {
    if (this.#hasPeerEnded) return;
    this.#hasPeerEnded = true;
    this.#socket?.receiveEnd();
  }

  onEnd(): void {
    this.#forget(this.#writtenBytes);
    if (this.#socket === undefined) {
      // An answer that was whole before it could be refused.
      const text = `the proxy at ${this.#tunnel.tunnel.carrier.address} refused CONNECT`;
      this.#fail({ kind: "refused", code: "upstream_connect_failed", text, cause: "" });
      return;
    }
    this.onHalfEnd();
    this.#socket.flushed();
  }

  onDrain(): void {
    this.#socket?.drained();
  }

  onFailure({ code, bytesWritten, transportFailure, isCountedElsewhere }: ExchangeFailure): void {
    this.#forget(bytesOf(bytesWritten));
    if (this.#socket !== undefined) {
      this.#socket.lost({ kind: "reset", code: "upstream_reset", text: transportFailure, cause: "" });
      return;
    }
    // A carrier that was going away: another one takes the stream.
    if (!this.#isOver && code === "upstream_refused" && bytesWritten === 0 && this.#reopenings < maxReopenings) {
      this.#reopenings += 1;
      process.nextTick(open, this);
      return;
    }
    this.#fail({ kind: "reset", code: connectCode(code), text: transportFailure, cause: "" }, isCountedElsewhere);
  }

  // VirtualCarrier --------------------------------------------------------------------------------

  get sentBytes(): number {
    return this.#exchange === undefined ? this.#lastSentBytes : bytesOf(this.#exchange.bytesWritten);
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    this.#writtenBytes += end - start;
    return this.#exchange?.sendData(bytes, start, end) ?? true;
  }

  end(): boolean {
    this.#exchange?.end();
    return this.#exchange === undefined;
  }

  finish(): void {
    if (this.#exchange === undefined) return;
    this.#isFinished = true;
    // Of what waits it reads the last when all has left.
    if (this.#unsentBytes > 0) this.#patienceMs = flushTimeoutMs;
    this.#awaitEnd();
    // Its end comes behind all that it still sends.
    this.#exchange.resumeReading();
    this.#exchange.end();
  }

  #awaitEnd(): void {
    this.#waitingBytes = this.#unsentBytes;
    this.#timer = this.#options.timers.schedule(this.#patienceMs, this);
  }

  get #unsentBytes(): number {
    return this.#writtenBytes - this.sentBytes;
  }

  pause(): void {
    this.#exchange?.pauseReading();
  }

  resume(): void {
    this.#exchange?.resumeReading();
  }

  get isSpent(): boolean {
    return this.#connection?.takesNoMore() ?? false;
  }

  accept(): void {}

  refuse(): void {
    this.cancel();
  }

  cancel(): void {
    const exchange = this.#exchange;
    this.#forget(this.sentBytes);
    exchange?.cancel();
  }

  /** The stream is over. */
  #forget(sentBytes: number): void {
    this.#lastSentBytes = sentBytes;
    this.#exchange = undefined;
    if (this.#isFinished) this.#cancelTimer();
  }
}

/** Of the stream's data: its head counts as one byte. */
function bytesOf(bytesWritten: number): number {
  return Math.max(0, bytesWritten - 1);
}

/** To whoever wanted a connection, one was not made; why the carrier's was not is kept where it says more. */
function connectCode(code: ErrorCode): ErrorCode {
  return code === "overflow" ||
    code === "upstream_tls_failed" ||
    code === "upstream_peer_rejected" ||
    code === "upstream_connect_timeout"
    ? code
    : "upstream_connect_failed";
}

function open(dial: TunnelDial): void {
  dial.open();
}
