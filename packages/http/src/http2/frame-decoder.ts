import { clientPreface, defaultMaxFrameBytes, FrameFlag, FrameType, frameHeaderBytes } from "./frame.ts";
import type { Http2Rule } from "./violation.ts";

/** What a connection is told of its frames. Bytes are valid only during the call. */
export interface FrameSink {
  /** A DATA frame begins; `flowBytes` count against the windows, padding included (RFC 9113 §6.9.1). */
  onDataFrame(streamId: number, flowBytes: number, contentBytes: number): void;
  /** Content of the DATA frame that began last, as it lies in the input. */
  onDataBytes(bytes: Buffer, start: number, end: number): void;
  /** The DATA frame is complete. */
  onDataFrameEnd(isEnd: boolean): void;
  onHeadersFrame(
    streamId: number,
    bytes: Buffer,
    start: number,
    end: number,
    endsHeaders: boolean,
    isEnd: boolean,
    isSelfDependent: boolean,
  ): void;
  onContinuationFrame(bytes: Buffer, start: number, end: number, endsHeaders: boolean): void;
  onPriorityFrame(streamId: number, isSelfDependent: boolean): void;
  onRstStreamFrame(streamId: number, errorCode: number): void;
  /** Settings of six bytes each. */
  onSettingsFrame(bytes: Buffer, start: number, end: number): void;
  onSettingsAck(): void;
  onPingFrame(bytes: Buffer, start: number, isAck: boolean): void;
  onGoAwayFrame(lastStreamId: number, errorCode: number, bytes: Buffer, start: number, end: number): void;
  onWindowUpdateFrame(streamId: number, increment: number): void;
  /** A rule about one frame that breaks only its stream (RFC 9113 §5.4.2). */
  onStreamViolation(streamId: number, rule: Http2Rule): void;
  /** The connection is at its end (RFC 9113 §5.4.1); no event follows. */
  onConnectionViolation(rule: Http2Rule): void;
}

type State = "preface" | "header" | "pad-length" | "data" | "padding" | "payload" | "skip" | "dead";

/**
 * Cuts a connection's input into frames (RFC 9113 §4 and §6) and checks what can be known of each alone: sizes, padding, whether it is on a
 * stream, and that nothing interrupts a header block. Content of DATA is handed on as it comes and is never gathered; other frames are read where
 * they lie when they came whole.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  #state: State;
  #isFirst = true;
  /** Bytes of the preface, of the frame header or of the payload that came in an earlier piece. */
  #kept: Buffer = Buffer.allocUnsafeSlow(64);
  #keptBytes = 0;
  #length = 0;
  #type = 0;
  #flags = 0;
  #streamId = 0;
  /** Of DATA: content and padding that have not come yet. */
  #content = 0;
  #padding = 0;
  /** The stream whose header block is open; 0 for none. */
  #openBlock = 0;
  #blocks = 0;

  /** @param expectsPreface the peer is a client */
  constructor(expectsPreface: boolean, sink: FrameSink) {
    this.#state = expectsPreface ? "preface" : "header";
    this.#sink = sink;
  }

  /** Which header block, counted from 1, has its first byte and not its last; 0: none. */
  get openBlockNumber(): number {
    const isWithin = this.#openBlock !== 0 || (this.#state === "payload" && this.#type === FrameType.headers);
    return isWithin ? this.#blocks : 0;
  }

  /** No more events. */
  abandon(): void {
    this.#state = "dead";
  }

  /** Decodes bytes [start, end), any piece of the input. */
  push(bytes: Buffer, start: number, end: number): void {
    let i = start;
    while (this.#state !== "dead") {
      // A frame without a payload is complete before its next byte comes.
      if (i >= end && !(this.#state === "payload" && this.#length === 0)) return;
      switch (this.#state) {
        case "preface":
          i = this.#readPreface(bytes, i, end);
          break;
        case "header":
          i = this.#readHeader(bytes, i, end);
          break;
        case "pad-length":
          i = this.#readPadLength(bytes, i);
          break;
        case "data":
          i = this.#readContent(bytes, i, end);
          break;
        case "padding":
          i = this.#readPadding(i, end);
          break;
        case "payload":
          i = this.#readPayload(bytes, i, end);
          break;
        case "skip":
          i = this.#skip(i, end);
          break;
      }
    }
  }

  #readPreface(bytes: Buffer, start: number, end: number): number {
    let i = start;
    for (; i < end && this.#keptBytes < clientPreface.length; i += 1) {
      if (bytes[i] !== clientPreface[this.#keptBytes++]) {
        this.#fail("badPreface");
        return end;
      }
    }
    if (this.#keptBytes === clientPreface.length) {
      this.#keptBytes = 0;
      this.#state = "header";
    }
    return i;
  }

  #readHeader(bytes: Buffer, start: number, end: number): number {
    if (this.#keptBytes === 0 && end - start >= frameHeaderBytes) {
      this.#takeHeader(bytes, start);
      return start + frameHeaderBytes;
    }
    const wanted = Math.min(end - start, frameHeaderBytes - this.#keptBytes);
    bytes.copy(this.#kept, this.#keptBytes, start, start + wanted);
    this.#keptBytes += wanted;
    if (this.#keptBytes === frameHeaderBytes) {
      this.#keptBytes = 0;
      this.#takeHeader(this.#kept, 0);
    }
    return start + wanted;
  }

  #takeHeader(bytes: Buffer, at: number): void {
    this.#length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    this.#type = bytes[at + 3] as number;
    this.#flags = bytes[at + 4] as number;
    this.#streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    const rule = this.#headerRule();
    if (rule !== "") return this.#fail(rule);
    this.#isFirst = false;
    if (this.#type === FrameType.headers) this.#blocks += 1;
    if (this.#type === FrameType.data) this.#beginData();
    else if (this.#type > FrameType.continuation) this.#state = this.#length === 0 ? "header" : "skip";
    else this.#state = "payload";
  }

  /** What is wrong with the frame by its header alone. */
  #headerRule(): Http2Rule | "" {
    const { data, headers, priority, rstStream, settings, pushPromise, ping, goAway, windowUpdate, continuation } =
      FrameType;
    const type = this.#type;
    const length = this.#length;
    const isOnStream = this.#streamId !== 0;
    if (this.#isFirst && (type !== settings || (this.#flags & FrameFlag.ack) !== 0)) return "settingsFirst";
    if (length > defaultMaxFrameBytes) return "frameTooLarge";
    if (this.#openBlock !== 0 && (type !== continuation || this.#streamId !== this.#openBlock)) {
      return "continuationExpected";
    }
    switch (type) {
      case data:
      case headers:
        return isOnStream ? "" : "badStreamId";
      case priority:
        return isOnStream ? "" : "badStreamId";
      case rstStream:
        if (!isOnStream) return "badStreamId";
        return length === 4 ? "" : "badFrameSize";
      case settings:
        if (isOnStream) return "badStreamId";
        return ((this.#flags & FrameFlag.ack) === 0 ? length % 6 : length) === 0 ? "" : "badFrameSize";
      case pushPromise:
        return "pushPromise";
      case ping:
        if (isOnStream) return "badStreamId";
        return length === 8 ? "" : "badFrameSize";
      case goAway:
        if (isOnStream) return "badStreamId";
        return length >= 8 ? "" : "badFrameSize";
      case windowUpdate:
        return length === 4 ? "" : "badFrameSize";
      case continuation:
        return this.#openBlock === 0 ? "continuationUnexpected" : "";
      default:
        return "";
    }
  }

  #beginData(): void {
    if ((this.#flags & FrameFlag.padded) !== 0) {
      if (this.#length === 0) this.#fail("badFrameSize");
      else this.#state = "pad-length";
      return;
    }
    this.#beginContent(0, this.#length);
  }

  #readPadLength(bytes: Buffer, at: number): number {
    const padding = bytes[at] as number;
    if (padding >= this.#length) this.#fail("badPadding");
    else this.#beginContent(padding, this.#length - 1 - padding);
    return at + 1;
  }

  #beginContent(padding: number, content: number): void {
    this.#padding = padding;
    this.#content = content;
    this.#state = "data";
    this.#sink.onDataFrame(this.#streamId, this.#length, content);
    this.#goOnWithData();
  }

  #readContent(bytes: Buffer, start: number, end: number): number {
    const contentEnd = Math.min(end, start + this.#content);
    this.#content -= contentEnd - start;
    this.#sink.onDataBytes(bytes, start, contentEnd);
    this.#goOnWithData();
    return contentEnd;
  }

  #readPadding(start: number, end: number): number {
    const paddingEnd = Math.min(end, start + this.#padding);
    this.#padding -= paddingEnd - start;
    this.#goOnWithData();
    return paddingEnd;
  }

  #goOnWithData(): void {
    if (this.#state === "dead" || this.#content > 0) return;
    this.#state = this.#padding > 0 ? "padding" : "header";
    if (this.#padding === 0) this.#sink.onDataFrameEnd((this.#flags & FrameFlag.endStream) !== 0);
  }

  #skip(start: number, end: number): number {
    const skipped = Math.min(end - start, this.#length);
    this.#length -= skipped;
    if (this.#length === 0) this.#state = "header";
    return start + skipped;
  }

  #readPayload(bytes: Buffer, start: number, end: number): number {
    const length = this.#length;
    if (this.#keptBytes === 0 && end - start >= length) {
      this.#state = "header";
      this.#dispatch(bytes, start, start + length);
      return start + length;
    }
    const wanted = Math.min(end - start, length - this.#keptBytes);
    if (this.#kept.length < length) {
      const grown = Buffer.allocUnsafeSlow(length);
      this.#kept.copy(grown, 0, 0, this.#keptBytes);
      this.#kept = grown;
    }
    bytes.copy(this.#kept, this.#keptBytes, start, start + wanted);
    this.#keptBytes += wanted;
    if (this.#keptBytes === length) {
      this.#keptBytes = 0;
      this.#state = "header";
      this.#dispatch(this.#kept, 0, length);
      // An idle connection must not keep what a large header block once needed.
      if (this.#kept.length > 1024) this.#kept = Buffer.allocUnsafeSlow(64);
    }
    return start + wanted;
  }

  #dispatch(bytes: Buffer, start: number, end: number): void {
    const sink = this.#sink;
    const isAck = (this.#flags & FrameFlag.ack) !== 0;
    switch (this.#type) {
      case FrameType.headers:
        return this.#dispatchHeaders(bytes, start, end);
      case FrameType.continuation: {
        const endsHeaders = (this.#flags & FrameFlag.endHeaders) !== 0;
        if (endsHeaders) this.#openBlock = 0;
        return sink.onContinuationFrame(bytes, start, end, endsHeaders);
      }
      case FrameType.priority:
        if (end - start !== 5) return sink.onStreamViolation(this.#streamId, "badFrameSize");
        return sink.onPriorityFrame(this.#streamId, this.#isSelfDependent(bytes, start));
      case FrameType.rstStream:
        return sink.onRstStreamFrame(this.#streamId, bytes.readUInt32BE(start));
      case FrameType.settings:
        return isAck ? sink.onSettingsAck() : sink.onSettingsFrame(bytes, start, end);
      case FrameType.ping:
        return sink.onPingFrame(bytes, start, isAck);
      case FrameType.goAway:
        return sink.onGoAwayFrame(
          bytes.readUInt32BE(start) & 0x7fffffff,
          bytes.readUInt32BE(start + 4),
          bytes,
          start + 8,
          end,
        );
      case FrameType.windowUpdate:
        return sink.onWindowUpdateFrame(this.#streamId, bytes.readUInt32BE(start) & 0x7fffffff);
    }
  }

  #dispatchHeaders(bytes: Buffer, start: number, end: number): void {
    const flags = this.#flags;
    let padding = 0;
    if ((flags & FrameFlag.padded) !== 0) {
      if (start >= end) return this.#fail("badFrameSize");
      padding = bytes[start] as number;
      start += 1;
    }
    let isSelfDependent = false;
    if ((flags & FrameFlag.priority) !== 0) {
      if (end - start < 5) return this.#fail("badFrameSize");
      isSelfDependent = this.#isSelfDependent(bytes, start);
      start += 5;
    }
    if (padding > end - start) return this.#fail("badPadding");
    const endsHeaders = (flags & FrameFlag.endHeaders) !== 0;
    if (!endsHeaders) this.#openBlock = this.#streamId;
    const isEnd = (flags & FrameFlag.endStream) !== 0;
    this.#sink.onHeadersFrame(this.#streamId, bytes, start, end - padding, endsHeaders, isEnd, isSelfDependent);
  }

  #isSelfDependent(bytes: Buffer, start: number): boolean {
    return (bytes.readUInt32BE(start) & 0x7fffffff) === this.#streamId;
  }

  #fail(rule: Http2Rule): void {
    this.#state = "dead";
    this.#sink.onConnectionViolation(rule);
  }
}
