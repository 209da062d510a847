import type { ByteWriter } from "../byte-writer.ts";
import { DynamicTable } from "./dynamic-table.ts";
import type { HpackField } from "./field.ts";
import { makeField } from "./field.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { lastStaticIndex, staticFields } from "./static-table.ts";

/** Never in a table, so that nobody can find them by guessing and looking at lengths (RFC 7541 §7.1.3). */
const sensitiveNames = new Set(["authorization", "proxy-authorization", "set-cookie"]);

/** A cookie this short may be guessed. */
const shortCookie = 20;

/**
 * Fields that differ in each message: entering them would push out those that repeat. nghttp2 leaves out the first eight for the same reason; the
 * others are what a mesh adds to each request.
 */
const changingNames = new Set([
  ":path",
  "age",
  "content-length",
  "etag",
  "if-modified-since",
  "if-none-match",
  "location",
  "last-modified",
  "x-request-id",
  "traceparent",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-envoy-upstream-service-time",
  "grpc-timeout",
]);

/** Where a name is in the tables. */
interface NameEntry {
  /** Index in the static table; 0 when it is not there. */
  readonly staticIndex: number;
  /** Index by value in the static table. */
  readonly staticValues: ReadonlyMap<string, number> | undefined;
  readonly isSensitive: boolean;
  readonly isChanging: boolean;
}

const namesOfStaticTable = new Map<string, NameEntry & { staticValues: Map<string, number> }>();
for (const [index, { name, value }] of staticFields.entries()) {
  if (index === 0) continue;
  const known = namesOfStaticTable.get(name);
  if (known !== undefined) known.staticValues.set(value, index);
  else namesOfStaticTable.set(name, { ...describe(name, index), staticValues: new Map([[value, index]]) });
}
const changingEntries = new Map([...changingNames].map((name) => [name, describe(name, 0)]));
const unknownName = describe("", 0);

function describe(name: string, staticIndex: number): NameEntry {
  return {
    staticIndex,
    staticValues: undefined,
    isSensitive: sensitiveNames.has(name),
    isChanging: changingNames.has(name),
  };
}

/** What is not larger than this part of the table goes into it. */
const largestShare = 0.75;

/**
 * Encodes the header blocks of one direction of a connection (RFC 7541). Strings are latin1; those that go into the table, and so once, are in Huffman
 * code where that is shorter. What differs in each message is not: a dozen bytes of it would cost a tenth of the codec's time on this side, and as
 * much on the other.
 */
export class HpackEncoder {
  readonly #table: DynamicTable;
  readonly #ownMaxBytes: number;
  /** Serial numbers of what is in the dynamic table, by name and then by value. */
  readonly #dynamic = new Map<string, Map<string, number>>();
  #smallestDue = -1;
  #updateDue = -1;

  /** @param maxTableBytes the most that this side spends on its table, whatever the peer allows */
  constructor(maxTableBytes: number = 4096) {
    this.#ownMaxBytes = maxTableBytes;
    // Before it hears otherwise, an encoder may use 4096 bytes (RFC 9113 §6.5.2).
    this.#table = new DynamicTable(4096, (field, serial) => this.#forget(field, serial));
    if (maxTableBytes < 4096) this.setPeerMaxTableBytes(4096);
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; the next block begins with what it must know (RFC 7541 §4.2). */
  setPeerMaxTableBytes(maxBytes: number): void {
    const wanted = Math.min(maxBytes, this.#ownMaxBytes);
    if (this.#updateDue < 0 && wanted === this.#table.maxBytes) return;
    this.#smallestDue = this.#updateDue < 0 ? wanted : Math.min(this.#smallestDue, wanted);
    this.#updateDue = wanted;
  }

  /** Begins a header block. */
  begin(writer: ByteWriter): void {
    if (this.#updateDue < 0) return;
    if (this.#smallestDue < this.#updateDue) this.#resize(writer, this.#smallestDue);
    this.#resize(writer, this.#updateDue);
    this.#updateDue = this.#smallestDue = -1;
  }

  /**
   * Appends one field, after `begin`. The caller vouches for lower case and for characters below U+0100.
   *
   * @param isSensitive keep it out of tables here and further on (RFC 7541 §7.1.3); some names are sensitive of themselves
   */
  field(writer: ByteWriter, name: string, value: string, isSensitive: boolean = false): void {
    const entry = namesOfStaticTable.get(name) ?? changingEntries.get(name) ?? unknownName;
    if (isSensitive || entry.isSensitive || (name === "cookie" && value.length < shortCookie)) {
      return this.#literal(writer, 0x10, 4, entry, name, value);
    }
    const known = entry.staticValues?.get(value);
    if (known !== undefined) return integer(writer, 0x80, 7, known);
    const serial = this.#dynamic.get(name)?.get(value);
    if (serial !== undefined) return integer(writer, 0x80, 7, this.#indexOf(serial));
    const size = name.length + value.length + 32;
    if (entry.isChanging || size > this.#table.maxBytes * largestShare) {
      return this.#literal(writer, 0x00, 4, entry, name, value);
    }
    this.#literal(writer, 0x40, 6, entry, name, value);
    this.#remember(makeField(name, value));
  }

  #indexOf(serial: number): number {
    return lastStaticIndex + (this.#table.inserted - serial);
  }

  #literal(
    writer: ByteWriter,
    pattern: number,
    prefixBits: number,
    entry: NameEntry,
    name: string,
    value: string,
  ): void {
    let index = entry.staticIndex;
    if (index === 0) {
      const serials = this.#dynamic.get(name);
      const serial: number | undefined = serials?.values().next().value;
      if (serial !== undefined) index = this.#indexOf(serial);
    }
    integer(writer, pattern, prefixBits, index);
    const isKept = pattern === 0x40;
    if (index === 0) string(writer, name, isKept);
    string(writer, value, isKept);
  }

  #remember(field: HpackField): void {
    const serial = this.#table.insert(field);
    if (serial < 0) return;
    const serials = this.#dynamic.get(field.name);
    if (serials === undefined) this.#dynamic.set(field.name, new Map([[field.value, serial]]));
    else serials.set(field.value, serial);
  }

  #forget(field: HpackField, serial: number): void {
    const serials = this.#dynamic.get(field.name);
    if (serials?.get(field.value) !== serial) return;
    serials.delete(field.value);
    if (serials.size === 0) this.#dynamic.delete(field.name);
  }

  #resize(writer: ByteWriter, maxBytes: number): void {
    integer(writer, 0x20, 5, maxBytes);
    this.#table.resize(maxBytes);
  }
}

/** RFC 7541 §5.1. */
function integer(writer: ByteWriter, pattern: number, prefixBits: number, value: number): void {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return writer.byte(pattern | value);
  writer.byte(pattern | mask);
  value -= mask;
  for (; value >= 0x80; value = Math.floor(value / 0x80)) writer.byte((value & 0x7f) | 0x80);
  writer.byte(value);
}

/** RFC 7541 §5.2. */
function string(writer: ByteWriter, text: string, mayBeHuffman: boolean): void {
  const length = mayBeHuffman ? huffmanLength(text) : text.length;
  if (length < text.length) {
    integer(writer, 0x80, 7, length);
    encodeHuffman(writer, text);
  } else {
    integer(writer, 0x00, 7, text.length);
    writer.latin1(text);
  }
}
