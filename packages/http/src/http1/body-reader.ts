import { CR, hexValue, LF, SEMICOLON, fieldValueByte } from "../byte-class.ts";
import type { HeaderList } from "../header-list.ts";
import { removeForbiddenTrailers } from "../trailer-fields.ts";
import { FieldSection } from "./field-section.ts";
import type { Http1Limits } from "./limits.ts";
import type { Rule } from "./violation.ts";

export interface BodySink {
  /** Bytes [start, end) of the body, valid only during the call. */
  onData(bytes: Buffer, start: number, end: number): void;
  /** Not called when there are none, or when trailers are not enabled. */
  onTrailers(trailers: HeaderList): void;
}

export type BodyKind = "none" | "length" | "chunked" | "close";

/** Where the next byte belongs. A string per state costs nothing: V8 compares them by address. */
type State =
  | "data"
  | "size"
  | "size-digits"
  | "extension"
  | "size-lf"
  | "chunk-data"
  | "chunk-cr"
  | "chunk-lf"
  | "trailers"
  | "done";

/** A chunk size that has more digits than this is an attack or a defect, leading zeros included. */
const maxSizeDigits = 16;

/** Reads one message's content (RFC 9112 §6 and §7) from bytes that arrive in any pieces. */
export class BodyReader {
  /** The rule that was broken; reading ends there. */
  violation: Rule | "" = "";
  readonly #limits: Http1Limits;
  #state: State = "done";
  #isEndless = false;
  #remaining = 0;
  #sizeDigits = 0;
  #extensionBytes = 0;
  #trailers: FieldSection | undefined;

  constructor(limits: Http1Limits) {
    this.#limits = limits;
  }

  get isDone(): boolean {
    return this.#state === "done";
  }

  /** Whether the end of the connection ends the body (RFC 9112 §6.3 rule 8). */
  get endsWithConnection(): boolean {
    return this.#isEndless && this.#state === "data";
  }

  /** @param length bytes of a body of kind "length" */
  begin(kind: BodyKind, length: number): void {
    this.violation = "";
    this.#isEndless = kind === "close";
    this.#remaining = kind === "length" ? length : 0;
    this.#extensionBytes = 0;
    if (kind === "chunked") this.#state = "size";
    else if (kind === "close" || (kind === "length" && length > 0)) this.#state = "data";
    else this.#state = "done";
  }

  /**
   * Reads on, up to the end of the body.
   *
   * @returns the position behind what was consumed
   */
  read(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    if (this.#state === "data") return this.#readData(bytes, start, end, sink);
    let i = start;
    while (i < end && this.#state !== "done" && this.violation === "") {
      if (this.#state === "chunk-data") i = this.#readChunk(bytes, i, end, sink);
      else if (this.#state === "trailers") i = this.#readTrailers(bytes, i, end, sink);
      else i = this.#readFrame(bytes, i, end);
    }
    return i;
  }

  #readData(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    if (this.#isEndless) {
      sink.onData(bytes, start, end);
      return end;
    }
    const dataEnd = Math.min(end, start + this.#remaining);
    this.#remaining -= dataEnd - start;
    if (this.#remaining === 0) this.#state = "done";
    sink.onData(bytes, start, dataEnd);
    return dataEnd;
  }

  #readChunk(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    const dataEnd = Math.min(end, start + this.#remaining);
    this.#remaining -= dataEnd - start;
    if (this.#remaining === 0) this.#state = "chunk-cr";
    sink.onData(bytes, start, dataEnd);
    return dataEnd;
  }

  /** The bytes between the chunks: size, extensions, line ends. */
  #readFrame(bytes: Buffer, start: number, end: number): number {
    for (let i = start; i < end; i += 1) {
      const byte = bytes[i] as number;
      switch (this.#state) {
        case "size":
        case "size-digits":
          this.#readSize(byte);
          break;
        case "extension":
          this.#readExtension(byte);
          break;
        case "size-lf":
          if (byte !== LF) this.violation = "bareCr";
          else if (this.#remaining > 0) this.#state = "chunk-data";
          else this.#beginTrailers();
          break;
        case "chunk-cr":
          if (byte === CR) this.#state = "chunk-lf";
          else this.violation = byte === LF ? "bareLf" : "badChunk";
          break;
        case "chunk-lf":
          if (byte === LF) this.#state = "size";
          else this.violation = "bareCr";
          break;
        default:
          return i;
      }
      if (this.violation !== "") return i;
    }
    return end;
  }

  #readSize(byte: number): void {
    const digit = hexValue[byte] as number;
    if (digit !== 0xff) {
      if (this.#state === "size") {
        this.#state = "size-digits";
        this.#sizeDigits = 0;
        this.#remaining = 0;
      }
      this.#sizeDigits += 1;
      this.#remaining = this.#remaining * 16 + digit;
      // Beyond 2^53 the sum would be rounded: a length that is not the one on the wire.
      if (this.#sizeDigits > maxSizeDigits || this.#remaining > Number.MAX_SAFE_INTEGER) this.violation = "badChunk";
    } else if (this.#state === "size") {
      this.violation = "badChunk";
    } else if (byte === CR) {
      this.#state = "size-lf";
    } else if (byte === SEMICOLON) {
      this.#state = "extension";
    } else {
      this.violation = byte === LF ? "bareLf" : "badChunk";
    }
  }

  /** Extensions are discarded (RFC 9112 §7.1.1), but their bytes are checked and counted: a bare LF in one is a known way to smuggle. */
  #readExtension(byte: number): void {
    if (byte === CR) {
      this.#state = "size-lf";
      return;
    }
    this.#extensionBytes += 1;
    if (byte === LF) this.violation = "bareLf";
    else if (fieldValueByte[byte] === 0) this.violation = "badChunk";
    else if (this.#extensionBytes > this.#limits.maxChunkExtensionBytes) this.violation = "chunkExtensionsTooLarge";
  }

  #beginTrailers(): void {
    this.#state = "trailers";
    this.#trailers ??= new FieldSection(
      this.#limits.maxTrailersBytes,
      this.#limits.maxHeaders,
      "trailersTooLarge",
      undefined,
      this.#limits.nameKeeping,
    );
    this.#trailers.reset();
  }

  #readTrailers(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    const section = this.#trailers as FieldSection;
    const position = section.read(bytes, start, end);
    this.violation = section.violation;
    if (this.violation !== "" || !section.isComplete) return position;
    this.#state = "done";
    const trailers = section.take();
    section.reset();
    if (!this.#limits.enableTrailers || trailers.length === 0) return position;
    removeForbiddenTrailers(trailers);
    if (trailers.length > 0) sink.onTrailers(trailers);
    return position;
  }
}
