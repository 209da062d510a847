import { ByteWriter } from "../byte-writer.ts";
import type { HeaderList } from "../header-list.ts";
import { HpackDecoder } from "../hpack/decoder.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import { removeForbiddenTrailers } from "../trailer-fields.ts";
import type { Http2Sink } from "./connection-sink.ts";
import { DataSender } from "./data-sender.ts";
import { Http2ErrorCode } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import { clientPreface, defaultMaxFrameBytes, defaultWindow, SettingId } from "./frame.ts";
import type { FrameSink } from "./frame-decoder.ts";
import { FrameDecoder } from "./frame-decoder.ts";
import {
  encodeGoAway,
  encodeHeaderBlock,
  encodePing,
  encodeRstStream,
  encodeSettings,
  encodeSettingsAck,
  encodeWindowUpdate,
} from "./frame-encoder.ts";
import type { Http2Limits } from "./limits.ts";
import type { Http2Request } from "./message-encoder.ts";
import { MessageEncoder } from "./message-encoder.ts";
import type { Http2ResponseHead } from "./message-head.ts";
import { MessageReader } from "./message-head.ts";
import { PeerSettings } from "./peer-settings.ts";
import { Http2Stream } from "./stream.ts";
import type { Ending } from "./stream-table.ts";
import { StreamTable } from "./stream-table.ts";
import type { Http2Rule } from "./violation.ts";
import { http2Violations } from "./violation.ts";

/** Why a stream was not opened: this side is the server, the peer's limit, its GOAWAY or ours, no identifiers left, a peer without RFC 8441, fields that cannot be sent. */
export type OpenRefusal = "server" | "limit" | "going-away" | "exhausted" | "no-connect-protocol" | "not-encodable";

/** Output is gathered up to here before DATA waits in its streams' queues, where it takes turns. */
const outputLimit = 64 * 1024;

/** Of the PING that measures the round trip between both GOAWAYs of a graceful shutdown. */
const shutdownPing = Buffer.from("shutdown", "latin1");

const lastPossibleId = 0x7fffffff;

/**
 * One side of an HTTP/2 connection (RFC 9113): bytes in, events and bytes out. It has no socket and no clock; its owner pushes what came, asks for
 * `takeOutput` when the socket takes bytes, and gives the time with what it pushes.
 *
 * Windows: the connection's is given back as data comes, a stream's as it is consumed, so that a stream nobody reads stops none but itself; what is
 * held is bounded by streams times their window.
 */
export class Http2Connection implements FrameSink {
  readonly #isServer: boolean;
  readonly #limits: Http2Limits;
  readonly #sink: Http2Sink;
  readonly #output = new ByteWriter();
  readonly #decoder: FrameDecoder;
  readonly #hpackDecoder: HpackDecoder;
  readonly #hpackEncoder: HpackEncoder;
  readonly #reader: MessageReader;
  readonly #encoder: MessageEncoder;
  readonly #guard: FloodGuard;
  readonly #sender: DataSender;
  readonly #streams: StreamTable;
  readonly #peer = new PeerSettings();
  #nowMs = 0;
  #isDead = false;
  #settingsUnacknowledged = 1;
  #receiveWindow: number;
  #receiveCreditDue = 0;
  /** The stream of the DATA frame at hand; undefined when its content is nobody's. */
  #dataStream: Http2Stream | undefined;
  #dataIsEmpty = false;
  /** A header block that has not ended: its parts, its stream, and what its HEADERS frame said. */
  #block = new ByteWriter(0);
  #blockStreamId = 0;
  #blockIsEnd = false;
  #blockIsSelfDependent = false;
  #shutdown: "none" | "announced" | "final" = "none";
  /** The highest stream of the peer that is worked on, once the last GOAWAY is out. */
  #lastAcceptedId = lastPossibleId;
  #isPeerGoingAway = false;

  constructor(role: "server" | "client", limits: Http2Limits, sink: Http2Sink) {
    this.#isServer = role === "server";
    this.#limits = limits;
    this.#sink = sink;
    this.#streams = new StreamTable(this.#isServer);
    this.#decoder = new FrameDecoder(this.#isServer, this);
    // 4096 until the peer has acknowledged SETTINGS (RFC 9113 §6.5.2).
    this.#hpackDecoder = new HpackDecoder(4096, {
      maxListBytes: limits.maxHeaderListBytes,
      maxFields: limits.maxHeaders,
    });
    this.#hpackEncoder = new HpackEncoder(limits.headerTableBytes);
    this.#reader = new MessageReader(this.#hpackDecoder);
    this.#encoder = new MessageEncoder(this.#hpackEncoder);
    this.#guard = new FloodGuard(limits);
    this.#sender = new DataSender(this.#output, this.#guard, limits.maxQueuedBytes, {
      onDrained: (stream) => this.#finishLocal(stream),
      onRoom: (stream) => this.#sink.onWritable(stream.id),
    });
    this.#receiveWindow = Math.max(defaultWindow, limits.connectionWindowBytes);
    this.#begin();
  }

  /** Streams that are open or half-closed. */
  get streamCount(): number {
    return this.#streams.live.size;
  }

  /** Whether `takeOutput` would give bytes. */
  get hasOutput(): boolean {
    return this.#output.length > 0 || (!this.#isDead && this.#sender.hasReady);
  }

  /** After `onError` or `close`: what output there is, is the last. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** A shutdown is complete: no stream is left and none will come. */
  get isDrained(): boolean {
    return (this.#shutdown === "final" || this.#isPeerGoingAway) && this.#streams.live.size === 0;
  }

  /** Whether the peer takes extended CONNECT (RFC 8441 §3). */
  get peerEnablesConnectProtocol(): boolean {
    return this.#peer.enablesConnectProtocol;
  }

  /** Client: how many more streams may be opened now. */
  get availableStreams(): number {
    if (this.#isDead || this.#isPeerGoingAway || this.#shutdown !== "none") return 0;
    return Math.max(0, this.#peer.maxConcurrentStreams - this.#streams.ownCount);
  }

  /** Decodes bytes [start, end), any piece of the input, and calls the sink. `nowMs` never goes back. */
  push(bytes: Buffer, start: number, end: number, nowMs: number): void {
    this.#nowMs = nowMs;
    if (!this.#isDead) this.#decoder.push(bytes, start, end);
  }

  /**
   * What is to be sent: first what was written in order, then DATA of the streams by turns, to about 64 KiB. Owned by the caller. Ask only when
   * the socket takes bytes, and again while `hasOutput`: what waits here is what is counted.
   */
  takeOutput(): Buffer {
    if (!this.#isDead) this.#sender.pump(outputLimit);
    this.#guard.outputTaken();
    return this.#output.take();
  }

  /** Client: opens a stream. @returns its identifier, or why there is none */
  openStream(request: Http2Request, isEnd: boolean): number | OpenRefusal {
    if (this.#isServer) return "server";
    if (this.#isDead || this.#isPeerGoingAway || this.#shutdown !== "none") return "going-away";
    if (this.#streams.ownCount >= this.#peer.maxConcurrentStreams) return "limit";
    const id = this.#streams.lastOwnId === 0 ? 1 : this.#streams.lastOwnId + 2;
    if (id > lastPossibleId) return "exhausted";
    if (request.protocol !== undefined && !this.#peer.enablesConnectProtocol) return "no-connect-protocol";
    const block = this.#encoder.request(request);
    if (block === undefined) return "not-encodable";
    const stream = this.#makeStream(id);
    stream.method = request.method;
    stream.local = "body";
    this.#streams.add(stream, true);
    this.#guard.streamOpened();
    this.#writeBlock(stream, block, isEnd);
    return id;
  }

  /**
   * Server: sends the head of a response, or with a status below 200 one before it.
   *
   * @returns false, with nothing written, when the stream is gone, has a head already, or a field cannot be sent
   */
  sendHead(
    streamId: number,
    status: number,
    headers: HeaderList,
    isEnd: boolean,
    sensitive?: readonly string[],
  ): boolean {
    const stream = this.#streams.live.get(streamId);
    const isInformational = status < 200;
    if (stream === undefined || stream.local !== "head" || !this.#isServer || (isInformational && isEnd)) return false;
    const block = this.#encoder.response(status, headers, sensitive);
    if (block === undefined) return false;
    if (!isInformational) stream.local = "body";
    this.#writeBlock(stream, block, isEnd);
    return true;
  }

  /**
   * Sends bytes [start, end) of the body, which are copied.
   *
   * @param isEnd they are the last; holds only when all were taken
   * @returns how many were taken: fewer when the stream's queue is full, and then `onWritable` tells when to go on; -1 when nothing can be sent
   */
  sendData(streamId: number, bytes: Buffer, start: number, end: number, isEnd: boolean): number {
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined || stream.local !== "body" || stream.endsAfterQueue) return -1;
    return this.#sender.send(stream, bytes, start, end, isEnd, outputLimit);
  }

  /** Ends the body with trailers, behind what is queued. @returns false when they cannot be sent; end the stream without them, then */
  sendTrailers(streamId: number, trailers: HeaderList): boolean {
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined || stream.local !== "body" || stream.endsAfterQueue) return false;
    if (stream.queuedBytes > 0) {
      if (!this.#encoder.isEncodable(trailers)) return false;
      stream.trailers = trailers;
      stream.endsAfterQueue = true;
      return true;
    }
    const block = this.#encoder.trailers(trailers);
    if (block === undefined) return false;
    this.#writeBlock(stream, block, true);
    return true;
  }

  /** Gives back `byteCount` bytes of the stream's window: they were consumed. */
  consume(streamId: number, byteCount: number): void {
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined || stream.remote === "ended") return;
    stream.creditDue += byteCount;
    // Half a window at a time: fewer frames, and the peer does not stop before they arrive.
    if (stream.creditDue * 2 < this.#limits.streamWindowBytes) return;
    const increment = stream.creditDue;
    stream.receiveWindow += increment;
    stream.creditDue = 0;
    this.#writeWindowUpdate(stream.id, increment);
  }

  /** Ends a stream at once, in both directions; what was queued of it is dropped. The sink hears nothing. */
  resetStream(streamId: number, errorCode: number): void {
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined) return;
    encodeRstStream(this.#output, stream.id, errorCode);
    this.#endStream(stream, "reset-here");
  }

  /**
   * Streams of which data has waited for `graceMs` while fewer than `bytesPerSecond` of it went out: a peer that opens its windows drop by drop holds
   * memory for as long as it likes otherwise (CVE-2026-47774). Ask at intervals below `graceMs`; waiting is counted from the first that sees it.
   */
  stalledStreams(nowMs: number, graceMs: number, bytesPerSecond: number): number[] {
    const stalled: number[] = [];
    for (const stream of this.#streams.live.values()) {
      if (stream.queuedBytes === 0) continue;
      const waitedMs = stream.waitingSinceMs < 0 ? 0 : nowMs - stream.waitingSinceMs;
      if (stream.waitingSinceMs >= 0 && waitedMs < graceMs) continue;
      if (waitedMs > 0 && stream.sentWhileWaiting * 1000 < bytesPerSecond * waitedMs) stalled.push(stream.id);
      stream.waitingSinceMs = nowMs;
      stream.sentWhileWaiting = 0;
    }
    return stalled;
  }

  /** @param payload eight bytes; `onPingAck` brings them back */
  ping(payload: Buffer): void {
    if (!this.#isDead) encodePing(this.#output, payload, 0, false);
  }

  /**
   * Ends the connection without losing a request (RFC 9113 §6.8): says that the end is near, and after a round trip which streams were
   * the last. Streams that are open go on; see `isDrained`.
   */
  shutdown(): void {
    if (this.#isDead || this.#shutdown !== "none") return;
    this.#shutdown = "announced";
    encodeGoAway(this.#output, lastPossibleId, Http2ErrorCode.noError, "");
    encodePing(this.#output, shutdownPing, 0, false);
  }

  /** The second step of `shutdown`, for a peer that does not answer the PING between them. */
  finishShutdown(): void {
    if (this.#isDead || this.#shutdown === "final") return;
    this.#shutdown = "final";
    this.#lastAcceptedId = this.#streams.lastPeerId;
    encodeGoAway(this.#output, this.#lastAcceptedId, Http2ErrorCode.noError, "");
  }

  /** Ends the connection at once; send what output there is, and close. */
  close(errorCode: number): void {
    if (!this.#isDead) this.#die(errorCode, "");
  }

  onDataFrame(streamId: number, flowBytes: number, contentBytes: number): void {
    this.#dataStream = undefined;
    this.#dataIsEmpty = contentBytes === 0;
    this.#receiveWindow -= flowBytes;
    if (this.#receiveWindow < 0) return this.#cutOff("windowExceeded");
    this.#creditConnection(flowBytes);
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined) return this.#judgeLateFrame(streamId);
    if (stream.remote === "ended") return this.#failStream(stream, "closedStream");
    if (stream.remote === "head") return this.#failStream(stream, "unexpectedMessagePart");
    stream.receiveWindow -= flowBytes;
    if (stream.receiveWindow < 0) return this.#failStream(stream, "windowExceeded");
    stream.receivedBytes += contentBytes;
    if (stream.expectedBytes >= 0 && stream.receivedBytes > stream.expectedBytes) {
      return this.#failStream(stream, "contentLengthMismatch");
    }
    this.#dataStream = stream;
    if (flowBytes > contentBytes) this.consume(streamId, flowBytes - contentBytes);
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    const stream = this.#dataStream;
    if (stream === undefined || start === end) return;
    if (stream.isDiscarded) this.consume(stream.id, end - start);
    else this.#sink.onData(stream.id, bytes, start, end);
  }

  onDataFrameEnd(isEnd: boolean): void {
    const rule = this.#guard.payloadFrame(this.#dataIsEmpty && !isEnd);
    if (rule !== "") return this.#cutOff(rule);
    const stream = this.#dataStream;
    this.#dataStream = undefined;
    if (stream !== undefined && isEnd) this.#finishRemote(stream);
  }

  onHeadersFrame(
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
    endsHeaders: boolean,
    isEnd: boolean,
    isSelfDependent: boolean,
  ): void {
    const rule = this.#guard.payloadFrame(start === end && !isEnd);
    if (rule !== "") return this.#cutOff(rule);
    this.#blockStreamId = streamId;
    this.#blockIsEnd = isEnd;
    this.#blockIsSelfDependent = isSelfDependent;
    if (endsHeaders) return this.#readBlock(bytes, start, end);
    if (end - start > this.#limits.maxHeaderBlockBytes) return this.#cutOff("headerBlockTooLarge");
    this.#block.reset();
    this.#block.bytes(bytes, start, end);
  }

  onContinuationFrame(bytes: Buffer, start: number, end: number, endsHeaders: boolean): void {
    const rule = this.#guard.payloadFrame(start === end && !endsHeaders);
    if (rule !== "") return this.#cutOff(rule);
    if (this.#block.length + (end - start) > this.#limits.maxHeaderBlockBytes) {
      return this.#cutOff("headerBlockTooLarge");
    }
    this.#block.bytes(bytes, start, end);
    if (!endsHeaders) return;
    const block = this.#block.take();
    this.#block = new ByteWriter(0);
    this.#readBlock(block, 0, block.length);
  }

  onPriorityFrame(streamId: number, isSelfDependent: boolean): void {
    const rule = this.#guard.priorityFrame();
    if (rule !== "") this.#cutOff(rule);
    else if (isSelfDependent) this.onStreamViolation(streamId, "selfDependency");
  }

  onRstStreamFrame(streamId: number, errorCode: number): void {
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined && this.#streams.isIdle(streamId)) return this.#cutOff("idleStream");
    if (this.#isServer) {
      const lifetimeMs = stream === undefined ? -1 : this.#nowMs - stream.openedMs;
      const rule = this.#guard.peerReset(this.#nowMs, lifetimeMs);
      if (rule !== "") return this.#cutOff(rule);
    }
    if (stream === undefined) return;
    this.#endStream(stream, "reset-there");
    this.#sink.onReset(streamId, errorCode, undefined);
  }

  onSettingsFrame(bytes: Buffer, start: number, end: number): void {
    const before = this.#peer.initialWindowBytes;
    const rule = this.#peer.apply(bytes, start, end, !this.#isServer);
    if (rule !== "") return this.#cutOff(rule);
    this.#hpackEncoder.setPeerMaxTableBytes(this.#peer.headerTableBytes);
    const change = this.#peer.initialWindowBytes - before;
    if (change !== 0) {
      for (const stream of this.#streams.live.values()) {
        if (!this.#sender.widenStream(stream, change)) return this.#cutOff("windowOverflow");
      }
    }
    encodeSettingsAck(this.#output);
    if (this.#countControlFrame()) this.#sink.onSettings();
  }

  onSettingsAck(): void {
    if (this.#settingsUnacknowledged === 0) return this.#cutOff("unexpectedSettingsAck");
    this.#settingsUnacknowledged -= 1;
    this.#hpackDecoder.setMaxTableBytes(this.#limits.headerTableBytes);
  }

  onPingFrame(bytes: Buffer, start: number, isAck: boolean): void {
    if (!isAck) {
      encodePing(this.#output, bytes, start, true);
      this.#countControlFrame();
    } else if (this.#shutdown === "announced" && shutdownPing.compare(bytes, start, start + 8) === 0) {
      this.finishShutdown();
    } else {
      this.#sink.onPingAck(bytes, start);
    }
  }

  onGoAwayFrame(lastStreamId: number, errorCode: number, bytes: Buffer, start: number, end: number): void {
    this.#isPeerGoingAway = true;
    this.#sink.onGoAway(lastStreamId, errorCode, bytes.toString("latin1", start, Math.min(end, start + 256)));
    if (this.#isServer) return;
    for (const stream of this.#streams.live.values()) {
      if (stream.id <= lastStreamId || this.#isDead) continue;
      this.#endStream(stream, "reset-there");
      this.#sink.onReset(stream.id, Http2ErrorCode.refusedStream, undefined);
    }
  }

  onWindowUpdateFrame(streamId: number, increment: number): void {
    const rule = this.#guard.windowUpdate();
    if (rule !== "") return this.#cutOff(rule);
    if (streamId === 0) {
      if (increment === 0) this.#cutOff("zeroIncrement");
      else if (!this.#sender.widenConnection(increment)) this.#cutOff("windowOverflow");
      return;
    }
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined) {
      if (this.#streams.isIdle(streamId)) this.#cutOff("idleStream");
    } else if (increment === 0) {
      this.#failStream(stream, "zeroIncrement");
    } else if (!this.#sender.widenStream(stream, increment)) {
      this.#failStream(stream, "windowOverflow");
    }
  }

  /** An idle stream must not be reset (RFC 9113 §6.4), one that has ended cannot: its error is the connection's. */
  onStreamViolation(streamId: number, rule: Http2Rule): void {
    const stream = this.#streams.live.get(streamId);
    if (stream === undefined) this.#cutOff(rule);
    else this.#failStream(stream, rule);
  }

  onConnectionViolation(rule: Http2Rule): void {
    this.#cutOff(rule);
  }

  #begin(): void {
    const limits = this.#limits;
    const output = this.#output;
    if (!this.#isServer) output.bytes(clientPreface, 0, clientPreface.length);
    const settings: [number, number][] = [
      [SettingId.headerTableSize, limits.headerTableBytes],
      [SettingId.initialWindowSize, limits.streamWindowBytes],
      [SettingId.maxHeaderListSize, limits.maxHeaderListBytes],
    ];
    if (this.#isServer) settings.push([SettingId.maxConcurrentStreams, limits.maxConcurrentStreams]);
    else settings.push([SettingId.enablePush, 0]);
    if (this.#isServer && limits.enableConnectProtocol) settings.push([SettingId.enableConnectProtocol, 1]);
    encodeSettings(output, settings);
    if (this.#receiveWindow > defaultWindow) encodeWindowUpdate(output, 0, this.#receiveWindow - defaultWindow);
  }

  #makeStream(id: number): Http2Stream {
    return new Http2Stream(id, this.#nowMs, this.#limits.streamWindowBytes, this.#peer.initialWindowBytes);
  }

  #creditConnection(byteCount: number): void {
    this.#receiveCreditDue += byteCount;
    if (this.#receiveCreditDue * 2 < Math.max(defaultWindow, this.#limits.connectionWindowBytes)) return;
    const increment = this.#receiveCreditDue;
    this.#receiveWindow += increment;
    this.#receiveCreditDue = 0;
    this.#writeWindowUpdate(0, increment);
  }

  #writeWindowUpdate(streamId: number, increment: number): void {
    encodeWindowUpdate(this.#output, streamId, increment);
    const rule = this.#guard.frameQueued(false);
    if (rule !== "") this.#cutOff(rule);
  }

  /** A header block is complete. Whatever becomes of it, the table must see it (RFC 9113 §4.3). */
  #readBlock(bytes: Buffer, start: number, end: number): void {
    const id = this.#blockStreamId;
    const stream = this.#streams.live.get(id);
    if (stream === undefined) {
      if (this.#isServer && this.#streams.isIdle(id)) return this.#readNewRequest(id, bytes, start, end);
      if (this.#reader.skip(bytes, start, end) !== "") return this.#cutOff("compression");
      return this.#judgeLateFrame(id);
    }
    if (this.#blockIsSelfDependent || stream.remote === "ended") {
      if (this.#reader.skip(bytes, start, end) !== "") return this.#cutOff("compression");
      return this.#failStream(stream, this.#blockIsSelfDependent ? "selfDependency" : "closedStream");
    }
    if (stream.remote === "body") this.#readTrailers(stream, bytes, start, end);
    else this.#readResponse(stream, bytes, start, end);
  }

  #readNewRequest(id: number, bytes: Buffer, start: number, end: number): void {
    if (id % 2 === 0) return this.#cutOff("badStreamId");
    this.#streams.lastPeerId = id;
    const head = this.#reader.readRequest(bytes, start, end, this.#limits.enableConnectProtocol);
    if (head === "compression") return this.#cutOff(head);
    if (id > this.#lastAcceptedId) return this.#streams.remember(id, "reset-here");
    const stream = this.#makeStream(id);
    const isRefused = this.#streams.peerCount >= this.#limits.maxConcurrentStreams;
    this.#streams.add(stream, false);
    this.#guard.streamOpened();
    if (isRefused) return this.#failStream(stream, "refusedStream", true);
    if (this.#blockIsSelfDependent) return this.#failStream(stream, "selfDependency", true);
    stream.remote = "body";
    const isEnd = this.#blockIsEnd;
    if (head === "headersTooLarge") {
      stream.isDiscarded = true;
      if (isEnd) stream.remote = "ended";
      return this.#sink.onHeadersTooLarge(id);
    }
    if (typeof head === "string") return this.#failStream(stream, head, true);
    stream.method = head.method;
    stream.expectedBytes = head.contentLength;
    if (isEnd && head.contentLength > 0) return this.#failStream(stream, "contentLengthMismatch", true);
    if (isEnd) stream.remote = "ended";
    this.#sink.onRequest(id, head, isEnd);
  }

  #readResponse(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    const isEnd = this.#blockIsEnd;
    const head = this.#reader.readResponse(bytes, start, end);
    if (typeof head === "string") return head === "compression" ? this.#cutOff(head) : this.#failStream(stream, head);
    if (head.status < 200) {
      if (isEnd) this.#failStream(stream, "unexpectedMessagePart");
      else this.#sink.onInformational(stream.id, head);
      return;
    }
    stream.expectedBytes = bodyBytes(stream.method, head);
    if (isEnd && stream.expectedBytes > 0) return this.#failStream(stream, "contentLengthMismatch");
    stream.remote = isEnd ? "ended" : "body";
    this.#sink.onResponse(stream.id, head, isEnd);
    if (isEnd) this.#closeIfEnded(stream);
  }

  #readTrailers(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    const isEnd = this.#blockIsEnd;
    const trailers = this.#reader.readTrailers(bytes, start, end);
    if (trailers === "compression") return this.#cutOff(trailers);
    // A second header section that does not end the stream is no trailer section (RFC 9113 §8.1).
    if (!isEnd) return this.#failStream(stream, "unexpectedMessagePart");
    if (typeof trailers === "string") return this.#failStream(stream, trailers);
    if (stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes) {
      return this.#failStream(stream, "contentLengthMismatch");
    }
    removeForbiddenTrailers(trailers);
    if (trailers.length > 0 && !stream.isDiscarded) this.#sink.onTrailers(stream.id, trailers);
    this.#finishRemote(stream);
  }

  #finishRemote(stream: Http2Stream): void {
    // The sink may have reset it.
    if (this.#streams.live.get(stream.id) !== stream) return;
    if (stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes) {
      return this.#failStream(stream, "contentLengthMismatch");
    }
    stream.remote = "ended";
    if (!stream.isDiscarded) this.#sink.onEnd(stream.id);
    this.#closeIfEnded(stream);
  }

  /** The queue is empty: the stream ends, if it was to end. */
  #finishLocal(stream: Http2Stream): void {
    if (!stream.endsAfterQueue) return;
    const { trailers } = stream;
    if (trailers !== undefined) {
      stream.trailers = undefined;
      const block = this.#encoder.trailers(trailers);
      if (block !== undefined) return this.#writeBlock(stream, block, true);
    }
    stream.local = "ended";
    this.#closeIfEnded(stream);
  }

  #closeIfEnded(stream: Http2Stream): void {
    if (stream.local !== "ended") return;
    if (stream.remote === "ended") this.#endStream(stream, "ended");
    // The answer to a head beyond the limits is complete: the body is of no use (RFC 9113 §8.1).
    else if (stream.isDiscarded) this.resetStream(stream.id, Http2ErrorCode.noError);
  }

  #endStream(stream: Http2Stream, ending: Ending): void {
    this.#sender.forget(stream);
    if (this.#dataStream === stream) this.#dataStream = undefined;
    if (this.#streams.end(stream, !this.#isServer, ending)) this.#guard.streamEnded();
  }

  #writeBlock(stream: Http2Stream, block: Buffer, isEnd: boolean): void {
    encodeHeaderBlock(this.#output, stream.id, block, isEnd, defaultMaxFrameBytes);
    const rule = this.#guard.frameQueued(false);
    if (isEnd) {
      stream.local = "ended";
      this.#closeIfEnded(stream);
    }
    if (rule !== "") this.#cutOff(rule);
  }

  /** A frame on a stream that is not live: harmless when this side reset it, since the peer may not know yet (RFC 9113 §5.1). */
  #judgeLateFrame(streamId: number): void {
    const ending = this.#streams.endingOf(streamId);
    if (ending === "reset-here") return;
    if (ending !== undefined) this.#cutOff("closedStream");
    else this.#cutOff(this.#streams.isIdle(streamId) ? "idleStream" : "streamIdNotRising");
  }

  /** Resets a stream for the peer's fault. `isUnknown`: the sink has not heard of the stream. */
  #failStream(stream: Http2Stream, rule: Http2Rule, isUnknown: boolean = false): void {
    const violation = http2Violations[rule];
    encodeRstStream(this.#output, stream.id, violation.errorCode);
    this.#endStream(stream, "reset-here");
    if (!isUnknown) this.#sink.onReset(stream.id, violation.errorCode, violation);
    const flood = this.#guard.causedReset(this.#nowMs);
    if (flood !== "") this.#cutOff(flood);
    else this.#countControlFrame();
  }

  /** @returns false when it was one too many */
  #countControlFrame(): boolean {
    const rule = this.#guard.frameQueued(true);
    if (rule !== "") this.#cutOff(rule);
    return rule === "";
  }

  #cutOff(rule: Http2Rule): void {
    if (this.#isDead) return;
    const violation = http2Violations[rule];
    this.#die(violation.errorCode, violation.rule);
    this.#sink.onError(violation);
  }

  #die(errorCode: number, debugData: string): void {
    this.#isDead = true;
    this.#decoder.abandon();
    for (const stream of this.#streams.live.values()) this.#sender.forget(stream);
    this.#streams.live.clear();
    this.#dataStream = undefined;
    encodeGoAway(this.#output, Math.min(this.#streams.lastPeerId, this.#lastAcceptedId), errorCode, debugData);
  }
}

/** How many bytes of body a response must have; -1 when nothing says (RFC 9110 §6.4.1 and §8.6). */
function bodyBytes(method: string, { status, contentLength }: Http2ResponseHead): number {
  if (method === "CONNECT" && status < 300) return -1;
  return method === "HEAD" || status === 204 || status === 304 ? 0 : contentLength;
}
