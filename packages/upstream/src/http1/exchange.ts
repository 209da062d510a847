import type { ErrorCode } from "@heddle/core";
import type { BoundCluster } from "@heddle/engine";
import type { Framing, HeaderList } from "@heddle/http";
import { encodeChunk, encodeLastChunk, encodeRequestHead } from "@heddle/http";
import type { ExchangeConnection, ExchangeSink, UpstreamExchange } from "../exchange.ts";
import type { Http1Connection } from "./connection.ts";
import type { Http1Pool } from "./pool.ts";

type State = "waiting" | "attached" | "over";

/**
 * One request on its way through a pool. Until a connection is there it keeps what was sent, encoded; from then on it writes
 * through. It ends once: by the response, by a failure, or by its owner.
 */
export class Http1Exchange implements UpstreamExchange {
  readonly cluster: BoundCluster;
  readonly sink: ExchangeSink;
  readonly #pool: Http1Pool;
  connection: ExchangeConnection | undefined;
  isReusedConnection = false;
  method = "";
  isRequestSent = false;
  hasResponseHead = false;
  #state: State = "waiting";
  #carrier: Http1Connection | undefined;
  /** `bytesWritten` of the connection when this exchange got it. */
  #writtenBefore = 0;
  #framing: Framing = { kind: "none" };
  #bodyBytes = 0;
  #kept: Buffer[] = [];
  #wantsDrain = false;
  #hasTrailers = false;

  constructor(pool: Http1Pool, cluster: BoundCluster, sink: ExchangeSink) {
    this.#pool = pool;
    this.cluster = cluster;
    this.sink = sink;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  get bytesWritten(): number {
    const carrier = this.#carrier;
    return carrier === undefined ? 0 : carrier.bytesWritten - this.#writtenBefore;
  }

  sendHead(method: string, path: string, authority: string, headers: HeaderList, framing: Framing): void {
    if (this.#state === "over") return;
    this.method = method;
    this.#framing = framing;
    const writer = this.#pool.writer;
    if (!encodeRequestHead(writer, method, path, authority, headers, framing)) {
      writer.reset();
      // A name or value that would end its line: the request must not go out in another shape than it was judged in.
      this.#breakOff("upstream_protocol_error", "the request cannot be written: a field holds a control character");
      return;
    }
    this.#carrier?.expect(method);
    this.#put();
    if (framing.kind === "none") this.isRequestSent = true;
  }

  sendData(bytes: Buffer, start: number, end: number): boolean {
    if (this.#state === "over") return true;
    this.#bodyBytes += end - start;
    const carrier = this.#carrier;
    if (this.#framing.kind === "chunked") {
      encodeChunk(this.#pool.writer, bytes, start, end);
      return this.#putData();
    }
    if (this.#framing.kind === "length" && this.#bodyBytes > this.#framing.bytes) {
      // More than was announced would be read as the next request.
      this.#breakOff("internal_error", "the request's body is longer than its Content-Length");
      return true;
    }
    if (carrier !== undefined) return carrier.write(bytes, start, end);
    this.#pool.writer.bytes(bytes, start, end);
    return this.#putData();
  }

  sendTrailers(trailers: HeaderList): void {
    if (this.#state === "over" || this.#framing.kind !== "chunked") return;
    this.#hasTrailers = true;
    encodeLastChunk(this.#pool.writer, this.cluster.config.enableTrailers ? trailers : undefined);
    this.#put();
  }

  end(): void {
    if (this.#state === "over" || this.isRequestSent) return;
    if (this.#framing.kind === "length" && this.#bodyBytes < this.#framing.bytes) {
      this.#breakOff("internal_error", "the request's body is shorter than its Content-Length");
      return;
    }
    if (this.#framing.kind === "chunked" && !this.#hasTrailers) {
      encodeLastChunk(this.#pool.writer);
      this.#put();
    }
    this.isRequestSent = true;
  }

  pauseReading(): void {
    this.#carrier?.pause();
  }

  resumeReading(): void {
    this.#carrier?.resume();
  }

  cancel(): void {
    if (this.#state === "over") return;
    const carrier = this.#carrier;
    this.#end();
    // A response that nobody reads cannot be skipped in HTTP/1.1: the connection goes with its request.
    if (carrier === undefined) this.#pool.withdraw(this);
    else carrier.abandon();
  }

  // What the pool and the connection report -----------------------------------------------------

  /** A connection was found or made: what was kept leaves, in one write where it can. */
  attach(carrier: Http1Connection, isReused: boolean): void {
    this.#state = "attached";
    this.#carrier = carrier;
    this.isReusedConnection = isReused;
    this.connection = carrier.view;
    this.#writtenBefore = carrier.bytesWritten;
    if (this.method !== "") carrier.expect(this.method);
    const kept = this.#kept;
    this.#kept = [];
    let isOpen = true;
    for (const bytes of kept) isOpen = carrier.write(bytes, 0, bytes.length);
    this.sink.onConnected();
    if (isOpen && this.#wantsDrain) this.drained();
  }

  drained(): void {
    if (this.#state !== "attached") return;
    this.#wantsDrain = false;
    this.sink.onDrain();
  }

  /** The response is whole. The connection has been given back already, so that `onEnd` may lead to its next use. */
  finish(): void {
    if (this.#state === "over") return;
    this.#end();
    this.sink.onEnd();
  }

  /** @param bytesWritten of the request, when fewer count than were written */
  fail(code: ErrorCode, transportFailure: string, bytesWritten: number = this.bytesWritten): void {
    if (this.#state === "over") return;
    const { isReusedConnection } = this;
    this.#end();
    this.sink.onFailure({
      code,
      bytesWritten,
      reusedConnection: isReusedConnection,
      responseStarted: this.hasResponseHead,
      transportFailure,
    });
  }

  /** This side gives up: the connection can carry nothing else. */
  #breakOff(code: ErrorCode, why: string): void {
    const carrier = this.#carrier;
    this.fail(code, why);
    if (carrier === undefined) this.#pool.withdraw(this);
    else carrier.abandon();
  }

  #end(): void {
    this.#state = "over";
    this.#carrier = undefined;
    this.#kept = [];
  }

  /** As `put`; whoever is told to wait is told when to go on. */
  #putData(): boolean {
    const isOpen = this.#put();
    if (!isOpen) this.#wantsDrain = true;
    return isOpen;
  }

  /** Sends or keeps what the writer holds. */
  #put(): boolean {
    const bytes = this.#pool.writer.take();
    const carrier = this.#carrier;
    if (carrier !== undefined) return carrier.write(bytes, 0, bytes.length);
    this.#kept.push(bytes);
    return false;
  }
}
