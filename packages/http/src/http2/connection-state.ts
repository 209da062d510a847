import type { ByteWriter } from "../byte-writer.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import type { Http2Sink } from "./connection-sink.ts";
import { DataSender } from "./data-sender.ts";
import { Http2ErrorCode } from "./error-code.ts";
import { FloodGuard } from "./flood-guard.ts";
import { clientPreface, defaultMaxFrameBytes, defaultWindow, SettingId } from "./frame.ts";
import {
  encodeGoAway,
  encodeHeaderBlock,
  encodeRstStream,
  encodeSettings,
  encodeWindowUpdate,
} from "./frame-encoder.ts";
import { FrameOutput } from "./frame-output.ts";
import type { Http2Limits } from "./limits.ts";
import { MessageEncoder } from "./message-encoder.ts";
import { PeerSettings } from "./peer-settings.ts";
import { Http2Stream } from "./stream.ts";
import type { Ending } from "./stream-table.ts";
import { StreamTable } from "./stream-table.ts";
import type { Http2Rule } from "./violation.ts";
import { http2Violations } from "./violation.ts";

export const lastPossibleId = 0x7fffffff;

/** What both directions of a connection share: its streams and windows, its output, and how streams and the connection itself end. */
export class ConnectionState {
  readonly isServer: boolean;
  readonly limits: Http2Limits;
  readonly sink: Http2Sink;
  readonly output = new FrameOutput();
  readonly hpackEncoder: HpackEncoder;
  readonly encoder: MessageEncoder;
  readonly guard: FloodGuard;
  readonly sender: DataSender;
  readonly streams: StreamTable;
  readonly peer = new PeerSettings();
  /** When the input at hand came. */
  nowMs = 0;
  isDead = false;
  /** Called when the connection ends: no input is read from then on. */
  onDeath: () => void = () => undefined;
  /** What the peer may still send on the connection. */
  receiveWindow: number;
  #receiveCreditDue = 0;
  /** The stream of the DATA frame at hand; undefined when its content is nobody's. */
  dataStream: Http2Stream | undefined;
  shutdownStep: "none" | "announced" | "final" = "none";
  /** The highest stream of the peer that is worked on, once the last GOAWAY is out. */
  lastAcceptedId = lastPossibleId;
  isPeerGoingAway = false;

  constructor(isServer: boolean, limits: Http2Limits, sink: Http2Sink) {
    this.isServer = isServer;
    this.limits = limits;
    this.sink = sink;
    this.streams = new StreamTable(isServer);
    this.hpackEncoder = new HpackEncoder(limits.headerTableBytes);
    this.encoder = new MessageEncoder(this.hpackEncoder);
    this.guard = new FloodGuard(limits);
    this.sender = new DataSender(this.output, this.guard, limits.maxQueuedBytes, {
      onDrained: (stream) => this.finishLocal(stream),
      onRoom: (stream) => this.sink.onWritable(stream.id),
    });
    this.receiveWindow = Math.max(defaultWindow, limits.connectionWindowBytes);
  }

  /** The first bytes of this side: settings, and the connection's window opened (RFC 9113 §3.4). */
  begin(): void {
    const limits = this.limits;
    const output = this.output;
    if (!this.isServer) output.bytes(clientPreface, 0, clientPreface.length);
    const settings: [number, number][] = [
      [SettingId.headerTableSize, limits.headerTableBytes],
      [SettingId.initialWindowSize, limits.streamWindowBytes],
      [SettingId.maxHeaderListSize, limits.maxHeaderListBytes],
    ];
    if (this.isServer) settings.push([SettingId.maxConcurrentStreams, limits.maxConcurrentStreams]);
    else settings.push([SettingId.enablePush, 0]);
    if (this.isServer && limits.enableConnectProtocol) settings.push([SettingId.enableConnectProtocol, 1]);
    encodeSettings(output, settings);
    if (this.receiveWindow > defaultWindow) encodeWindowUpdate(output, 0, this.receiveWindow - defaultWindow);
  }

  makeStream(id: number): Http2Stream {
    return new Http2Stream(id, this.nowMs, this.limits.streamWindowBytes, this.peer.initialWindowBytes);
  }

  writeBlock(stream: Http2Stream, block: ByteWriter, isEnd: boolean): void {
    encodeHeaderBlock(this.output, stream.id, block, isEnd, defaultMaxFrameBytes);
    let rule = this.guard.frameQueued(false);
    if (this.output.length > this.limits.maxOutboundBytes) rule = "outboundFlood";
    if (isEnd) {
      stream.local = "ended";
      this.closeIfEnded(stream);
    }
    if (rule !== "") this.cutOff(rule);
  }

  /** See `Http2Connection.consume`. */
  consume(streamId: number, byteCount: number): void {
    const stream = this.streams.live.get(streamId);
    if (stream === undefined || stream.remote === "ended") return;
    stream.creditDue += byteCount;
    // Half a window at a time: fewer frames, and the peer does not stop before they arrive.
    if (stream.creditDue * 2 < this.limits.streamWindowBytes) return;
    const increment = stream.creditDue;
    stream.receiveWindow += increment;
    stream.creditDue = 0;
    this.#writeWindowUpdate(stream.id, increment);
  }

  creditConnection(byteCount: number): void {
    this.#receiveCreditDue += byteCount;
    if (this.#receiveCreditDue * 2 < Math.max(defaultWindow, this.limits.connectionWindowBytes)) return;
    const increment = this.#receiveCreditDue;
    this.receiveWindow += increment;
    this.#receiveCreditDue = 0;
    this.#writeWindowUpdate(0, increment);
  }

  #writeWindowUpdate(streamId: number, increment: number): void {
    encodeWindowUpdate(this.output, streamId, increment);
    const rule = this.guard.frameQueued(false);
    if (rule !== "") this.cutOff(rule);
  }

  /** @returns false when it was one too many */
  countControlFrame(): boolean {
    const rule = this.guard.frameQueued(true);
    if (rule !== "") this.cutOff(rule);
    return rule === "";
  }

  /** The queue is empty: the stream ends, if it was to end. */
  finishLocal(stream: Http2Stream): void {
    if (!stream.endsAfterQueue) return;
    const { trailers } = stream;
    if (trailers !== undefined) {
      stream.trailers = undefined;
      const block = this.encoder.trailers(trailers);
      if (block !== undefined) return this.writeBlock(stream, block, true);
    }
    stream.local = "ended";
    this.closeIfEnded(stream);
  }

  closeIfEnded(stream: Http2Stream): void {
    if (stream.local !== "ended") return;
    if (stream.remote === "ended") this.endStream(stream, "ended");
    // The answer to a head beyond the limits is complete: the body is of no use (RFC 9113 §8.1).
    else if (stream.isDiscarded) this.resetStream(stream.id, Http2ErrorCode.noError);
  }

  endStream(stream: Http2Stream, ending: Ending): void {
    this.sender.forget(stream);
    if (this.dataStream === stream) this.dataStream = undefined;
    if (this.streams.end(stream, !this.isServer, ending)) this.guard.streamEnded();
  }

  /** See `Http2Connection.resetStream`. */
  resetStream(streamId: number, errorCode: number): void {
    const stream = this.streams.live.get(streamId);
    if (stream === undefined) return;
    this.#writeReset(stream, errorCode);
  }

  #writeReset(stream: Http2Stream, errorCode: number): void {
    encodeRstStream(this.output, stream.id, errorCode);
    if (!this.isServer) this.guard.ownReset(this.nowMs, stream.remote === "head");
    this.endStream(stream, "reset-here");
  }

  /** Resets a stream for the peer's fault. `isUnknown`: the sink has not heard of the stream. */
  failStream(stream: Http2Stream, rule: Http2Rule, isUnknown: boolean = false): void {
    const violation = http2Violations[rule];
    this.#writeReset(stream, violation.errorCode);
    this.sink.onViolation(violation);
    if (!isUnknown) this.sink.onReset(stream.id, violation.errorCode, violation);
    const flood = this.guard.causedReset(this.nowMs);
    if (flood !== "") this.cutOff(flood);
    else this.countControlFrame();
  }

  /** See `Http2Connection.finishShutdown`. */
  finishShutdown(): void {
    if (this.isDead || this.shutdownStep === "final") return;
    this.shutdownStep = "final";
    this.lastAcceptedId = this.streams.lastPeerId;
    encodeGoAway(this.output, this.lastAcceptedId, Http2ErrorCode.noError, "");
  }

  cutOff(rule: Http2Rule): void {
    if (this.isDead) return;
    const violation = http2Violations[rule];
    this.die(violation.errorCode, violation.rule);
    this.sink.onError(violation);
  }

  die(errorCode: number, debugData: string): void {
    this.isDead = true;
    this.onDeath();
    for (const stream of this.streams.live.values()) this.sender.forget(stream);
    this.streams.live.clear();
    this.dataStream = undefined;
    encodeGoAway(this.output, Math.min(this.streams.lastPeerId, this.lastAcceptedId), errorCode, debugData);
  }
}
