import { isIP } from "node:net";
import type { ErrorCode } from "@heddle/core";
import type { ConnectionView } from "@heddle/engine";
import { type Framing, HeaderList } from "@heddle/http";
import {
  canonicalHost,
  nothingKnown,
  type SocketAddress,
  type TlsSession,
  type VirtualCarrier,
  VirtualSocket,
} from "@heddle/net";
import type { ExchangeConnection, ExchangeSink, UpstreamExchange } from "@heddle/upstream";
import type { ConnectionHost } from "./pending-connection.ts";

/** Who asked by CONNECT, as which connection. */
export interface TunnelClient {
  readonly view: ConnectionView;
  readonly tlsSession: TlsSession | undefined;
  /** Of what was sent to it. */
  readonly queuedBytes: number;
}

/** What `:authority` of a CONNECT names; undefined: no address with a port, which no listener of ours stands for. */
export function destinationOf(authority: string): SocketAddress | undefined {
  const colon = authority.lastIndexOf(":");
  const text = authority.slice(0, Math.max(0, colon));
  const host = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const port = authority.slice(colon + 1);
  if (isIP(host) === 0 || !/^[1-9][0-9]{0,4}$/.test(port) || Number(port) > 65_535) return undefined;
  return { host: canonicalHost(host), port: Number(port) };
}

/**
 * A CONNECT that becomes a connection of another listener of this proxy (`heddle.v1.TunnelServer`): to the request path it is the upstream, to that
 * listener a socket. Its 200 is that listener's word that it serves it; before, nothing was carried.
 */
export class ServedTunnel implements UpstreamExchange {
  readonly isReusedConnection = false;
  readonly bytesWritten = 0;
  readonly connection: ExchangeConnection | undefined;
  readonly #client: TunnelClient;
  readonly #sink: ExchangeSink;
  readonly #socket: VirtualSocket;
  #isAccepted = false;
  #isOver = false;
  /** The listener's side takes nothing more for now. */
  #isPaused = false;
  /** The client's side takes nothing more for now. */
  #isClientPaused = false;
  #hasClientEnded = false;
  #hasServerEnded = false;
  #takenBytes = 0;

  constructor(client: TunnelClient, destination: SocketAddress, sink: ExchangeSink) {
    const { view, tlsSession } = client;
    this.#client = client;
    this.#sink = sink;
    this.#socket = new VirtualSocket(new ListenersSide(this), {
      remoteAddress: view.remoteAddress,
      localAddress: destination,
      // What was agreed on for the carrier says nothing of what it carries.
      tls: tlsSession === undefined ? undefined : { ...tlsSession, alpn: "" },
    });
  }

  /** Hands it to the listener, which may refuse it at once. */
  begin(listener: ConnectionHost): void {
    listener.takeOver(this.#socket, nothingKnown);
  }

  // What the client does ----------------------------------------------------------------------------

  sendHead(_method: string, _path: string, _authority: string, _headers: HeaderList, _framing: Framing): void {}

  sendData(bytes: Buffer, start: number, end: number): boolean {
    this.#socket.receive(bytes, start, end);
    return !this.#isPaused;
  }

  sendTrailers(): void {}

  end(): void {
    if (this.#hasClientEnded) return;
    this.#hasClientEnded = true;
    this.#socket.receiveEnd();
    this.#finishIfEnded();
  }

  pauseReading(): void {
    this.#isClientPaused = true;
  }

  resumeReading(): void {
    if (!this.#isClientPaused) return;
    this.#isClientPaused = false;
    this.#socket.drained();
  }

  /** The client is gone. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#socket.lost({ kind: "reset", code: "downstream_closed", text: "the stream was reset", cause: "" });
  }

  // What the listener's connection does -------------------------------------------------------------

  /** @internal */
  get queuedBytes(): number {
    return this.#isOver ? 0 : this.#client.queuedBytes;
  }

  /** @internal For the log alone: nobody is asked again for what this side sends. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** @internal */
  take(bytes: Buffer, start: number, end: number): boolean {
    this.#takenBytes += end - start;
    this.accept();
    if (!this.#isOver) this.#sink.onData(bytes, start, end);
    return !this.#isClientPaused;
  }

  /** @internal */
  takeEnd(): void {
    if (this.#hasServerEnded) return;
    this.#hasServerEnded = true;
    this.accept();
    if (this.#isOver) return;
    if (this.#hasClientEnded) this.#finishIfEnded();
    else this.#sink.onHalfEnd();
  }

  /** @internal */
  setPaused(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    if (!isPaused && !this.#isOver) this.#sink.onDrain();
  }

  /** @internal */
  accept(): void {
    if (this.#isAccepted || this.#isOver) return;
    this.#isAccepted = true;
    this.#sink.onConnected();
    if (!this.#isOver) this.#sink.onHead(200, new HeaderList(), { kind: "close" });
  }

  /** @internal */
  fail(code: ErrorCode): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#sink.onFailure({
      code,
      bytesWritten: 0,
      reusedConnection: false,
      responseStarted: this.#isAccepted,
      isCountedElsewhere: false,
      transportFailure: "",
    });
  }

  /** @internal */
  lose(): void {
    this.fail(this.#isAccepted ? "upstream_reset_mid_response" : "upstream_connect_failed");
  }

  #finishIfEnded(): void {
    if (this.#isOver || !this.#hasClientEnded || !this.#hasServerEnded) return;
    this.#isOver = true;
    this.#sink.onEnd();
  }
}

/** Apart from the exchange because either side has an `end`. */
class ListenersSide implements VirtualCarrier {
  /** Whether new streams come is the client's to know. */
  readonly isSpent = false;
  readonly #tunnel: ServedTunnel;

  constructor(tunnel: ServedTunnel) {
    this.#tunnel = tunnel;
  }

  get queuedBytes(): number {
    return this.#tunnel.queuedBytes;
  }
  get sentBytes(): number {
    return this.#tunnel.takenBytes;
  }
  write(bytes: Buffer, start: number, end: number): boolean {
    return this.#tunnel.take(bytes, start, end);
  }
  /** What waits for the client's windows its connection watches over. */
  end(): boolean {
    this.#tunnel.takeEnd();
    return true;
  }
  /** What the client still sends, the socket drops. */
  finish(): void {
    this.#tunnel.setPaused(false);
    this.#tunnel.takeEnd();
  }
  pause(): void {
    this.#tunnel.setPaused(true);
  }
  resume(): void {
    this.#tunnel.setPaused(false);
  }
  accept(): void {
    this.#tunnel.accept();
  }
  refuse(code: ErrorCode): void {
    this.#tunnel.fail(code);
  }
  cancel(): void {
    this.#tunnel.lose();
  }
}
