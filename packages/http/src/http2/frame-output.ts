import type { OutputBuffer } from "@heddle/core";
import { takeOutputBuffer, widenOutputBuffer } from "@heddle/core";
import type { ByteWriter } from "../byte-writer.ts";
import { frameHeaderBytes } from "./frame.ts";

/** Frames on their way out, in a buffer that becomes the socket's: between the codec and the kernel nothing is copied. */
export class FrameOutput {
  #buffer: OutputBuffer | undefined;

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.#buffer === undefined ? 0 : this.#buffer.used;
  }

  /** Appends a frame header (RFC 9113 §4.1), and makes room for the payload. */
  header(length: number, type: number, flags: number, streamId: number): void {
    const buffer = this.#room(frameHeaderBytes + length);
    const { bytes } = buffer;
    const at = buffer.used;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = streamId >>> 24;
    bytes[at + 6] = streamId >>> 16;
    bytes[at + 7] = streamId >>> 8;
    bytes[at + 8] = streamId;
    buffer.used = at + frameHeaderBytes;
  }

  /** Appends an unsigned integer in network byte order. */
  uint16(value: number): void {
    const buffer = this.#room(2);
    buffer.used = buffer.bytes.writeUInt16BE(value, buffer.used);
  }

  /** Appends an unsigned integer in network byte order. */
  uint32(value: number): void {
    const buffer = this.#room(4);
    buffer.used = buffer.bytes.writeUInt32BE(value, buffer.used);
  }

  /** Appends characters as one byte each. The caller vouches that none is above U+00FF. */
  latin1(text: string): void {
    const buffer = this.#room(text.length);
    buffer.used += buffer.bytes.write(text, buffer.used, "latin1");
  }

  bytes(source: Buffer, start: number, end: number): void {
    const buffer = this.#room(end - start);
    source.copy(buffer.bytes, buffer.used, start, end);
    buffer.used += end - start;
  }

  /** Appends bytes [start, end) of what a writer holds. */
  written(source: ByteWriter, start: number, end: number): void {
    const buffer = this.#room(end - start);
    source.copyTo(buffer.bytes, buffer.used, start, end);
    buffer.used += end - start;
  }

  /** Sets bits of a byte that was written since the last `take`. @param at its position among those, from 0 */
  setBits(at: number, bits: number): void {
    const bytes = this.#buffer?.bytes;
    if (bytes !== undefined) bytes[at] = (bytes[at] as number) | bits;
  }

  /** What was written. The caller's from now on: it goes to a socket, or back to the pool. */
  take(): OutputBuffer {
    const buffer = this.#buffer ?? takeOutputBuffer(0);
    this.#buffer = undefined;
    return buffer;
  }

  #room(byteCount: number): OutputBuffer {
    const buffer = (this.#buffer ??= takeOutputBuffer(byteCount));
    if (buffer.bytes.length - buffer.used >= byteCount) return buffer;
    return (this.#buffer = widenOutputBuffer(buffer, byteCount));
  }
}
