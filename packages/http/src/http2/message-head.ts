import { readAuthority } from "../authority.ts";
import { isFieldValue, isTargetText, isToken, tokenLower } from "../byte-class.ts";
import { fieldStride, HeaderList } from "../header-list.ts";
import type { HpackDecoder, HpackSink } from "../hpack/decoder.ts";
import type { HpackField } from "../hpack/field.ts";
import { readContentLength } from "../http1/message-head.ts";
import type { Http2Rule } from "./violation.ts";

export interface Http2RequestHead {
  method: string;
  /** "http" or "https"; "" for CONNECT. */
  scheme: string;
  /** From :authority, or from Host when it is absent. */
  authority: string;
  /** Origin form with the query; "*" for OPTIONS *; "" for CONNECT. Not normalised. */
  path: string;
  /** :protocol of an extended CONNECT (RFC 8441), which has scheme and path, too; else "". */
  protocol: string;
  /** Without Host, which is `authority`; the crumbs of Cookie are joined (RFC 9113 §8.2.3). */
  headers: HeaderList;
  /** As declared; -1 when no Content-Length was sent. */
  contentLength: number;
}

export interface Http2ResponseHead {
  status: number;
  headers: HeaderList;
  contentLength: number;
}

/** What a field is, kept in `HpackField.verdict`; from `pseudo` on, which pseudo-header field. */
const Kind = {
  regular: 1,
  cookie: 2,
  host: 3,
  contentLength: 4,
  badName: 5,
  badValue: 6,
  connection: 7,
  badPseudo: 8,
  pseudo: 16,
};

export const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);
const pseudoNames = [":method", ":scheme", ":authority", ":path", ":protocol", ":status"];
/** Places in `pseudoNames`. */
const Pseudo = { method: 0, scheme: 1, authority: 2, path: 3, protocol: 4, status: 5 };

/** Those of the message at hand. One list serves all: to let one grow with each message costs more than the copy at its end. */
const fields: number[] = [];

/** Whether it is a field name in lower case (RFC 9113 §8.2.1). */
export function isLowerCaseName(name: string): boolean {
  for (let i = 0; i < name.length; i += 1) {
    const character = name.charCodeAt(i);
    // The table has 0 for what is no token character, which NUL would be equal to.
    if (character === 0 || tokenLower[character] !== character) return false;
  }
  return name !== "";
}

/** Whether a field may be in a message of HTTP/2 (RFC 9113 §8.2.2). */
export function isAboutConnection(name: string, value: string): boolean {
  return connectionFields.has(name) || (name === "te" && value.toLowerCase() !== "trailers");
}

/** Whether it is a field value without white space around it (RFC 9113 §8.2.1). */
export function isTrimmedValue(value: string): boolean {
  return isFieldValue(value) && !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1));
}

function isBlank(character: number): boolean {
  return character === 0x20 || character === 0x09;
}

function judge({ name, value }: HpackField): number {
  if (name.charCodeAt(0) === 0x3a) {
    if (!isTrimmedValue(value)) return Kind.badValue;
    const place = pseudoNames.indexOf(name);
    return place < 0 ? Kind.badPseudo : Kind.pseudo + place;
  }
  if (!isLowerCaseName(name)) return Kind.badName;
  if (!isTrimmedValue(value)) return Kind.badValue;
  if (isAboutConnection(name, value)) return Kind.connection;
  if (name === "cookie") return Kind.cookie;
  if (name === "host") return Kind.host;
  return name === "content-length" ? Kind.contentLength : Kind.regular;
}

/**
 * Reads header blocks as messages (RFC 9113 §8.2 and §8.3). A malformed message is told by its rule, a value, and the tables have followed
 * all the same. One reader serves all streams of a connection.
 */
export class MessageReader implements HpackSink {
  readonly #hpack: HpackDecoder;
  #rule: Http2Rule | "" = "";
  #text = "";
  #fieldNumbers = 0;
  /** By their places in `pseudoNames`. */
  readonly #pseudo: (string | undefined)[] = pseudoNames.map(() => undefined);
  #hasRegular = false;
  #isRequest = false;
  #cookie: string | undefined;
  #host: string | undefined;
  #contentLength = -1;
  #neverIndexed: string[] | undefined;

  constructor(hpack: HpackDecoder) {
    this.#hpack = hpack;
  }

  /** Bytes [start, end) as a request head. "compression" is the connection's error, every other rule the stream's. */
  readRequest(bytes: Buffer, start: number, end: number, allowsProtocol: boolean): Http2RequestHead | Http2Rule {
    this.#isRequest = true;
    const rule = this.#read(bytes, start, end) || this.#requestRule(allowsProtocol);
    this.#isRequest = false;
    if (rule !== "") return rule;
    const authority = this.#authority();
    if (authority === undefined) return "badAuthority";
    return {
      method: this.#pseudo[Pseudo.method] ?? "",
      scheme: this.#pseudo[Pseudo.scheme] ?? "",
      authority,
      path: this.#pseudo[Pseudo.path] ?? "",
      protocol: this.#pseudo[Pseudo.protocol] ?? "",
      headers: this.#takeHeaders(),
      contentLength: this.#contentLength,
    };
  }

  readResponse(bytes: Buffer, start: number, end: number): Http2ResponseHead | Http2Rule {
    const rule = this.#read(bytes, start, end) || this.#pseudoRule(Pseudo.status);
    if (rule !== "") return rule;
    const status = this.#pseudo[Pseudo.status];
    if (status === undefined) return "missingPseudoHeader";
    // 101 means nothing in HTTP/2 (RFC 9113 §8.6).
    if (!/^[1-9][0-9][0-9]$/.test(status) || status === "101") return "badStatus";
    return {
      status: Number(status),
      headers: this.#takeHeaders(),
      contentLength: this.#contentLength,
    };
  }

  /** A trailer section has no pseudo-header fields (RFC 9113 §8.1). */
  readTrailers(bytes: Buffer, start: number, end: number): HeaderList | Http2Rule {
    return this.#read(bytes, start, end) || this.#pseudoRule(-1) || this.#takeHeaders();
  }

  /** Reads a block that is nobody's, for the tables' sake. */
  skip(bytes: Buffer, start: number, end: number): Http2Rule | "" {
    return this.#read(bytes, start, end) === "compression" ? "compression" : "";
  }

  onField(field: HpackField, isNeverIndexed: boolean): void {
    if (this.#rule !== "") return;
    if (field.verdict === 0) field.verdict = judge(field);
    if (isNeverIndexed) (this.#neverIndexed ??= []).push(field.name);
    if (field.verdict >= Kind.pseudo) return this.#addPseudo(field.verdict - Kind.pseudo, field.value);
    switch (field.verdict) {
      case Kind.badPseudo:
        this.#rule = "badPseudoHeader";
        break;
      case Kind.cookie:
        this.#cookie = this.#cookie === undefined ? field.value : `${this.#cookie}; ${field.value}`;
        break;
      case Kind.host:
        if (!this.#isRequest) {
          this.#add(field.key, field.name, field.value);
          break;
        }
        if (this.#host !== undefined) this.#rule = "badAuthority";
        this.#host = field.value;
        break;
      case Kind.contentLength: {
        const length = readContentLength(field.value);
        if (length < 0 || this.#contentLength >= 0) this.#rule = "badContentLength";
        this.#contentLength = length;
        this.#add(field.key, field.name, field.value);
        break;
      }
      case Kind.badName:
        this.#rule = "badFieldName";
        break;
      case Kind.badValue:
        this.#rule = "badFieldValue";
        break;
      case Kind.connection:
        this.#rule = "connectionField";
        break;
      default:
        this.#add(field.key, field.name, field.value);
    }
    this.#hasRegular = true;
  }

  #read(bytes: Buffer, start: number, end: number): Http2Rule | "" {
    this.#rule = "";
    this.#text = "";
    this.#fieldNumbers = 0;
    this.#pseudo.fill(undefined);
    this.#hasRegular = false;
    this.#cookie = undefined;
    this.#host = undefined;
    this.#contentLength = -1;
    this.#neverIndexed = undefined;
    if (this.#hpack.decode(bytes, start, end, this) !== "") return "compression";
    return this.#hpack.isTooLarge ? "headersTooLarge" : this.#rule;
  }

  #addPseudo(place: number, value: string): void {
    if (this.#hasRegular || this.#pseudo[place] !== undefined) this.#rule = "badPseudoHeader";
    else this.#pseudo[place] = value;
  }

  /** The form in which `HeaderList` keeps parsed fields. */
  #add(key: number, name: string, value: string): void {
    const start = this.#text.length;
    const valueStart = start + name.length + 2;
    this.#text += `${name}: ${value}\r\n`;
    const at = this.#fieldNumbers;
    fields[at] = key;
    fields[at + 1] = start;
    fields[at + 2] = valueStart;
    fields[at + 3] = valueStart + value.length;
    this.#fieldNumbers = at + fieldStride;
  }

  #takeHeaders(): HeaderList {
    const list = new HeaderList(this.#text, fields.slice(0, this.#fieldNumbers));
    list.neverIndexed = this.#neverIndexed;
    if (this.#cookie !== undefined) list.append("cookie", this.#cookie);
    this.#text = "";
    return list;
  }

  /** Whether there are others than the one at this place. */
  #pseudoRule(allowed: number): Http2Rule | "" {
    const pseudo = this.#pseudo;
    for (let place = 0; place < pseudo.length; place += 1) {
      if (place !== allowed && pseudo[place] !== undefined) return "badPseudoHeader";
    }
    return "";
  }

  #requestRule(allowsProtocol: boolean): Http2Rule | "" {
    const pseudo = this.#pseudo;
    const method = pseudo[Pseudo.method];
    const scheme = pseudo[Pseudo.scheme];
    const path = pseudo[Pseudo.path];
    const protocol = pseudo[Pseudo.protocol];
    const isExtended = protocol !== undefined;
    if (pseudo[Pseudo.status] !== undefined) return "badPseudoHeader";
    if (method === undefined) return "missingPseudoHeader";
    if (!isToken(method)) return "badMethod";
    if (isExtended && (!allowsProtocol || method !== "CONNECT" || !isToken(protocol))) {
      return "badConnect";
    }
    if (method === "CONNECT" && this.#contentLength >= 0) return "badContentLength";
    if (method === "CONNECT" && !isExtended) {
      return scheme === undefined && path === undefined && pseudo[Pseudo.authority] !== undefined ? "" : "badConnect";
    }
    if (scheme === undefined || path === undefined) return "missingPseudoHeader";
    if (scheme !== "http" && scheme !== "https") return "badScheme";
    const isOriginForm = path.charCodeAt(0) === 0x2f;
    return (isOriginForm || (path === "*" && method === "OPTIONS")) && isTargetText(path) ? "" : "badPath";
  }

  /** :authority and Host must not name two entities (RFC 9113 §8.3.1). */
  #authority(): string | undefined {
    const own = this.#pseudo[Pseudo.authority];
    const text = own ?? this.#host;
    const authority = text === undefined ? undefined : readAuthority(text);
    if (own === undefined || this.#host === undefined || authority === undefined) return authority;
    return readAuthority(this.#host)?.toLowerCase() === authority.toLowerCase() ? authority : undefined;
  }
}
