import { readAuthority } from "../authority.ts";
import { isFieldValue, isTargetText, isToken, tokenLower } from "../byte-class.ts";
import { HeaderList } from "../header-list.ts";
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
  /** Names that came never-indexed and must go on so (RFC 7541 §6.2.3). */
  sensitive: readonly string[];
}

export interface Http2ResponseHead {
  status: number;
  headers: HeaderList;
  contentLength: number;
  sensitive: readonly string[];
}

/** What a field is, kept in `HpackField.verdict`. */
const Kind = { regular: 1, pseudo: 2, cookie: 3, host: 4, contentLength: 5, badName: 6, badValue: 7, connection: 8 };

const connectionFields = new Set(["connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"]);
const pseudoNames = [":method", ":scheme", ":authority", ":path", ":protocol", ":status"] as const;
type PseudoName = (typeof pseudoNames)[number];
const none: readonly string[] = [];

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
  if (name.charCodeAt(0) === 0x3a) return isTrimmedValue(value) ? Kind.pseudo : Kind.badValue;
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
  #fields: number[] = [];
  #pseudo = new Map<string, string>();
  #hasRegular = false;
  #isRequest = false;
  #cookie: string | undefined;
  #host: string | undefined;
  #contentLength = -1;
  #sensitive: string[] | undefined;

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
      method: this.#pseudo.get(":method") ?? "",
      scheme: this.#pseudo.get(":scheme") ?? "",
      authority,
      path: this.#pseudo.get(":path") ?? "",
      protocol: this.#pseudo.get(":protocol") ?? "",
      headers: this.#takeHeaders(),
      contentLength: this.#contentLength,
      sensitive: this.#sensitive ?? none,
    };
  }

  readResponse(bytes: Buffer, start: number, end: number): Http2ResponseHead | Http2Rule {
    const rule = this.#read(bytes, start, end) || this.#pseudoRule([":status"]);
    if (rule !== "") return rule;
    const status = this.#pseudo.get(":status");
    if (status === undefined) return "missingPseudoHeader";
    // 101 means nothing in HTTP/2 (RFC 9113 §8.6).
    if (!/^[1-9][0-9][0-9]$/.test(status) || status === "101") return "badStatus";
    return {
      status: Number(status),
      headers: this.#takeHeaders(),
      contentLength: this.#contentLength,
      sensitive: this.#sensitive ?? none,
    };
  }

  /** A trailer section has no pseudo-header fields (RFC 9113 §8.1). */
  readTrailers(bytes: Buffer, start: number, end: number): HeaderList | Http2Rule {
    return this.#read(bytes, start, end) || this.#pseudoRule([]) || this.#takeHeaders();
  }

  /** Reads a block that is nobody's, for the tables' sake. */
  skip(bytes: Buffer, start: number, end: number): Http2Rule | "" {
    return this.#read(bytes, start, end) === "compression" ? "compression" : "";
  }

  onField(field: HpackField, isNeverIndexed: boolean): void {
    if (this.#rule !== "") return;
    if (field.verdict === 0) field.verdict = judge(field);
    if (isNeverIndexed) (this.#sensitive ??= []).push(field.name);
    switch (field.verdict) {
      case Kind.pseudo:
        this.#addPseudo(field);
        return;
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
    this.#fields = [];
    this.#pseudo.clear();
    this.#hasRegular = false;
    this.#cookie = undefined;
    this.#host = undefined;
    this.#contentLength = -1;
    this.#sensitive = undefined;
    if (this.#hpack.decode(bytes, start, end, this) !== "") return "compression";
    return this.#hpack.isTooLarge ? "headersTooLarge" : this.#rule;
  }

  #addPseudo({ name, value }: HpackField): void {
    const isKnown = pseudoNames.includes(name as PseudoName);
    if (!isKnown || this.#hasRegular || this.#pseudo.has(name)) this.#rule = "badPseudoHeader";
    else this.#pseudo.set(name, value);
  }

  /** The form in which `HeaderList` keeps parsed fields. */
  #add(key: number, name: string, value: string): void {
    const start = this.#text.length;
    const valueStart = start + name.length + 2;
    this.#text += `${name}: ${value}\r\n`;
    this.#fields.push(key, start, valueStart, valueStart + value.length);
  }

  #takeHeaders(): HeaderList {
    const list = new HeaderList(this.#text, this.#fields);
    if (this.#cookie !== undefined) list.append("cookie", this.#cookie);
    this.#text = "";
    this.#fields = [];
    return list;
  }

  #pseudoRule(allowed: readonly PseudoName[]): Http2Rule | "" {
    for (const name of this.#pseudo.keys()) if (!allowed.includes(name as PseudoName)) return "badPseudoHeader";
    return "";
  }

  #requestRule(allowsProtocol: boolean): Http2Rule | "" {
    const pseudo = this.#pseudo;
    const [method, scheme, path] = [pseudo.get(":method"), pseudo.get(":scheme"), pseudo.get(":path")];
    const isExtended = pseudo.has(":protocol");
    if (pseudo.has(":status")) return "badPseudoHeader";
    if (method === undefined) return "missingPseudoHeader";
    if (!isToken(method)) return "badMethod";
    if (isExtended && (!allowsProtocol || method !== "CONNECT" || !isToken(pseudo.get(":protocol") ?? ""))) {
      return "badConnect";
    }
    if (method === "CONNECT" && this.#contentLength >= 0) return "badContentLength";
    if (method === "CONNECT" && !isExtended) {
      return scheme === undefined && path === undefined && pseudo.has(":authority") ? "" : "badConnect";
    }
    if (scheme === undefined || path === undefined) return "missingPseudoHeader";
    if (scheme !== "http" && scheme !== "https") return "badScheme";
    const isOriginForm = path.charCodeAt(0) === 0x2f;
    return (isOriginForm || (path === "*" && method === "OPTIONS")) && isTargetText(path) ? "" : "badPath";
  }

  /** :authority and Host must not name two entities (RFC 9113 §8.3.1). */
  #authority(): string | undefined {
    const own = this.#pseudo.get(":authority");
    const text = own ?? this.#host;
    const authority = text === undefined ? undefined : readAuthority(text);
    if (own === undefined || this.#host === undefined || authority === undefined) return authority;
    return readAuthority(this.#host)?.toLowerCase() === authority.toLowerCase() ? authority : undefined;
  }
}
