import type { ByteWriter } from "../byte-writer.ts";
import { FrameFlag, FrameType } from "./frame.ts";
import type { FrameOutput } from "./frame-output.ts";

/** Appends bytes [start, end) as one DATA frame (RFC 9113 §6.1); the caller keeps to frame size and windows. */
export function encodeData(
  output: FrameOutput,
  streamId: number,
  bytes: Buffer,
  start: number,
  end: number,
  isEnd: boolean,
): void {
  output.header(end - start, FrameType.data, isEnd ? FrameFlag.endStream : 0, streamId);
  output.bytes(bytes, start, end);
}

/** Appends a header block as HEADERS and as many CONTINUATION frames as it needs (RFC 9113 §4.3). */
export function encodeHeaderBlock(
  output: FrameOutput,
  streamId: number,
  block: ByteWriter,
  isEnd: boolean,
  maxFrameBytes: number,
): void {
  let type: number = FrameType.headers;
  let flags: number = isEnd ? FrameFlag.endStream : 0;
  let start = 0;
  do {
    const end = Math.min(block.length, start + maxFrameBytes);
    if (end === block.length) flags |= FrameFlag.endHeaders;
    output.header(end - start, type, flags, streamId);
    output.written(block, start, end);
    type = FrameType.continuation;
    flags = 0;
    start = end;
  } while (start < block.length);
}

export function encodeSettings(output: FrameOutput, settings: readonly (readonly [id: number, value: number])[]): void {
  output.header(settings.length * 6, FrameType.settings, 0, 0);
  for (const [id, value] of settings) {
    output.uint16(id);
    output.uint32(value);
  }
}

export function encodeSettingsAck(output: FrameOutput): void {
  output.header(0, FrameType.settings, FrameFlag.ack, 0);
}

/** @param payload eight bytes at `start` */
export function encodePing(output: FrameOutput, payload: Buffer, start: number, isAck: boolean): void {
  output.header(8, FrameType.ping, isAck ? FrameFlag.ack : 0, 0);
  output.bytes(payload, start, start + 8);
}

export function encodeRstStream(output: FrameOutput, streamId: number, errorCode: number): void {
  output.header(4, FrameType.rstStream, 0, streamId);
  output.uint32(errorCode);
}

/** @param debugData for people, in ASCII */
export function encodeGoAway(output: FrameOutput, lastStreamId: number, errorCode: number, debugData: string): void {
  output.header(8 + debugData.length, FrameType.goAway, 0, 0);
  output.uint32(lastStreamId);
  output.uint32(errorCode);
  output.latin1(debugData);
}

export function encodeWindowUpdate(output: FrameOutput, streamId: number, increment: number): void {
  output.header(4, FrameType.windowUpdate, 0, streamId);
  output.uint32(increment);
}
