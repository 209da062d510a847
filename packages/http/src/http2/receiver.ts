import { ByteWriter } from "../byte-writer.ts";
import { HpackDecoder } from "../hpack/decoder.ts";
import { maxInformationalResponses } from "../status.ts";
import { removeTrailerClaims } from "../trailer-fields.ts";
import type { ConnectionState } from "./connection-state.ts";
import { Http2ErrorCode } from "./error-code.ts";
import type { FrameSink } from "./frame-decoder.ts";
import { encodePing, encodeSettingsAck } from "./frame-encoder.ts";
import type { Http2ResponseHead } from "./message-head.ts";
import { MessageReader } from "./message-head.ts";
import type { Http2Stream } from "./stream.ts";
import type { Http2Rule } from "./violation.ts";

/** Of the PING that measures the round trip between both GOAWAYs of a graceful shutdown. */
export const shutdownPing = Buffer.from("shutdown", "latin1");

/** What a connection does with the frames of its peer: the receiving half of the state machine (RFC 9113 §5 and §6). */
export class Receiver implements FrameSink {
  readonly #state: ConnectionState;
  readonly #hpackDecoder: HpackDecoder;
  readonly #reader: MessageReader;
  #settingsUnacknowledged = 1;
  #dataIsEmpty = false;
  /** A header block that has not ended: its parts, its stream, and what its HEADERS frame said. */
  readonly #block = new ByteWriter();
  #blockStreamId = 0;
  #blockIsEnd = false;
  #blockIsSelfDependent = false;

  constructor(state: ConnectionState) {
    this.#state = state;
    // 4096 until the peer has acknowledged SETTINGS (RFC 9113 §6.5.2).
    this.#hpackDecoder = new HpackDecoder(4096, {
      maxListBytes: state.limits.maxHeaderListBytes,
      maxFields: state.limits.maxHeaders,
    });
    this.#reader = new MessageReader(this.#hpackDecoder);
  }

  onDataFrame(streamId: number, flowBytes: number, contentBytes: number): void {
    this.#state.dataStream = undefined;
    this.#dataIsEmpty = contentBytes === 0;
    this.#state.receiveWindow -= flowBytes;
    if (this.#state.receiveWindow < 0) return this.#state.cutOff("windowExceeded");
    this.#state.creditConnection(flowBytes);
    const stream = this.#state.streams.live.get(streamId);
    if (stream === undefined) return this.#judgeLateFrame(streamId);
    if (stream.remote === "ended") return this.#state.failStream(stream, "closedStream");
    if (stream.remote === "head") return this.#state.failStream(stream, "unexpectedMessagePart");
    stream.receiveWindow -= flowBytes;
    if (stream.receiveWindow < 0) return this.#state.failStream(stream, "windowExceeded");
    stream.receivedBytes += contentBytes;
    if (stream.expectedBytes >= 0 && stream.receivedBytes > stream.expectedBytes) {
      return this.#state.failStream(stream, "contentLengthMismatch");
    }
    this.#state.dataStream = stream;
    if (flowBytes > contentBytes) this.#state.consume(streamId, flowBytes - contentBytes);
  }

  onDataBytes(bytes: Buffer, start: number, end: number): void {
    const stream = this.#state.dataStream;
    if (stream === undefined || start === end) return;
    if (stream.isDiscarded) this.#state.consume(stream.id, end - start);
    else this.#state.sink.onData(stream.id, bytes, start, end);
  }

  onDataFrameEnd(isEnd: boolean): void {
    const rule = this.#state.guard.payloadFrame(this.#dataIsEmpty && !isEnd);
    if (rule !== "") return this.#state.cutOff(rule);
    const stream = this.#state.dataStream;
    this.#state.dataStream = undefined;
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
    const rule = this.#state.guard.payloadFrame(start === end && !isEnd);
    if (rule !== "") return this.#state.cutOff(rule);
    this.#blockStreamId = streamId;
    this.#blockIsEnd = isEnd;
    this.#blockIsSelfDependent = isSelfDependent;
    if (endsHeaders) return this.#readBlock(bytes, start, end);
    if (end - start > this.#state.limits.maxHeaderBlockBytes) return this.#state.cutOff("headerBlockTooLarge");
    this.#block.reset();
    this.#block.bytes(bytes, start, end);
  }

  onContinuationFrame(bytes: Buffer, start: number, end: number, endsHeaders: boolean): void {
    const rule = this.#state.guard.payloadFrame(start === end && !endsHeaders);
    if (rule !== "") return this.#state.cutOff(rule);
    if (this.#block.length + (end - start) > this.#state.limits.maxHeaderBlockBytes) {
      return this.#state.cutOff("headerBlockTooLarge");
    }
    this.#block.bytes(bytes, start, end);
    if (!endsHeaders) return;
    const block = this.#block.take();
    this.#readBlock(block, 0, block.length);
  }

  onPriorityFrame(streamId: number, isSelfDependent: boolean): void {
    const rule = this.#state.guard.priorityFrame();
    if (rule !== "") this.#state.cutOff(rule);
    else if (isSelfDependent) this.onStreamViolation(streamId, "selfDependency");
  }

  onRstStreamFrame(streamId: number, errorCode: number): void {
    const stream = this.#state.streams.live.get(streamId);
    if (stream === undefined && this.#state.streams.isIdle(streamId)) return this.#state.cutOff("idleStream");
    if (this.#state.isServer) {
      const isUnanswered = stream?.local === "head";
      const rule = this.#state.guard.peerReset(
        this.#state.nowMs,
        isUnanswered ? this.#state.nowMs - stream.openedMs : -1,
      );
      if (rule !== "") return this.#state.cutOff(rule);
    }
    if (stream === undefined) return;
    this.#state.endStream(stream, "reset-there");
    this.#state.sink.onReset(streamId, errorCode, undefined);
  }

  onSettingsFrame(bytes: Buffer, start: number, end: number): void {
    const before = this.#state.peer.initialWindowBytes;
    const rule = this.#state.peer.apply(bytes, start, end, !this.#state.isServer);
    if (rule !== "") return this.#state.cutOff(rule);
    this.#state.hpackEncoder.setPeerMaxTableBytes(this.#state.peer.smallestHeaderTableBytes);
    this.#state.hpackEncoder.setPeerMaxTableBytes(this.#state.peer.headerTableBytes);
    const change = this.#state.peer.initialWindowBytes - before;
    if (change !== 0) {
      for (const stream of this.#state.streams.live.values()) {
        if (!this.#state.sender.widenStream(stream, change)) return this.#state.cutOff("windowOverflow");
      }
    }
    encodeSettingsAck(this.#state.output);
    if (this.#state.countControlFrame()) this.#state.sink.onSettings();
  }

  onSettingsAck(): void {
    if (this.#settingsUnacknowledged === 0) return this.#state.cutOff("unexpectedSettingsAck");
    this.#settingsUnacknowledged -= 1;
    this.#hpackDecoder.setMaxTableBytes(this.#state.limits.headerTableBytes);
  }

  onPingFrame(bytes: Buffer, start: number, isAck: boolean): void {
    if (!isAck) {
      encodePing(this.#state.output, bytes, start, true);
      this.#state.countControlFrame();
    } else if (this.#state.shutdownStep === "announced" && shutdownPing.compare(bytes, start, start + 8) === 0) {
      this.#state.finishShutdown();
    } else {
      this.#state.sink.onPingAck(bytes, start);
    }
  }

  onGoAwayFrame(lastStreamId: number, errorCode: number, bytes: Buffer, start: number, end: number): void {
    this.#state.isPeerGoingAway = true;
    this.#state.sink.onGoAway(lastStreamId, errorCode, bytes.toString("latin1", start, Math.min(end, start + 256)));
    if (this.#state.isServer) return;
    for (const stream of this.#state.streams.live.values()) {
      if (stream.id <= lastStreamId || this.#state.isDead) continue;
      this.#state.endStream(stream, "reset-there");
      this.#state.sink.onReset(stream.id, Http2ErrorCode.refusedStream, undefined);
    }
  }

  onWindowUpdateFrame(streamId: number, increment: number): void {
    const rule = this.#state.guard.windowUpdate();
    if (rule !== "") return this.#state.cutOff(rule);
    if (streamId === 0) {
      if (increment === 0) this.#state.cutOff("zeroIncrement");
      else if (!this.#state.sender.widenConnection(increment)) this.#state.cutOff("windowOverflow");
      return;
    }
    const stream = this.#state.streams.live.get(streamId);
    if (stream === undefined) {
      if (this.#state.streams.isIdle(streamId)) this.#state.cutOff("idleStream");
    } else if (increment === 0) {
      this.#state.failStream(stream, "zeroIncrement");
    } else if (!this.#state.sender.widenStream(stream, increment)) {
      this.#state.failStream(stream, "windowOverflow");
    }
  }

  /** An idle stream must not be reset (RFC 9113 §6.4), one that has ended cannot: its error is the connection's. */
  onStreamViolation(streamId: number, rule: Http2Rule): void {
    const stream = this.#state.streams.live.get(streamId);
    if (stream === undefined) this.#state.cutOff(rule);
    else this.#state.failStream(stream, rule);
  }

  onConnectionViolation(rule: Http2Rule): void {
    this.#state.cutOff(rule);
  }

  /** A header block is complete. Whatever becomes of it, the table must see it (RFC 9113 §4.3). */
  #readBlock(bytes: Buffer, start: number, end: number): void {
    const id = this.#blockStreamId;
    const stream = this.#state.streams.live.get(id);
    if (stream === undefined) {
      if (this.#state.isServer && this.#state.streams.isIdle(id)) return this.#readNewRequest(id, bytes, start, end);
      if (this.#reader.skip(bytes, start, end) !== "") return this.#state.cutOff("compression");
      return this.#judgeLateFrame(id);
    }
    if (this.#blockIsSelfDependent || stream.remote === "ended") {
      if (this.#reader.skip(bytes, start, end) !== "") return this.#state.cutOff("compression");
      return this.#state.failStream(stream, this.#blockIsSelfDependent ? "selfDependency" : "closedStream");
    }
    if (stream.remote === "body") this.#readTrailers(stream, bytes, start, end);
    else this.#readResponse(stream, bytes, start, end);
  }

  #readNewRequest(id: number, bytes: Buffer, start: number, end: number): void {
    if (id % 2 === 0) return this.#state.cutOff("badStreamId");
    this.#state.streams.lastPeerId = id;
    const head = this.#reader.readRequest(bytes, start, end, this.#state.limits.enableConnectProtocol);
    if (head === "compression") return this.#state.cutOff(head);
    if (id > this.#state.lastAcceptedId) return this.#state.streams.remember(id, "reset-here");
    const stream = this.#state.makeStream(id);
    const isRefused = this.#state.streams.peerCount >= this.#state.limits.maxConcurrentStreams;
    this.#state.streams.add(stream, false);
    this.#state.guard.streamOpened();
    if (isRefused) return this.#state.failStream(stream, "refusedStream", true);
    if (this.#blockIsSelfDependent) return this.#state.failStream(stream, "selfDependency", true);
    stream.remote = "body";
    const isEnd = this.#blockIsEnd;
    if (head === "headersTooLarge") {
      stream.isDiscarded = true;
      if (isEnd) stream.remote = "ended";
      return this.#state.sink.onHeadersTooLarge(id);
    }
    if (typeof head === "string") return this.#state.failStream(stream, head, true);
    stream.method = head.method;
    stream.expectedBytes = head.contentLength;
    if (isEnd && head.contentLength > 0) return this.#state.failStream(stream, "contentLengthMismatch", true);
    if (isEnd) stream.remote = "ended";
    this.#state.sink.onRequest(id, head, isEnd);
  }

  #readResponse(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    const isEnd = this.#blockIsEnd;
    const head = this.#reader.readResponse(bytes, start, end);
    if (typeof head === "string")
      return head === "compression" ? this.#state.cutOff(head) : this.#state.failStream(stream, head);
    if (head.status < 200) {
      stream.informational += 1;
      if (isEnd) this.#state.failStream(stream, "unexpectedMessagePart");
      else if (stream.informational > maxInformationalResponses) this.#state.failStream(stream, "tooManyInformational");
      else this.#state.sink.onInformational(stream.id, head);
      return;
    }
    stream.expectedBytes = bodyBytes(stream.method, head);
    if (isEnd && stream.expectedBytes > 0) return this.#state.failStream(stream, "contentLengthMismatch");
    stream.remote = isEnd ? "ended" : "body";
    this.#state.sink.onResponse(stream.id, head, isEnd);
    if (isEnd) this.#state.closeIfEnded(stream);
  }

  #readTrailers(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
    const isEnd = this.#blockIsEnd;
    const trailers = this.#reader.readTrailers(bytes, start, end);
    if (trailers === "compression") return this.#state.cutOff(trailers);
    // A second header section that does not end the stream is no trailer section (RFC 9113 §8.1).
    if (!isEnd) return this.#state.failStream(stream, "unexpectedMessagePart");
    if (typeof trailers === "string") return this.#state.failStream(stream, trailers);
    if (stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes) {
      return this.#state.failStream(stream, "contentLengthMismatch");
    }
    removeTrailerClaims(trailers);
    if (trailers.length > 0 && !stream.isDiscarded) this.#state.sink.onTrailers(stream.id, trailers);
    this.#finishRemote(stream);
  }

  #finishRemote(stream: Http2Stream): void {
    // The sink may have reset it.
    if (this.#state.streams.live.get(stream.id) !== stream) return;
    if (stream.expectedBytes >= 0 && stream.receivedBytes !== stream.expectedBytes) {
      return this.#state.failStream(stream, "contentLengthMismatch");
    }
    stream.remote = "ended";
    if (!stream.isDiscarded) this.#state.sink.onEnd(stream.id);
    this.#state.closeIfEnded(stream);
  }

  /** A frame on a stream that is not live: harmless when this side reset it, since the peer may not know yet (RFC 9113 §5.1). */
  #judgeLateFrame(streamId: number): void {
    const ending = this.#state.streams.endingOf(streamId);
    if (ending === "reset-here") return;
    if (ending !== undefined) this.#state.cutOff("closedStream");
    else this.#state.cutOff(this.#state.streams.isIdle(streamId) ? "idleStream" : "streamIdNotRising");
  }
}

/** How many bytes of body a response must have; -1 when nothing says (RFC 9110 §6.4.1 and §8.6). */
function bodyBytes(method: string, { status, contentLength }: Http2ResponseHead): number {
  if (method === "CONNECT" && status < 300) return -1;
  return method === "HEAD" || status === 204 || status === 304 ? 0 : contentLength;
}
