import { COLON, CR, fieldValueByte, HTAB, LF, SP, tokenLower } from "../byte-class.ts";
import { type KeptNames, type NameKeeping, namesToKeep } from "../header-names.ts";
import { fieldStride, HeaderList, nameKey, packNameKey } from "../header-list.ts";
import type { Rule } from "./violation.ts";

/** Positions that a reading step returns when it cannot go on. */
const incomplete = -1;
const broken = -2;

const keys = {
  host: nameKey("host"),
  connection: nameKey("connection"),
  contentLength: nameKey("content-length"),
  transferEncoding: nameKey("transfer-encoding"),
};

/**
 * Where a section is read into while its bytes lie in one piece: shared by all decoders of a thread, since nothing else runs between the first byte
 * and the last. A section that comes in pieces moves to a store of its own, so that an idle connection holds no buffer.
 */
let sharedStore = Buffer.allocUnsafeSlow(64 * 1024);
const sharedStoreLimit = 256 * 1024;
const sharedFields: number[] = [];

/**
 * Reads a start line from bytes that may go on behind it. Returns the position behind its line end, -1 when the bytes end before it, or
 * the rule that it breaks.
 */
export type StartLineReader = (bytes: Buffer, start: number, end: number) => number | Rule;

/**
 * Reads field lines (RFC 9112 §5), those of a head after its start line and those of a trailer section, from bytes that arrive in any pieces.
 *
 * Every line is judged when it is complete, whatever pieces it came in, so that the verdict does not depend on the network. Lines are copied into the
 * form in which they are forwarded while they are checked: names in lower case, one space after the colon, no white space at the end. The
 * copy becomes one string at the end of the section.
 *
 * Measured (Node 26, scripts/bench-request-head.ts, CPU time): a browser's head of 11 fields, 590 bytes, is parsed, looked at, changed and encoded
 * again in 2.9 µs; with the same rules over one latin1 string by charCodeAt it takes 3.0, with one regular expression per line 3.0. For wrk's two
 * fields the figures are 1.35, 1.2 and 1.35. Kept is the one that reads pieces and needs no whole head before it judges; its cost per byte
 * is the lowest (0.7 ns against 1.6), so it gains as heads grow.
 */
export class FieldSection {
  /** After `read` returned: the section is complete. */
  isComplete = false;
  /** The rule that was broken; reading ends there. */
  violation: Rule | "" = "";

  // What the framing of the message depends on is picked out while reading (RFC 9112 §6.3).
  hostCount = 0;
  /** Of this section or, when it had none, of one before. */
  host = "";
  contentLengthCount = 0;
  contentLength = "";
  transferEncodingCount = 0;
  transferEncoding = "";
  connectionCount = 0;

  readonly #maxBytes: number;
  readonly #maxFields: number;
  readonly #tooLarge: Rule;
  readonly #startLine: StartLineReader | undefined;
  readonly #nameKeeping: NameKeeping;
  #names: KeptNames | undefined;
  #isStartLineRead = false;
  /** Bytes of the complete lines so far, as on the wire. */
  #wireBytes = 0;
  #fieldCount = 0;
  #textLength = 0;
  #ownStore: Buffer | undefined;
  #fields: number[] = sharedFields;
  /** Numbers in use in `#fields`. */
  #keptNumbers = 0;
  /** The beginning of a line whose end has not arrived. */
  #tail: Buffer | undefined;
  #tailLength = 0;

  /** @param startLine reads the line before the fields; undefined for trailers */
  constructor(
    maxBytes: number,
    maxFields: number,
    tooLarge: Rule,
    startLine: StartLineReader | undefined,
    nameKeeping: NameKeeping,
  ) {
    this.#nameKeeping = nameKeeping;
    this.#names = namesToKeep(nameKeeping);
    this.#maxBytes = maxBytes;
    this.#maxFields = maxFields;
    this.#tooLarge = tooLarge;
    this.#startLine = startLine;
  }

  /** Makes it ready for the next section. */
  reset(): void {
    this.isComplete = false;
    this.violation = "";
    this.hostCount = 0;
    this.contentLengthCount = 0;
    this.transferEncodingCount = 0;
    this.connectionCount = 0;
    this.#isStartLineRead = false;
    this.#wireBytes = 0;
    this.#fieldCount = 0;
    this.#textLength = 0;
    this.#ownStore = undefined;
    this.#fields = sharedFields;
    this.#keptNumbers = 0;
    this.#tail = undefined;
    this.#tailLength = 0;
    this.#names = namesToKeep(this.#nameKeeping);
  }

  /** Bytes of the section so far, the unfinished line included. */
  get wireBytes(): number {
    return this.#wireBytes + this.#tailLength;
  }

  /**
   * Reads on.
   *
   * @returns the position behind what was consumed: `end` unless the section is complete or `violation` is set
   */
  read(bytes: Buffer, start: number, end: number): number {
    let position = start;
    if (this.#tailLength > 0) {
      position = this.#completeTail(bytes, start, end);
      if (this.isComplete || this.violation !== "") return position;
    }
    return position < end ? this.#readLines(bytes, position, end) : position;
  }

  /** The fields of the complete section. Call once. */
  take(): HeaderList {
    const store = this.#ownStore ?? sharedStore;
    const list = new HeaderList(
      store.toString("latin1", 0, this.#textLength),
      this.#fields === sharedFields ? sharedFields.slice(0, this.#keptNumbers) : this.#fields,
    );
    list.names = this.#names;
    return list;
  }

  /** The line that began in an earlier piece: read from the tail once its line feed is there. */
  #completeTail(bytes: Buffer, start: number, end: number): number {
    let lineEnd = start;
    while (lineEnd < end && bytes[lineEnd] !== LF) lineEnd += 1;
    const hasLineFeed = lineEnd < end;
    if (hasLineFeed) lineEnd += 1;
    this.#appendTail(bytes, start, lineEnd);
    if (this.#wireBytes + this.#tailLength > this.#maxBytes) {
      this.violation = this.#tooLarge;
    } else if (hasLineFeed) {
      const tail = this.#tail as Buffer;
      const length = this.#tailLength;
      this.#tailLength = 0;
      this.#readLines(tail, 0, length);
    }
    return lineEnd;
  }

  #appendTail(bytes: Buffer, start: number, end: number): void {
    const needed = this.#tailLength + end - start;
    let tail = this.#tail;
    if (tail === undefined || tail.length < needed) {
      tail = Buffer.allocUnsafeSlow(Math.max(256, needed * 2));
      this.#tail?.copy(tail, 0, 0, this.#tailLength);
      this.#tail = tail;
    }
    bytes.copy(tail, this.#tailLength, start, end);
    this.#tailLength = needed;
  }

  /** Reads lines until the section is complete, a rule is broken, or the rest is no complete line. */
  #readLines(bytes: Buffer, start: number, end: number): number {
    // One byte beyond the limit is enough to see that a line is too long, so no more is read or stored, whatever has arrived.
    const limit = Math.min(end, start + this.#maxBytes - this.#wireBytes + 1);
    this.#reserve(limit - start);
    let lineStart = start;
    if (!this.#isStartLineRead && this.#startLine !== undefined) {
      lineStart = this.#readStartLine(this.#startLine, bytes, start, limit);
      if (lineStart < 0) return this.#stop(lineStart, bytes, start, end);
    }
    while (lineStart < limit) {
      const next = this.#readField(bytes, lineStart, limit);
      if (next < 0) return this.#stop(next, bytes, lineStart, end);
      this.#wireBytes += next - lineStart;
      if (this.#wireBytes > this.#maxBytes) {
        this.violation = this.#tooLarge;
        return next;
      }
      lineStart = next;
      if (this.isComplete) return next;
    }
    this.#detach();
    return end;
  }

  #readStartLine(reader: StartLineReader, bytes: Buffer, start: number, end: number): number {
    const next = reader(bytes, start, end);
    if (typeof next === "string") return this.#break(next);
    if (next < 0) return incomplete;
    if (next - start > this.#maxBytes) return this.#break(this.#tooLarge);
    this.#isStartLineRead = true;
    this.#wireBytes = next - start;
    return next;
  }

  /** One field line, or the empty line that ends the section. Returns the position behind it, `incomplete` or `broken`. */
  #readField(bytes: Buffer, start: number, end: number): number {
    // Imported tables are loaded anew at every use: as locals they stay in registers.
    const names = tokenLower;
    const values = fieldValueByte;
    const store = this.#ownStore ?? sharedStore;
    let i = start;
    if (bytes[i] === CR) {
      if (i + 1 >= end) return incomplete;
      if (bytes[i + 1] !== LF) return this.#break("bareCr");
      this.isComplete = true;
      return i + 2;
    }
    const nameStart = this.#textLength;
    let write = nameStart;
    for (; i < end; i += 1) {
      const lower = names[bytes[i] as number] as number;
      if (lower === 0) break;
      store[write++] = lower;
    }
    if (i >= end) return incomplete;
    if (bytes[i] !== COLON || write === nameStart)
      return this.#break(nameRule(bytes[i] as number, write === nameStart));
    const nameEnd = i;
    store[write] = COLON;
    store[write + 1] = SP;
    write += 2;
    i += 1;
    while (i < end && (bytes[i] === SP || bytes[i] === HTAB)) i += 1;
    const valueStart = write;
    for (; i < end; i += 1) {
      const byte = bytes[i] as number;
      if (values[byte] === 0) break;
      store[write++] = byte;
    }
    if (i >= end) return incomplete;
    if (bytes[i] !== CR) return this.#break(bytes[i] === LF ? "bareLf" : "badFieldValue");
    if (i + 1 >= end) return incomplete;
    if (bytes[i + 1] !== LF) return this.#break("bareCr");
    while (write > valueStart && (store[write - 1] === SP || store[write - 1] === HTAB)) write -= 1;
    store[write] = CR;
    store[write + 1] = LF;
    this.#names?.keep(bytes.toString("latin1", start, nameEnd));
    this.#keep(store, nameStart, valueStart, write);
    return this.violation === "" ? i + 2 : broken;
  }

  #keep(store: Buffer, nameStart: number, valueStart: number, valueEnd: number): void {
    this.#fieldCount += 1;
    if (this.#fieldCount > this.#maxFields) {
      this.violation = this.#tooLarge === "headTooLarge" ? "tooManyFields" : this.#tooLarge;
      return;
    }
    const length = valueStart - 2 - nameStart;
    const middle = store[nameStart + (length >> 1)] as number;
    const key = packNameKey(length, store[nameStart] as number, middle, store[valueStart - 3] as number);
    if (key === keys.host && isNamed(store, nameStart, valueStart, "host")) {
      this.hostCount += 1;
      this.host = readAgain(store, valueStart, valueEnd, this.host);
      return; // It becomes the authority and is no longer a field: its text is overwritten by the next line.
    }
    if (key === keys.contentLength && isNamed(store, nameStart, valueStart, "content-length")) {
      this.contentLengthCount += 1;
      this.contentLength = store.toString("latin1", valueStart, valueEnd);
    } else if (key === keys.transferEncoding && isNamed(store, nameStart, valueStart, "transfer-encoding")) {
      this.transferEncodingCount += 1;
      const value = store.toString("latin1", valueStart, valueEnd);
      this.transferEncoding = this.transferEncodingCount === 1 ? value : `${this.transferEncoding},${value}`;
    } else if (key === keys.connection && isNamed(store, nameStart, valueStart, "connection")) {
      this.connectionCount += 1;
    }
    const fields = this.#fields;
    const at = this.#keptNumbers;
    fields[at] = key;
    fields[at + 1] = nameStart;
    fields[at + 2] = valueStart;
    fields[at + 3] = valueEnd;
    this.#keptNumbers = at + fieldStride;
    this.#textLength = valueEnd + 2;
  }

  #break(rule: Rule): number {
    this.violation = rule;
    return broken;
  }

  /** A line could not be read: is it broken, too large, or not complete yet? The answer must not depend on how the bytes were cut. */
  #stop(result: number, bytes: Buffer, lineStart: number, end: number): number {
    const rule = this.violation;
    this.violation = "";
    let lineEnd = lineStart;
    while (lineEnd < end && bytes[lineEnd] !== LF) lineEnd += 1;
    const hasLineFeed = lineEnd < end;
    if (hasLineFeed) lineEnd += 1;
    if (this.#wireBytes + lineEnd - lineStart > this.#maxBytes) {
      this.violation = this.#tooLarge;
      return lineEnd;
    }
    if (hasLineFeed && result === broken) {
      this.violation = rule;
      return lineEnd;
    }
    this.#appendTail(bytes, lineStart, end);
    this.#detach();
    return end;
  }

  /** Makes room for what a piece of `byteCount` bytes can add: no line grows by more than the space after its colon. */
  #reserve(byteCount: number): void {
    const needed = this.#textLength + 2 * byteCount + 4;
    if (this.#ownStore === undefined && needed > sharedStore.length) {
      if (needed <= sharedStoreLimit) sharedStore = Buffer.allocUnsafeSlow(needed);
      else this.#ownStore = Buffer.allocUnsafeSlow(needed);
    } else if (this.#ownStore !== undefined && needed > this.#ownStore.length) {
      const grown = Buffer.allocUnsafeSlow(needed + (needed >> 1));
      this.#ownStore.copy(grown, 0, 0, this.#textLength);
      this.#ownStore = grown;
    }
  }

  /** The section goes on in a later piece: leave the shared store to the other decoders. */
  #detach(): void {
    if (this.#ownStore !== undefined && this.#fields !== sharedFields) return;
    if (this.#ownStore === undefined) {
      this.#ownStore = Buffer.allocUnsafeSlow(Math.max(512, this.#textLength * 2));
      sharedStore.copy(this.#ownStore, 0, 0, this.#textLength);
    }
    if (this.#fields === sharedFields) this.#fields = sharedFields.slice(0, this.#keptNumbers);
  }
}

/** Longer strings are not compared with the one before. */
export const longestRemembered = 128;

/**
 * Bytes [start, end) as a string: `previous` itself when it says the same. One connection repeats its host in every request, and comparing
 * costs a fraction of making a string (10 ns against 60).
 */
export function readAgain(bytes: Buffer, start: number, end: number, previous: string): string {
  let i = start;
  if (end - start === previous.length && end - start <= longestRemembered) {
    while (i < end && bytes[i] === previous.charCodeAt(i - start)) i += 1;
    if (i === end) return previous;
  }
  return bytes.toString("latin1", start, end);
}

function isNamed(store: Buffer, nameStart: number, valueStart: number, name: string): boolean {
  if (valueStart - 2 - nameStart !== name.length) return false;
  for (let i = 0; i < name.length; i += 1) if (store[nameStart + i] !== name.charCodeAt(i)) return false;
  return true;
}

function nameRule(byte: number, isEmpty: boolean): Rule {
  if (byte === LF) return "bareLf";
  if (byte === SP || byte === HTAB) return isEmpty ? "foldedField" : "spaceBeforeColon";
  return "badFieldName";
}
