import type { BoundCluster, BoundEndpoint, LiveState } from "@heddle/engine";
import { type Framing, HeaderList } from "@heddle/http";
import type { ClientTlsContext, StreamSocket, SocketFailure, SocketHandler } from "@heddle/net";
import type { ErrorCode } from "@heddle/core";
import type { Dialing, DialOptions, DialOwner } from "./dial.ts";
import type { ExchangeConnection, ExchangeSink, UpstreamExchange } from "./exchange.ts";
import { describeConnection } from "./pooled-connection.ts";
import type { ProxiedClient } from "./proxy-preface.ts";
import type { UpstreamTimers } from "./timers.ts";

export interface TcpExchangeOptions {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  readonly client: ProxiedClient | undefined;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly live: LiveState;
  readonly dial: (options: DialOptions) => Dialing;
  readonly sink: ExchangeSink;
  /** It holds no connection any more. */
  readonly onClosed: (exchange: TcpExchange) => void;
}

/**
 * What a CONNECT carries, as plain bytes on a connection of its own (Envoy, `TcpUpstream`). The connection is there: that is the 200. Nothing was
 * sent before it, so that whatever fails until then can be tried elsewhere.
 */
export class TcpExchange implements UpstreamExchange, DialOwner, SocketHandler {
  readonly isReusedConnection = false;
  connection: ExchangeConnection | undefined;
  readonly #options: TcpExchangeOptions;
  #dial: Dialing | undefined;
  #socket: StreamSocket | undefined;
  #isSent = false;
  #hasUpstreamEnded = false;
  #isOver = false;

  constructor(options: TcpExchangeOptions) {
    this.#options = options;
  }

  /** Begins to connect. Only with a place for the connection, which is given back. */
  dial(): void {
    const { cluster, endpoint, tls, client, timers, wallMs, dial, sink } = this.#options;
    const isTunnelled = endpoint.tunnel !== undefined;
    const { announcement } = sink;
    this.#dial = dial({ cluster, endpoint, tls, isTunnelled, client, announcement, timers, wallMs, owner: this });
  }

  /** Ends before it begins. */
  refuse(code: ErrorCode, transportFailure: string): void {
    this.#fail(code, transportFailure);
  }

  get bytesWritten(): number {
    return this.#socket?.bytesWritten ?? 0;
  }

  /** The head is not the endpoint's to see. */
  sendHead(_method: string, _path: string, _authority: string, _headers: HeaderList, _framing: Framing): void {}

  sendData(bytes: Buffer, start: number, end: number): boolean {
    return this.#socket?.write(bytes, start, end) ?? true;
  }

  sendTrailers(): void {}

  end(): void {
    if (this.#isOver || this.#isSent) return;
    this.#isSent = true;
    this.#socket?.end();
  }

  pauseReading(): void {
    this.#socket?.pause();
  }

  resumeReading(): void {
    this.#socket?.resume();
  }

  cancel(): void {
    this.#isOver = true;
    this.close();
  }

  /** Breaks it off. */
  close(): void {
    this.#dial?.close();
    this.#socket?.destroy();
  }

  // DialOwner -------------------------------------------------------------------------------------

  onDialed(_dial: Dialing, socket: StreamSocket): void {
    this.#dial = undefined;
    this.#socket = socket;
    this.connection = describeConnection(socket);
    const { perConnectionBufferBytes } = this.#options.cluster.config;
    if (perConnectionBufferBytes > 0) socket.highWaterBytes = perConnectionBufferBytes;
    socket.handler = this;
    if (this.#isOver) return socket.destroy();
    const { sink } = this.#options;
    sink.onConnected();
    if (this.#isOver) return;
    sink.onHead(200, new HeaderList(), { kind: "close" });
    socket.start(this);
  }

  onDialFailed(_dial: Dialing, failure: SocketFailure, isCountedElsewhere = false): void {
    this.#dial = undefined;
    this.#leave();
    this.#fail(failure.code, failure.text, isCountedElsewhere);
  }

  // SocketHandler -------------------------------------------------------------------------------

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    if (!this.#isOver) this.#options.sink.onData(bytes, start, end);
    return end - start;
  }

  onEnd(): void {
    this.#hasUpstreamEnded = true;
    if (!this.#isOver && !this.#isSent) this.#options.sink.onHalfEnd();
  }

  onDrain(): void {
    if (!this.#isOver) this.#options.sink.onDrain();
  }

  onClose(failure: SocketFailure | undefined): void {
    this.#leave();
    // Both halves have ended, and all has left.
    if (this.#isSent && this.#hasUpstreamEnded && failure === undefined) this.#finish();
    else this.#fail("upstream_reset_mid_response", failure?.text ?? "the upstream closed the connection");
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.sink.onEnd();
  }

  #fail(code: ErrorCode, transportFailure: string, isCountedElsewhere = false): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.sink.onFailure({
      code,
      bytesWritten: this.bytesWritten,
      reusedConnection: false,
      responseStarted: this.connection !== undefined,
      isCountedElsewhere,
      transportFailure,
    });
  }

  #leave(): void {
    const { live, cluster, endpoint, onClosed } = this.#options;
    live.releaseConnection(cluster, endpoint);
    onClosed(this);
  }
}
