import type { OutputBuffer } from "@heddle/core";
import type { HeaderList } from "../header-list.ts";
import type { Http2Sink } from "./connection-sink.ts";
import { ConnectionState, lastPossibleId } from "./connection-state.ts";
import { Http2ErrorCode } from "./error-code.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import { encodeGoAway, encodePing } from "./frame-encoder.ts";
import type { Http2Limits } from "./limits.ts";
import type { Http2Request } from "./message-encoder.ts";
import { Receiver, shutdownPing } from "./receiver.ts";

/** Why a stream was not opened: this side is the server, the peer's limit, its GOAWAY or ours, no identifiers left, a peer without RFC 8441, fields that cannot be sent. */
export type OpenRefusal = "server" | "limit" | "going-away" | "exhausted" | "no-connect-protocol" | "not-encodable";

/** Output is gathered up to here before DATA waits in its streams' queues, where it takes turns: with one frame more it fits a buffer of 68 KiB. */
const outputLimit = 48 * 1024;

/**
 * One side of an HTTP/2 connection (RFC 9113): bytes in, events and bytes out. It has no socket and no clock; its owner pushes what came, asks for
 * `takeOutput` when the socket takes bytes, and gives the time with what it pushes.
 *
 * Windows: the connection's is given back as data comes, a stream's as it is consumed, so that a stream nobody reads stops none but itself; what is
 * held is bounded by streams times their window.
 */
export class Http2Connection {
  readonly #state: ConnectionState;
  readonly #decoder: FrameDecoder;

  constructor(role: "server" | "client", limits: Http2Limits, sink: Http2Sink) {
    this.#state = new ConnectionState(role === "server", limits, sink);
    this.#decoder = new FrameDecoder(role === "server", new Receiver(this.#state));
    this.#state.onDeath = () => this.#decoder.abandon();
    this.#state.begin();
  }

  /** The peer has said its preface and its SETTINGS (RFC 9113 §3.4): the first time to limit. */
  get isEstablished(): boolean {
    return this.#state.peer.isKnown;
  }

  /** Which header block, counted from 1, has begun and not ended: the time to limit (Envoy's request_headers_timeout); 0: none. */
  get openHead(): number {
    return this.#decoder.openBlockNumber;
  }

  /** Streams that are open or half-closed. */
  get streamCount(): number {
    return this.#state.streams.live.size;
  }

  /** Whether `takeOutput` would give bytes. */
  get hasOutput(): boolean {
    return this.#state.output.length > 0 || (!this.#state.isDead && this.#state.sender.hasReady);
  }

  /** After `onError` or `close`: what output there is, is the last. */
  get isDead(): boolean {
    return this.#state.isDead;
  }

  /** A shutdown is complete: no stream is left and none will come. */
  get isDrained(): boolean {
    return (this.#state.shutdownStep === "final" || this.#state.isPeerGoingAway) && this.#state.streams.live.size === 0;
  }

  /** Whether the peer takes extended CONNECT (RFC 8441 §3). */
  get peerEnablesConnectProtocol(): boolean {
    return this.#state.peer.enablesConnectProtocol;
  }

  /** Client: how many more streams may be opened now. */
  get availableStreams(): number {
    if (this.#state.isDead || this.#state.isPeerGoingAway || this.#state.shutdownStep !== "none") return 0;
    return Math.max(0, this.#state.peer.maxConcurrentStreams - this.#state.streams.ownCount);
  }

  /** Client: it has reset as many streams as it should on one connection. More would soon have the peer cut off what is in progress, too. */
  get hasResetEnough(): boolean {
    return this.#state.guard.hasResetEnough;
  }

  /** Decodes bytes [start, end), any piece of the input, and calls the sink. `nowMs` never goes back. */
  push(bytes: Buffer, start: number, end: number, nowMs: number): void {
    this.#state.nowMs = nowMs;
    if (!this.#state.isDead) this.#decoder.push(bytes, start, end);
  }

  /**
   * What is to be sent: first what was written in order, then DATA of the streams by turns, to about 64 KiB. The caller's, who gives it to a socket. Ask
   * only when the socket takes bytes, and again while `hasOutput`: what waits here is what is counted.
   */
  takeOutput(): OutputBuffer {
    if (!this.#state.isDead) this.#state.sender.pump(outputLimit);
    this.#state.guard.outputTaken();
    this.#state.sender.outputTaken();
    return this.#state.output.take();
  }

  /** Client: opens a stream. @returns its identifier, or why there is none */
  openStream(request: Http2Request, isEnd: boolean): number | OpenRefusal {
    if (this.#state.isServer) return "server";
    if (this.#state.isDead || this.#state.isPeerGoingAway || this.#state.shutdownStep !== "none") return "going-away";
    if (this.#state.streams.ownCount >= this.#state.peer.maxConcurrentStreams) return "limit";
    const id = this.#state.streams.lastOwnId === 0 ? 1 : this.#state.streams.lastOwnId + 2;
    if (id > lastPossibleId) return "exhausted";
    if (request.protocol !== undefined && !this.#state.peer.enablesConnectProtocol) return "no-connect-protocol";
    const block = this.#state.encoder.request(request);
    if (block === undefined) return "not-encodable";
    const stream = this.#state.makeStream(id);
    stream.method = request.method;
    stream.local = "body";
    this.#state.streams.add(stream, true);
    this.#state.guard.streamOpened();
    this.#state.writeBlock(stream, block, isEnd);
    return id;
  }

  /**
   * Server: sends the head of a response, or with a status below 200 one before it.
   *
   * @returns false, with nothing written, when the stream is gone, has a head already, or a field cannot be sent
   */
  sendHead(streamId: number, status: number, headers: HeaderList, isEnd: boolean): boolean {
    const stream = this.#state.streams.live.get(streamId);
    const isInformational = status < 200;
    if (stream === undefined || stream.local !== "head" || !this.#state.isServer || (isInformational && isEnd))
      return false;
    const block = this.#state.encoder.response(status, headers);
    if (block === undefined) return false;
    if (!isInformational) stream.local = "body";
    this.#state.writeBlock(stream, block, isEnd);
    return true;
  }

  /**
   * Sends bytes [start, end) of the body, which are copied.
   *
   * @param isEnd they are the last
   * @returns "full": taken, but wait for `onWritable` before the next; "gone": the stream has ended or sends nothing more
   */
  sendData(streamId: number, bytes: Buffer, start: number, end: number, isEnd: boolean): "open" | "full" | "gone" {
    const stream = this.#state.streams.live.get(streamId);
    if (stream === undefined || stream.local !== "body" || stream.endsAfterQueue) return "gone";
    return this.#state.sender.send(stream, bytes, start, end, isEnd, outputLimit) ? "open" : "full";
  }

  /** Ends the body with trailers, behind what is queued. @returns false when they cannot be sent; end the stream without them, then */
  sendTrailers(streamId: number, trailers: HeaderList): boolean {
    const stream = this.#state.streams.live.get(streamId);
    if (stream === undefined || stream.local !== "body" || stream.endsAfterQueue) return false;
    if (stream.queuedBytes > 0) {
      if (!this.#state.encoder.isEncodable(trailers)) return false;
      stream.trailers = trailers;
      stream.endsAfterQueue = true;
      return true;
    }
    const block = this.#state.encoder.trailers(trailers);
    if (block === undefined) return false;
    this.#state.writeBlock(stream, block, true);
    return true;
  }

  /** Gives back `byteCount` bytes of the stream's window: they were consumed. */
  consume(streamId: number, byteCount: number): void {
    this.#state.consume(streamId, byteCount);
  }

  /**
   * Server: what is still to come of the request is of no use: it is read and dropped, and the stream is reset with NO_ERROR once the response is
   * complete (RFC 9113 §8.1). Give back first what the stream still holds.
   */
  discardRequest(streamId: number): void {
    const stream = this.#state.streams.live.get(streamId);
    if (stream === undefined || stream.remote === "ended") return;
    stream.isDiscarded = true;
    this.#state.closeIfEnded(stream);
  }

  /** Ends a stream at once, in both directions; what was queued of it is dropped. The sink hears nothing. */
  resetStream(streamId: number, errorCode: number): void {
    this.#state.resetStream(streamId, errorCode);
  }

  /**
   * Streams of which data has waited for `graceMs` while fewer than `bytesPerSecond` of it went out: a peer that opens its windows drop by drop holds
   * memory for as long as it likes otherwise (CVE-2026-47774). Ask at intervals below `graceMs`; waiting is counted from the first that sees it.
   */
  stalledStreams(nowMs: number, graceMs: number, bytesPerSecond: number): number[] {
    const stalled: number[] = [];
    for (const stream of this.#state.streams.live.values()) {
      if (stream.queuedBytes === 0) continue;
      const waitedMs = stream.waitingSinceMs < 0 ? 0 : nowMs - stream.waitingSinceMs;
      if (stream.waitingSinceMs >= 0 && waitedMs < graceMs) continue;
      if (waitedMs > 0 && stream.sentWhileWaiting * 1000 < bytesPerSecond * waitedMs) stalled.push(stream.id);
      stream.waitingSinceMs = nowMs;
      stream.sentWhileWaiting = 0;
    }
    return stalled;
  }

  /** Bytes of a stream that wait for windows and their turn. */
  queuedBytes(streamId: number): number {
    return this.#state.streams.live.get(streamId)?.queuedBytes ?? 0;
  }

  /** Bytes of a stream's data that `takeOutput` has given; undefined of a stream that ended before the last one that did. */
  takenBytes(streamId: number): number | undefined {
    const stream = this.#state.streams.find(streamId);
    return stream === undefined ? undefined : this.#state.sender.takenBytes(stream);
  }

  /** Visits every stream that is open, with the bytes of it that wait for windows and their turn. */
  forEachStream(visit: (streamId: number, queuedBytes: number) => void): void {
    for (const { id, queuedBytes } of this.#state.streams.live.values()) visit(id, queuedBytes);
  }

  /** @param payload eight bytes; `onPingAck` brings them back */
  ping(payload: Buffer): void {
    if (!this.#state.isDead) encodePing(this.#state.output, payload, 0, false);
  }

  /**
   * Ends the connection without losing a request (RFC 9113 §6.8): says that the end is near, and after a round trip which streams were
   * the last. Streams that are open go on; see `isDrained`.
   */
  shutdown(): void {
    if (this.#state.isDead || this.#state.shutdownStep !== "none") return;
    this.#state.shutdownStep = "announced";
    encodeGoAway(this.#state.output, lastPossibleId, Http2ErrorCode.noError, "");
    encodePing(this.#state.output, shutdownPing, 0, false);
  }

  /** The second step of `shutdown`, for a peer that does not answer the PING between them. */
  finishShutdown(): void {
    this.#state.finishShutdown();
  }

  /** Ends the connection at once; send what output there is, and close. */
  close(errorCode: number): void {
    if (!this.#state.isDead) this.#state.die(errorCode, "");
  }
}
