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
  /** Names whose fields must stay out of tables (RFC 7541 §6.2.3). */
  sensitive?: readonly string[];
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
    this.#begin();
    this.#hpack.field(block, ":method", method);
    if (!isPlainConnect) {
      this.#hpack.field(block, ":scheme", scheme);
      this.#hpack.field(block, ":path", path);
    }
    this.#hpack.field(block, ":authority", authority);
    if (protocol !== undefined) this.#hpack.field(block, ":protocol", protocol);
    return this.#finish(request.sensitive);
  }

  /** @param status 100 to 999 without 101, which HTTP/2 does not have */
  response(status: number, headers: HeaderList, sensitive?: readonly string[]): ByteWriter | undefined {
    if (!Number.isInteger(status) || status < 100 || status > 999 || status === 101) return undefined;
    if (!gather(headers, false)) return undefined;
    this.#begin();
    this.#hpack.field(block, ":status", String(status));
    return this.#finish(sensitive);
  }

  trailers(trailers: HeaderList): ByteWriter | undefined {
    if (!gather(trailers, false)) return undefined;
    this.#begin();
    return this.#finish(undefined);
  }

  /** Whether the fields can be sent at all. */
  isEncodable(headers: HeaderList): boolean {
    return gather(headers, false);
  }

  #begin(): void {
    block.reset();
    this.#hpack.begin(block);
  }

  #finish(sensitive: readonly string[] | undefined): ByteWriter {
    for (let i = 0; i < names.length; i += 1) {
      const name = names[i] as string;
      this.#hpack.field(block, name, values[i] as string, sensitive !== undefined && sensitive.includes(name));
    }
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
