import type { ByteWriter } from "../byte-writer.ts";
import { FrameFlag, FrameType } from "./frame.ts";

/** Appends a frame header (RFC 9113 §4.1). */
export function encodeFrameHeader(
  writer: ByteWriter,
  length: number,
  type: number,
  flags: number,
  streamId: number,
): void {
  writer.uint32(((length << 8) | type) >>> 0);
  writer.byte(flags);
  writer.uint32(streamId);
}

/** Appends bytes [start, end) as one DATA frame (RFC 9113 §6.1); the caller keeps to frame size and windows. */
export function encodeData(
  writer: ByteWriter,
  streamId: number,
  bytes: Buffer,
  start: number,
  end: number,
  isEnd: boolean,
): void {
  encodeFrameHeader(writer, end - start, FrameType.data, isEnd ? FrameFlag.endStream : 0, streamId);
  writer.bytes(bytes, start, end);
}

/** Appends a header block as HEADERS and as many CONTINUATION frames as it needs (RFC 9113 §4.3). */
export function encodeHeaderBlock(
  writer: ByteWriter,
  streamId: number,
  block: Buffer,
  isEnd: boolean,
  maxFrameBytes: number,
): void {
  let type: number = FrameType.headers;
  let flags: number = isEnd ? FrameFlag.endStream : 0;
  let start = 0;
  do {
    const end = Math.min(block.length, start + maxFrameBytes);
    if (end === block.length) flags |= FrameFlag.endHeaders;
    encodeFrameHeader(writer, end - start, type, flags, streamId);
    writer.bytes(block, start, end);
    type = FrameType.continuation;
    flags = 0;
    start = end;
  } while (start < block.length);
}

export function encodeSettings(writer: ByteWriter, settings: readonly (readonly [id: number, value: number])[]): void {
  encodeFrameHeader(writer, settings.length * 6, FrameType.settings, 0, 0);
  for (const [id, value] of settings) {
    writer.byte(id >>> 8);
    writer.byte(id & 0xff);
    writer.uint32(value);
  }
}

export function encodeSettingsAck(writer: ByteWriter): void {
  encodeFrameHeader(writer, 0, FrameType.settings, FrameFlag.ack, 0);
}

/** @param payload eight bytes at `start` */
export function encodePing(writer: ByteWriter, payload: Buffer, start: number, isAck: boolean): void {
  encodeFrameHeader(writer, 8, FrameType.ping, isAck ? FrameFlag.ack : 0, 0);
  writer.bytes(payload, start, start + 8);
}

export function encodeRstStream(writer: ByteWriter, streamId: number, errorCode: number): void {
  encodeFrameHeader(writer, 4, FrameType.rstStream, 0, streamId);
  writer.uint32(errorCode);
}

/** @param debugData for people, in ASCII */
export function encodeGoAway(writer: ByteWriter, lastStreamId: number, errorCode: number, debugData: string): void {
  encodeFrameHeader(writer, 8 + debugData.length, FrameType.goAway, 0, 0);
  writer.uint32(lastStreamId);
  writer.uint32(errorCode);
  writer.latin1(debugData);
}

export function encodeWindowUpdate(writer: ByteWriter, streamId: number, increment: number): void {
  encodeFrameHeader(writer, 4, FrameType.windowUpdate, 0, streamId);
  writer.uint32(increment);
}
