/** What the first bytes of a connection say about TLS. */
export type ClientHelloInspection =
  | { readonly kind: "incomplete" }
  | { readonly kind: "not-tls" }
  /** It would be TLS, and has no end within the limit: nothing may take it for something else. */
  | { readonly kind: "too-long" }
  | { readonly kind: "tls"; readonly sni: string; readonly alpn: readonly string[] };

/** Envoy's tls_inspector reads no further than this either. */
const maxClientHelloBytes = 16_384;

const incomplete: ClientHelloInspection = { kind: "incomplete" };
const notTls: ClientHelloInspection = { kind: "not-tls" };
const tooLong: ClientHelloInspection = { kind: "too-long" };

const handshakeRecord = 22;
const clientHello = 1;
const serverNameExtension = 0;
const alpnExtension = 16;

/**
 * Reads SNI and ALPN from a ClientHello (RFC 8446 §4.1.2, RFC 6066 §3, RFC 7301 §3.1) without taking part in the handshake; it may be split over any
 * number of records. What begins like TLS and is malformed counts as not TLS, as in Envoy's tls_inspector: nothing downstream will take it for TLS.
 *
 * @param bytes everything received so far, from `start`
 */
export function inspectClientHello(bytes: Buffer, start: number, end: number): ClientHelloInspection {
  const length = end - start;
  if (length > 0 && bytes[start] !== handshakeRecord) return notTls;
  if (length > 1 && bytes[start + 1] !== 3) return notTls;
  const message = joinRecords(bytes, start, end);
  if (message === "malformed") return notTls;
  if (message.length > 0 && message[0] !== clientHello) return notTls;
  if (message.length < 4) return length < maxClientHelloBytes ? incomplete : tooLong;
  const bodyLength = message.readUIntBE(1, 3);
  if (bodyLength > maxClientHelloBytes) return tooLong;
  if (message.length < 4 + bodyLength) return length < maxClientHelloBytes ? incomplete : tooLong;
  return readHello(message.subarray(4, 4 + bodyLength));
}

/** The handshake bytes of complete and partial records, without their headers. */
function joinRecords(bytes: Buffer, start: number, end: number): Buffer | "malformed" {
  const parts: Buffer[] = [];
  let position = start;
  while (end - position >= 5) {
    if (bytes[position] !== handshakeRecord || bytes[position + 1] !== 3)
      return parts.length > 0 ? Buffer.concat(parts) : "malformed";
    const length = bytes.readUInt16BE(position + 3);
    // RFC 8446 §5.1: records of handshake messages are never empty and hold at most 2^14 bytes.
    if (length === 0 || length > 16_384) return "malformed";
    const from = position + 5;
    parts.push(bytes.subarray(from, Math.min(from + length, end)));
    position = from + length;
  }
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}

function readHello(body: Buffer): ClientHelloInspection {
  const cursor = new Cursor(body);
  cursor.skip(2 + 32);
  cursor.skip(cursor.uint8());
  cursor.skip(cursor.uint16());
  cursor.skip(cursor.uint8());
  let sni = "";
  let alpn: string[] = [];
  if (!cursor.hasFailed && !cursor.isAtEnd) {
    const extensions = cursor.sub(cursor.uint16());
    while (!extensions.isAtEnd && !extensions.hasFailed) {
      const type = extensions.uint16();
      const value = extensions.sub(extensions.uint16());
      if (type === serverNameExtension) sni = readServerName(value);
      else if (type === alpnExtension) alpn = readProtocols(value);
      if (value.hasFailed) return notTls;
    }
    if (extensions.hasFailed || !cursor.isAtEnd) return notTls;
  }
  if (cursor.hasFailed) return notTls;
  return { kind: "tls", sni, alpn };
}

/** The host_name entry, lower-case; RFC 6066 §3 allows one of each type. */
function readServerName(value: Cursor): string {
  const list = value.sub(value.uint16());
  let name = "";
  while (!list.isAtEnd && !list.hasFailed) {
    const type = list.uint8();
    const text = list.text(list.uint16());
    if (type === 0) name = text.toLowerCase();
  }
  if (list.hasFailed) value.fail();
  return name;
}

function readProtocols(value: Cursor): string[] {
  const list = value.sub(value.uint16());
  const protocols: string[] = [];
  while (!list.isAtEnd && !list.hasFailed) protocols.push(list.text(list.uint8()));
  if (list.hasFailed) value.fail();
  return protocols;
}

/** Reads that run past the end set a flag and give zeros, so that the grammar above stays free of checks. */
class Cursor {
  hasFailed = false;
  #position = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#position >= this.#bytes.length;
  }

  fail(): void {
    this.hasFailed = true;
  }

  uint8(): number {
    const at = this.#take(1);
    return at === -1 ? 0 : this.#bytes.readUInt8(at);
  }

  uint16(): number {
    const at = this.#take(2);
    return at === -1 ? 0 : this.#bytes.readUInt16BE(at);
  }

  skip(count: number): void {
    this.#take(count);
  }

  text(length: number): string {
    const at = this.#take(length);
    return at === -1 ? "" : this.#bytes.toString("latin1", at, at + length);
  }

  sub(length: number): Cursor {
    const at = this.#take(length);
    const cursor = new Cursor(at === -1 ? Buffer.alloc(0) : this.#bytes.subarray(at, at + length));
    cursor.hasFailed = at === -1;
    return cursor;
  }

  #take(count: number): number {
    const at = this.#position;
    if (this.hasFailed || at + count > this.#bytes.length) {
      this.hasFailed = true;
      return -1;
    }
    this.#position = at + count;
    return at;
  }
}
