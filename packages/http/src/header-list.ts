import { fieldValueByte, tokenByte } from "./byte-class.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** Numbers per field in `fields`: hash of the name, start of the name, start of the value, end of the value. */
export const fieldStride = 4;

/** Marks a field that was added: its second number is no offset, its third is an index into `added`. */
const isAdded = -1;

/** The hash of a lower-case name as the field parser computes it: 30 bits, so that V8 keeps it as a small integer everywhere. */
export function hashName(name: string): number {
  let hash = 0;
  for (let i = 0; i < name.length; i += 1) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) & 0x3fffffff;
  return hash;
}

const hostHash = hashName("host");
const contentLengthHash = hashName("content-length");
const transferEncodingHash = hashName("transfer-encoding");
const colonSpace = ": ";
const lineEnd = "\r\n";

/**
 * Header fields in their order. Parsed fields stay one text with offsets, in the form in which they are sent on ("name: value",
 * names in lower case as Envoy forwards them), so that fields nobody touches are written out in one piece; a string is made when somebody asks
 * for a value. Strings are latin1: one character is one byte.
 *
 * Names given to any method MUST be lower-case. A value that is kept for long keeps the text of its whole head alive: copy it.
 */
export class HeaderList {
  #text: string;
  #fields: number[];
  #added: string[] = [];

  constructor(text: string = "", fields: number[] = []) {
    this.#text = text;
    this.#fields = fields;
  }

  /** A list of the given fields. */
  static of(...fields: readonly (readonly [name: string, value: string])[]): HeaderList {
    const list = new HeaderList();
    for (const [name, value] of fields) list.append(name, value);
    return list;
  }

  get length(): number {
    return this.#fields.length / fieldStride;
  }

  nameAt(index: number): string {
    const at = index * fieldStride;
    const start = this.#fields[at + 1];
    const value = this.#fields[at + 2];
    if (start === undefined || value === undefined) throw new RangeError(`no header field ${index}`);
    return start === isAdded ? (this.#added[value] as string) : this.#text.slice(start, value - 2);
  }

  valueAt(index: number): string {
    const at = index * fieldStride;
    if (at >= this.#fields.length || at < 0) throw new RangeError(`no header field ${index}`);
    return this.#value(at);
  }

  /** The value; several are joined with "," (with "; " for cookie), as Envoy's matchers and its access log see them. */
  get(name: string): string | undefined {
    let at = this.#find(name, hashName(name), 0);
    if (at < 0) return undefined;
    let value = this.#value(at);
    const hash = this.#fields[at] as number;
    for (at = this.#find(name, hash, at + fieldStride); at >= 0; at = this.#find(name, hash, at + fieldStride)) {
      value += (name === "cookie" ? "; " : ",") + this.#value(at);
    }
    return value;
  }

  getAll(name: string): string[] {
    const hash = hashName(name);
    const values: string[] = [];
    for (let at = this.#find(name, hash, 0); at >= 0; at = this.#find(name, hash, at + fieldStride)) {
      values.push(this.#value(at));
    }
    return values;
  }

  has(name: string): boolean {
    return this.#find(name, hashName(name), 0) >= 0;
  }

  /** Replaces all fields of this name by one, at the place of the first. */
  set(name: string, value: string): void {
    const hash = hashName(name);
    const at = this.#find(name, hash, 0);
    if (at < 0) return this.#append(hash, name, value);
    this.#removeFrom(name, hash, at + fieldStride);
    this.#fields[at + 1] = isAdded;
    this.#fields[at + 2] = this.#added.length;
    this.#added.push(name, value);
  }

  append(name: string, value: string): void {
    this.#append(hashName(name), name, value);
  }

  /** Whether there was one. */
  remove(name: string): boolean {
    return this.#removeFrom(name, hashName(name), 0);
  }

  removePrefix(prefix: string): void {
    this.#compact(0, (at) => this.#nameStartsWith(at, prefix));
  }

  clear(): void {
    this.#text = "";
    this.#fields = [];
    this.#added = [];
  }

  clone(): HeaderList {
    const copy = new HeaderList(this.#text, this.#fields.slice());
    copy.#added = this.#added.slice();
    return copy;
  }

  /** The fields as pairs, for dumps and tests. */
  toPairs(): [name: string, value: string][] {
    return Array.from({ length: this.length }, (_, index) => [this.nameAt(index), this.valueAt(index)]);
  }

  /**
   * Appends the fields as HTTP/1.1 field lines, without host and transfer-encoding, which the encoders write themselves, and without
   * content-length unless asked.
   *
   * @returns false, with a part written, when an added name is no token or an added value holds what a field value must not (RFC 9110 §5.5):
   *   this is what makes response splitting impossible. Parsed fields were checked when they were parsed.
   */
  writeTo(writer: ByteWriter, keepsContentLength: boolean): boolean {
    const fields = this.#fields;
    let blockStart = 0;
    let blockEnd = 0;
    for (let at = 0; at < fields.length; at += fieldStride) {
      const hash = fields[at] as number;
      if (
        (hash === hostHash && this.#isNamed(at, "host")) ||
        (hash === contentLengthHash && !keepsContentLength && this.#isNamed(at, "content-length")) ||
        (hash === transferEncodingHash && this.#isNamed(at, "transfer-encoding"))
      ) {
        continue;
      }
      const start = fields[at + 1] as number;
      if (start === isAdded) {
        if (blockEnd > blockStart) writer.latin1(this.#text.slice(blockStart, blockEnd));
        blockStart = blockEnd = 0;
        if (!this.#writeAdded(writer, fields[at + 2] as number)) return false;
      } else if (start === blockEnd && blockEnd > 0) {
        blockEnd = (fields[at + 3] as number) + 2;
      } else {
        if (blockEnd > blockStart) writer.latin1(this.#text.slice(blockStart, blockEnd));
        blockStart = start;
        blockEnd = (fields[at + 3] as number) + 2;
      }
    }
    if (blockEnd > blockStart) writer.latin1(this.#text.slice(blockStart, blockEnd));
    return true;
  }

  #writeAdded(writer: ByteWriter, index: number): boolean {
    const name = this.#added[index] as string;
    if (name.length === 0 || !writer.checked(name, tokenByte)) return false;
    writer.latin1(colonSpace);
    if (!writer.checked(this.#added[index + 1] as string, fieldValueByte)) return false;
    writer.latin1(lineEnd);
    return true;
  }

  #append(hash: number, name: string, value: string): void {
    this.#fields.push(hash, isAdded, this.#added.length, 0);
    this.#added.push(name, value);
  }

  #find(name: string, hash: number, from: number): number {
    const fields = this.#fields;
    for (let at = from; at < fields.length; at += fieldStride) {
      // The hash only hurries: an attacker can make names collide, so the name itself decides.
      if (fields[at] === hash && this.#isNamed(at, name)) return at;
    }
    return -1;
  }

  #isNamed(at: number, name: string): boolean {
    const start = this.#fields[at + 1] as number;
    const value = this.#fields[at + 2] as number;
    if (start === isAdded) return this.#added[value] === name;
    return value - 2 - start === name.length && this.#text.startsWith(name, start);
  }

  #nameStartsWith(at: number, prefix: string): boolean {
    const start = this.#fields[at + 1] as number;
    const value = this.#fields[at + 2] as number;
    if (start === isAdded) return (this.#added[value] as string).startsWith(prefix);
    return value - 2 - start >= prefix.length && this.#text.startsWith(prefix, start);
  }

  #value(at: number): string {
    const fields = this.#fields;
    const value = fields[at + 2] as number;
    return fields[at + 1] === isAdded ? (this.#added[value + 1] as string) : this.#text.slice(value, fields[at + 3]);
  }

  #removeFrom(name: string, hash: number, from: number): boolean {
    const first = this.#find(name, hash, from);
    if (first < 0) return false;
    this.#compact(first, (at) => this.#fields[at] === hash && this.#isNamed(at, name));
    return true;
  }

  #compact(from: number, isRemoved: (at: number) => boolean): void {
    const fields = this.#fields;
    let kept = from;
    for (let at = from; at < fields.length; at += fieldStride) {
      if (isRemoved(at)) continue;
      if (kept !== at) for (let k = 0; k < fieldStride; k += 1) fields[kept + k] = fields[at + k] as number;
      kept += fieldStride;
    }
    fields.length = kept;
  }
}
