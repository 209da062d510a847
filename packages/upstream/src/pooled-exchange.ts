import type { ErrorCode } from "@heddle/core";
import type { BoundCluster } from "@heddle/engine";
import type { Framing, HeaderList } from "@heddle/http";
import type { ExchangeConnection, ExchangeSink, UpstreamExchange } from "./exchange.ts";
import type { Pool } from "./pool.ts";

/** One request on one connection, whatever that speaks. What it reports goes to the exchange that it carries. */
export interface RequestStream {
  /** Bytes of this request that the kernel or TLS may have got. */
  readonly bytesWritten: number;
  sendHead(
    method: string,
    path: string,
    authority: string,
    headers: HeaderList,
    framing: Framing,
    scheme: string | undefined,
  ): void;
  /** @returns false: taken, but wait for `drained` */
  sendData(bytes: Buffer, start: number, end: number): boolean;
  sendTrailers(trailers: HeaderList): void;
  end(): void;
  pause(): void;
  resume(): void;
  /** Nobody waits for the response any more. */
  abandon(): void;
}

interface KeptHead {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: HeaderList;
  readonly framing: Framing;
  readonly scheme: string | undefined;
}

/**
 * One request on its way through a pool. Until a connection is there it keeps what was sent; from then on it hands it
 * through. It ends once: by the response, by a failure, or by its owner.
 */
export class PooledExchange implements UpstreamExchange {
  readonly cluster: BoundCluster;
  readonly sink: ExchangeSink;
  readonly #pool: Pool;
  connection: ExchangeConnection | undefined;
  isReusedConnection = false;
  hasResponseHead = false;
  #isOver = false;
  #stream: RequestStream | undefined;
  #head: KeptHead | undefined;
  #kept: Buffer[] | undefined;
  #trailers: HeaderList | undefined;
  #hasEnded = false;
  #wantsDrain = false;

  constructor(pool: Pool, cluster: BoundCluster, sink: ExchangeSink) {
    this.#pool = pool;
    this.cluster = cluster;
    this.sink = sink;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get bytesWritten(): number {
    return this.#stream?.bytesWritten ?? 0;
  }

  sendHead(
    method: string,
    path: string,
    authority: string,
    headers: HeaderList,
    framing: Framing,
    scheme?: string,
  ): void {
    if (this.#isOver) return;
    if (this.#stream !== undefined) this.#stream.sendHead(method, path, authority, headers, framing, scheme);
    else this.#head = { method, path, authority, headers, framing, scheme };
  }

  sendData(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isOver) return true;
    if (this.#stream !== undefined) return this.#stream.sendData(bytes, start, end);
    (this.#kept ??= []).push(Buffer.copyBytesFrom(bytes, start, end - start));
    this.#wantsDrain = true;
    return false;
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#isOver) return;
    if (this.#stream !== undefined) this.#stream.sendTrailers(trailers);
    else this.#trailers = trailers;
  }

  end(): void {
    if (this.#isOver || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stream?.end();
  }

  pauseReading(): void {
    this.#stream?.pause();
  }

  resumeReading(): void {
    this.#stream?.resume();
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#leave();
  }

  // What the pool and the connection report -----------------------------------------------------

  /** A connection was found or made: what was kept leaves, in one write where it can. */
  attach(stream: RequestStream, connection: ExchangeConnection, isReused: boolean): void {
    this.#stream = stream;
    this.isReusedConnection = isReused;
    this.connection = connection;
    const isOpen = this.#sendKept(stream);
    if (this.#isOver) return;
    this.sink.onConnected();
    if (isOpen && this.#wantsDrain) this.drained();
  }

  drained(): void {
    if (this.#isOver || this.#stream === undefined) return;
    this.#wantsDrain = false;
    this.sink.onDrain();
  }

  /** The response is whole. The connection has been given back already, so that `onEnd` may lead to its next use. */
  finish(): void {
    if (this.#isOver) return;
    this.#end();
    this.sink.onEnd();
  }

  /**
   * @param bytesWritten of the request, when fewer count than were written
   * @param isCountedElsewhere another exchange counts the failure of the connection that both waited for
   */
  fail(
    code: ErrorCode,
    transportFailure: string,
    bytesWritten: number = this.bytesWritten,
    isCountedElsewhere = false,
  ): void {
    if (this.#isOver) return;
    const { isReusedConnection } = this;
    this.#end();
    this.sink.onFailure({
      code,
      bytesWritten,
      reusedConnection: isReusedConnection,
      responseStarted: this.hasResponseHead,
      isCountedElsewhere,
      transportFailure,
    });
  }

  /** This side gives up on the request: its stream can carry nothing else. */
  breakOff(code: ErrorCode, why: string): void {
    if (this.#isOver) return;
    const stream = this.#stream;
    this.fail(code, why);
    stream?.abandon();
  }

  #sendKept(stream: RequestStream): boolean {
    const head = this.#head;
    if (head === undefined) return true;
    this.#head = undefined;
    stream.sendHead(head.method, head.path, head.authority, head.headers, head.framing, head.scheme);
    const kept = this.#kept;
    this.#kept = undefined;
    let isOpen = true;
    for (const bytes of kept ?? []) if (!this.#isOver) isOpen = stream.sendData(bytes, 0, bytes.length);
    if (this.#trailers !== undefined && !this.#isOver) stream.sendTrailers(this.#trailers);
    if (this.#hasEnded && !this.#isOver) stream.end();
    return isOpen;
  }

  #leave(): void {
    const stream = this.#stream;
    this.#end();
    if (stream === undefined) this.#pool.withdraw(this);
    else stream.abandon();
  }

  #end(): void {
    this.#isOver = true;
    this.#stream = undefined;
    this.#kept = undefined;
    this.#head = undefined;
  }
}
