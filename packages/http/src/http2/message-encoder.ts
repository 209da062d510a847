import { isTargetText, isToken } from "../byte-class.ts";
import { ByteWriter } from "../byte-writer.ts";
import type { HeaderList } from "../header-list.ts";
import { NameSet } from "../header-list.ts";
import type { HpackEncoder } from "../hpack/encoder.ts";
import { connectionFields, isAboutConnection, isLowerCaseName, isTrimmedValue } from "./message-head.ts";

/** What a client asks for. Host in `headers` is ignored: `authority` says it. */
export interface Http2Request {
  method: string;
  /** Ignored for CONNECT without `protocol`, as is `path`. */
  scheme: string;
  authority: string;
  path: string;
  /** :protocol of an extended CONNECT (RFC 8441 §4). */
  protocol?: string;
  headers: HeaderList;
}

const slash = 0x2f;

/** Fields that may have to stay behind. */
const leftOut = new NameSet([...connectionFields, "te", "host"]);

/** Names and values of the message at hand: they are checked whole before the first of them changes the tables. */
const names: string[] = [];
const values: string[] = [];
const block = new ByteWriter();

/**
 * Makes header blocks of messages. Fields about one connection are left out, since HTTP/2 must not have them (RFC 9113 §8.2.2).
 *
 * Each method returns the block, valid until the next call, or undefined, with nothing changed, when a part holds what a field must not.
 */
export class MessageEncoder {
  readonly #hpack: HpackEncoder;
  /** Of the message at hand. */
  #neverIndexed: readonly string[] | undefined;

  constructor(hpack: HpackEncoder) {
    this.#hpack = hpack;
  }

  request(request: Http2Request): ByteWriter | undefined {
    const { method, scheme, authority, path, protocol } = request;
    const isPlainConnect = method === "CONNECT" && protocol === undefined;
    if (!isToken(method) || authority === "" || !isTargetText(authority)) return undefined;
    if (protocol !== undefined && (method !== "CONNECT" || !isToken(protocol))) return undefined;
    if (!isPlainConnect) {
      if (!isToken(scheme) || !isTargetText(path)) return undefined;
      if (path.charCodeAt(0) !== slash && path !== "*") return undefined;
    }
    if (!gather(request.headers, true)) return undefined;
    this.#begin(request.headers);
    this.#field(":method", method);
    if (!isPlainConnect) {
      this.#field(":scheme", scheme);
      this.#field(":path", path);
    }
    this.#field(":authority", authority);
    if (protocol !== undefined) this.#field(":protocol", protocol);
    return this.#finish();
  }

  /** @param status 100 to 999 without 101, which HTTP/2 does not have */
  response(status: number, headers: HeaderList): ByteWriter | undefined {
    if (!Number.isInteger(status) || status < 100 || status > 999 || status === 101) return undefined;
    if (!gather(headers, false)) return undefined;
    this.#begin(headers);
    this.#field(":status", String(status));
    return this.#finish();
  }

  trailers(trailers: HeaderList): ByteWriter | undefined {
    if (!gather(trailers, false)) return undefined;
    this.#begin(trailers);
    return this.#finish();
  }

  /** Whether the fields can be sent at all. */
  isEncodable(headers: HeaderList): boolean {
    return gather(headers, false);
  }

  #begin({ neverIndexed }: HeaderList): void {
    block.reset();
    this.#neverIndexed = neverIndexed;
    this.#hpack.begin(block);
  }

  #field(name: string, value: string): void {
    this.#hpack.field(block, name, value, this.#neverIndexed !== undefined && this.#neverIndexed.includes(name));
  }

  #finish(): ByteWriter {
    for (let i = 0; i < names.length; i += 1) this.#field(names[i] as string, values[i] as string);
    return block;
  }
}

function gather(headers: HeaderList, dropsHost: boolean): boolean {
  names.length = 0;
  values.length = 0;
  for (let i = 0; i < headers.length; i += 1) {
    const name = headers.nameAt(i);
    const value = headers.valueAt(i);
    if (!headers.isParsedAt(i) && (!isLowerCaseName(name) || !isTrimmedValue(value))) return false;
    if (headers.mayBeIn(leftOut, i) && (isAboutConnection(name, value) || (dropsHost && name === "host"))) continue;
    names.push(name);
    values.push(value);
  }
  return true;
}
