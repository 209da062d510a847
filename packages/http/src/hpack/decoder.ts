import { DynamicTable } from "./dynamic-table.ts";
import type { HpackField } from "./field.ts";
import { makeField } from "./field.ts";
import { decodeHuffman, huffmanDecodedLimit } from "./huffman.ts";
import { lastStaticIndex, staticFields } from "./static-table.ts";

/** What is wrong with a header block; each is a connection error of type COMPRESSION_ERROR (RFC 9113 §4.3). */
export type HpackError =
  /** Index 0, or beyond both tables (RFC 7541 §6.1, §2.3.3). */
  | "badIndex"
  /** An integer above 2^28, or with more than five bytes behind its prefix (RFC 7541 §5.1, §7.4). */
  | "integerTooLarge"
  /** The block ends within a field. */
  | "truncated"
  /** The end symbol, or bad padding (RFC 7541 §5.2). */
  | "badHuffman"
  /** Larger than allowed, behind a field, or missing after the limit was lowered (RFC 7541 §4.2, §6.3). */
  | "badTableSizeUpdate";

export interface HpackLimits {
  /** Sum of the fields' sizes by RFC 9113 §6.5.2: octets of name and value and 32 each. */
  maxListBytes: number;
  /** Fields, each crumb of a cookie counted. */
  maxFields: number;
}

export interface HpackSink {
  /**
   * The next field. Not called any more once a limit is passed.
   *
   * @param isNeverIndexed whoever forwards it must keep it out of tables, too (RFC 7541 §6.2.3)
   */
  onField(field: HpackField, isNeverIndexed: boolean): void;
}

/** Octets of one decoded string that are kept; the table's and the list's limits are below it. */
let scratch = Buffer.allocUnsafeSlow(16 * 1024);

/**
 * Decodes the header blocks of one direction of a connection (RFC 7541).
 *
 * Limits are applied while decoding, not after it: a block of a few kilobytes can stand for megabytes by naming one large entry again and
 * again. What lies beyond a limit is still read, since the table must follow, but neither kept nor reported.
 */
export class HpackDecoder {
  readonly #limits: HpackLimits;
  readonly #table: DynamicTable;
  #maxTableBytes: number;
  #isUpdateDue = false;
  #bytes: Buffer = scratch;
  #position = 0;
  #end = 0;
  #error: HpackError | "" = "";
  #listBytes = 0;
  #fields = 0;

  /** @param maxTableBytes what SETTINGS_HEADER_TABLE_SIZE allows the encoder; 4096 before it is said */
  constructor(maxTableBytes: number, limits: HpackLimits) {
    this.#maxTableBytes = maxTableBytes;
    this.#limits = limits;
    this.#table = new DynamicTable(maxTableBytes);
  }

  /** Whether the last block passed a limit. */
  get isTooLarge(): boolean {
    return this.#listBytes > this.#limits.maxListBytes || this.#fields > this.#limits.maxFields;
  }

  /** Octets in the dynamic table by RFC 7541 §4.1. */
  get tableBytes(): number {
    return this.#table.bytes;
  }

  /** The peer has acknowledged another SETTINGS_HEADER_TABLE_SIZE: a lower one must be followed by an update (RFC 7541 §4.2). */
  setMaxTableBytes(maxTableBytes: number): void {
    this.#maxTableBytes = maxTableBytes;
    if (maxTableBytes < this.#table.maxBytes) this.#isUpdateDue = true;
  }

  /**
   * Decodes bytes [start, end), one whole header block.
   *
   * @returns "" or what is wrong, after which the tables of both sides differ and the connection must end
   */
  decode(bytes: Buffer, start: number, end: number, sink: HpackSink): HpackError | "" {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = end;
    this.#error = "";
    this.#listBytes = 0;
    this.#fields = 0;
    this.#readUpdates();
    while (this.#position < end && this.#error === "") this.#readField(sink);
    this.#bytes = scratch;
    return this.#error;
  }

  /** RFC 7541 §6.3; §4.2 has them at the beginning of a block only. */
  #readUpdates(): void {
    while (this.#position < this.#end && ((this.#bytes[this.#position] as number) & 0xe0) === 0x20) {
      const maxBytes = this.#integer(5);
      if (this.#error !== "") return;
      if (maxBytes > this.#maxTableBytes) return this.#fail("badTableSizeUpdate");
      this.#isUpdateDue = false;
      this.#table.resize(maxBytes);
    }
    if (this.#isUpdateDue) this.#fail("badTableSizeUpdate");
  }

  #readField(sink: HpackSink): void {
    const first = this.#bytes[this.#position] as number;
    if ((first & 0x80) !== 0) {
      const field = this.#at(this.#integer(7));
      if (field !== undefined) this.#emit(field, false, sink);
    } else if ((first & 0x40) !== 0) {
      const field = this.#literal(6);
      if (field === undefined) return;
      this.#table.insert(field);
      this.#emit(field, false, sink);
    } else if ((first & 0x20) !== 0) {
      this.#fail("badTableSizeUpdate");
    } else {
      const field = this.#literal(4);
      if (field !== undefined) this.#emit(field, (first & 0x10) !== 0, sink);
    }
  }

  #emit(field: HpackField, isNeverIndexed: boolean, sink: HpackSink): void {
    this.#listBytes += field.size;
    this.#fields += 1;
    if (!this.isTooLarge) sink.onField(field, isNeverIndexed);
  }

  /** RFC 7541 §6.2: a name by index or as a string, and a value. */
  #literal(prefixBits: number): HpackField | undefined {
    const index = this.#integer(prefixBits);
    if (this.#error !== "") return undefined;
    const name = index === 0 ? this.#string() : this.#at(index)?.name;
    if (name === undefined || this.#error !== "") return undefined;
    const value = this.#string();
    return this.#error === "" ? makeField(name, value) : undefined;
  }

  #at(index: number): HpackField | undefined {
    if (this.#error !== "") return undefined;
    const field = index <= lastStaticIndex ? staticFields[index] : this.#table.at(index - lastStaticIndex - 1);
    if (field !== undefined && index !== 0) return field;
    this.#fail("badIndex");
    return undefined;
  }

  /** RFC 7541 §5.1. */
  #integer(prefixBits: number): number {
    const bytes = this.#bytes;
    const mask = (1 << prefixBits) - 1;
    let value = (bytes[this.#position++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; this.#position < this.#end; shift += 7) {
      const byte = bytes[this.#position++] as number;
      if (shift > 28) break;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xfffffff) break;
        return value;
      }
      if (shift === 28) break;
    }
    this.#fail(
      this.#position >= this.#end && (bytes[this.#end - 1] as number) >= 0x80 ? "truncated" : "integerTooLarge",
    );
    return 0;
  }

  /** RFC 7541 §5.2. */
  #string(): string {
    if (this.#position >= this.#end) return this.#truncated();
    const isHuffman = ((this.#bytes[this.#position] as number) & 0x80) !== 0;
    const length = this.#integer(7);
    if (this.#error !== "") return "";
    const start = this.#position;
    if (length > this.#end - start) return this.#truncated();
    this.#position = start + length;
    if (!isHuffman) return this.#bytes.toString("latin1", start, start + length);
    const room = huffmanDecodedLimit(length);
    if (room > scratch.length) scratch = Buffer.allocUnsafeSlow(room + (room >> 1));
    const written = decodeHuffman(this.#bytes, start, start + length, scratch);
    if (written >= 0) return scratch.toString("latin1", 0, written);
    this.#fail("badHuffman");
    return "";
  }

  #truncated(): string {
    this.#fail("truncated");
    return "";
  }

  #fail(error: HpackError): void {
    if (this.#error === "") this.#error = error;
  }
}
