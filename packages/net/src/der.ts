/** Malformed DER. Thrown inside a parser and caught at its border: it never leaves this package. */
export class DerSyntaxError extends Error {}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** One element: its tag byte and where it stands. */
export interface DerElement {
  readonly tag: number;
  /** First byte of the tag. */
  readonly start: number;
  /** First byte of the content. */
  readonly contentStart: number;
  /** One past the content. */
  readonly end: number;
}

/**
 * Walks the elements of one constructed value. It reads the subset that X.509 uses and refuses everything BER-ish (indefinite or overlong
 * lengths, high tag numbers), so that a certificate has one reading: the names below a signature are what was signed.
 */
export class DerReader {
  readonly bytes: Buffer;
  #position: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.#position === this.#end;
  }

  /** Tag of the next element, or -1 at the end. */
  peekTag(): number {
    return this.#position < this.#end ? (this.bytes[this.#position] ?? -1) : -1;
  }

  next(): DerElement {
    const start = this.#position;
    const tag = this.#byteAt(start);
    if ((tag & 0x1f) === 0x1f) throw new DerSyntaxError("high tag number");
    const first = this.#byteAt(start + 1);
    let contentStart = start + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 4) throw new DerSyntaxError("length of an unusable form");
      length = 0;
      for (let i = 0; i < count; i += 1) length = length * 256 + this.#byteAt(contentStart + i);
      contentStart += count;
      if (length < 0x80 || length < 256 ** (count - 1)) throw new DerSyntaxError("length is not minimal");
    }
    const end = contentStart + length;
    if (end > this.#end) throw new DerSyntaxError("element is longer than its parent");
    this.#position = end;
    return { tag, start, contentStart, end };
  }

  expect(tag: number): DerElement {
    const element = this.next();
    if (element.tag !== tag) throw new DerSyntaxError(`tag ${element.tag} where ${tag} belongs`);
    return element;
  }

  /** The next element when it has this tag. */
  optional(tag: number): DerElement | undefined {
    return this.peekTag() === tag ? this.next() : undefined;
  }

  enter(element: DerElement): DerReader {
    return new DerReader(this.bytes, element.contentStart, element.end);
  }

  expectEnd(): void {
    if (!this.isAtEnd) throw new DerSyntaxError("bytes behind the last element");
  }

  #byteAt(position: number): number {
    const byte = position < this.#end ? this.bytes[position] : undefined;
    if (byte === undefined) throw new DerSyntaxError("element is cut off");
    return byte;
  }
}

/** Dotted text of an OBJECT IDENTIFIER. */
export function readOid(bytes: Buffer, element: DerElement): string {
  const arcs: number[] = [];
  let value = 0;
  let isOpen = true;
  for (let i = element.contentStart; i < element.end; i += 1) {
    const byte = bytes[i] ?? 0;
    if (value === 0 && byte === 0x80) throw new DerSyntaxError("OID arc is not minimal");
    value = value * 128 + (byte & 0x7f);
    if (!Number.isSafeInteger(value)) throw new DerSyntaxError("OID arc is too large");
    isOpen = byte >= 0x80;
    if (isOpen) continue;
    if (arcs.length === 0) {
      const root = Math.min(Math.floor(value / 40), 2);
      arcs.push(root, value - root * 40);
    } else {
      arcs.push(value);
    }
    value = 0;
  }
  if (isOpen) throw new DerSyntaxError("OID is cut off");
  return arcs.join(".");
}

/** BOOLEAN, with DER's two values only. */
export function readBoolean(bytes: Buffer, element: DerElement): boolean {
  const value = bytes[element.contentStart];
  if (element.end - element.contentStart !== 1 || (value !== 0 && value !== 0xff))
    throw new DerSyntaxError("not a DER boolean");
  return value === 0xff;
}

/** A small non-negative INTEGER, such as a path length. */
export function readSmallInteger(bytes: Buffer, element: DerElement): number {
  const length = element.end - element.contentStart;
  if (length < 1 || length > 4) throw new DerSyntaxError("integer out of range");
  const value = bytes.readIntBE(element.contentStart, length);
  if (value < 0) throw new DerSyntaxError("negative integer");
  return value;
}

/** UTCTime or GeneralizedTime in the forms of RFC 5280 §4.1.2.5 (seconds, `Z`), as epoch milliseconds. */
export function readTime(bytes: Buffer, element: DerElement): number {
  const text = bytes.toString("latin1", element.contentStart, element.end);
  const match =
    element.tag === derTag.utcTime
      ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
      : element.tag === derTag.generalizedTime
        ? /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text)
        : null;
  if (match === null) throw new DerSyntaxError("not a time of RFC 5280");
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1).map(Number);
  // RFC 5280 §4.1.2.5.1: two-digit years from 50 on belong to the twentieth century.
  const fullYear = element.tag === derTag.utcTime ? year + (year >= 50 ? 1900 : 2000) : year;
  const time = new Date(0);
  time.setUTCFullYear(fullYear, month - 1, day);
  time.setUTCHours(hour, minute, second);
  const isReal =
    time.getUTCMonth() === month - 1 && time.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal) throw new DerSyntaxError("no such time");
  return time.getTime();
}
