import { readAuthority } from "../authority.ts";
import { CR, LF, SP, targetByte, tokenByte } from "../byte-class.ts";
import type { HeaderList } from "../header-list.ts";
import type { BodySink } from "./body-reader.ts";
import { BodyReader } from "./body-reader.ts";
import { FieldSection, longestRemembered, readAgain } from "./field-section.ts";
import type { Http1Limits } from "./limits.ts";
import { connectionOptions, persists, readContentLength, readVersion, transferEncodingRule } from "./message-head.ts";
import type { RequestTarget } from "./request-target.ts";
import { readRequestTarget } from "./request-target.ts";
import type { Http1Violation, Rule } from "./violation.ts";
import { requestViolations } from "./violation.ts";

export interface RequestHead {
  /** As sent: methods are case-sensitive. */
  method: string;
  /** As on the wire. */
  target: string;
  /** Origin form with the query; "*" for OPTIONS *; "" for CONNECT. Not normalised. */
  path: string;
  /** From an absolute target, which wins over Host (RFC 9112 §3.2.2), from CONNECT's, or from Host; "" in HTTP/1.0 without any. */
  authority: string;
  /** "http" or "https" when the target was in absolute form, else "". */
  scheme: string;
  versionMinor: 0 | 1;
  /** Without Host, which is `authority`. */
  headers: HeaderList;
  bodyKind: "none" | "length" | "chunked";
  /** As declared; -1 when no Content-Length was sent. */
  contentLength: number;
  /** Whether the connection may persist after the response (RFC 9112 §9.3); never after CONNECT. Close after a refused upgrade, too. */
  keepAlive: boolean;
  /** The client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1). */
  expectContinue: boolean;
  /** The protocols of Upgrade in lower case, when Connection names it; else "". */
  upgrade: string;
}

export interface Http1RequestSink extends BodySink {
  onHead(head: RequestHead): void;
  /** The request is complete. `push` consumes nothing more until `next` is called, here or later. */
  onEnd(): void;
  /** Nothing follows. Answer with `violation.status`, unless a response has begun, and close. */
  onError(violation: Http1Violation): void;
}

type State = "start" | "start-lf" | "head" | "body" | "ended" | "dead";

/**
 * Decodes the requests of one connection (RFC 9112), strictly: where two readers could disagree about where a message ends or where
 * it goes, it is refused.
 *
 * Accepted on purpose beyond the grammar's letter: one empty line before a request (RFC 9112 §2.2 asks for it), and characters in a target
 * that browsers send unescaped (see byte-class.ts). Refused beyond it: every repeated Content-Length, "," and "%" in a host.
 */
export class Http1RequestDecoder {
  readonly #limits: Http1Limits;
  readonly #sink: Http1RequestSink;
  readonly #section: FieldSection;
  readonly #body: BodyReader;
  #state: State = "start";
  #hasSkippedEmptyLine = false;
  #method = "";
  #target = "";
  #versionMinor: 0 | 1 = 1;
  #host = "";
  #authority: string | undefined;

  constructor(limits: Http1Limits, sink: Http1RequestSink) {
    this.#limits = limits;
    this.#sink = sink;
    this.#body = new BodyReader(limits);
    this.#section = new FieldSection(
      limits.maxHeadBytes,
      limits.maxHeaders,
      "headTooLarge",
      (bytes, start, end) => this.#readRequestLine(bytes, start, end),
      limits.nameKeeping,
    );
  }

  /** Nothing of a next request has arrived: the connection may be closed without loss. */
  get isBetweenMessages(): boolean {
    return this.#state === "start" || this.#state === "start-lf";
  }

  /** The first byte of a head has arrived and its last has not: the time to limit (Envoy's request_headers_timeout). */
  get headStarted(): boolean {
    return this.#state === "head";
  }

  /**
   * Decodes bytes [start, end) and calls the sink. After a violation everything is consumed and ignored.
   *
   * @returns how many bytes were consumed: fewer than given when a request ended and `next` was not called; give the rest again after it
   */
  push(bytes: Buffer, start: number, end: number): number {
    let i = start;
    while (i < end) {
      switch (this.#state) {
        case "head":
          i = this.#readHead(bytes, i, end);
          break;
        case "body":
          i = this.#readBody(bytes, i, end);
          break;
        case "start":
        case "start-lf":
          i = this.#readStart(bytes, i);
          break;
        case "ended":
          return i - start;
        case "dead":
          return end - start;
      }
    }
    return i - start;
  }

  /** Goes on to the next request, after `onEnd`. */
  next(): void {
    if (this.#state !== "ended") return;
    this.#state = "start";
    this.#hasSkippedEmptyLine = false;
  }

  /** No more events: for a sink that has decided to close. */
  abandon(): void {
    this.#state = "dead";
  }

  /** The client has ended its side: within a message that is a violation with the code downstream_closed. */
  finish(): void {
    if (this.#state === "head" || this.#state === "body") this.#fail("endOfInput");
    this.#state = "dead";
  }

  #readStart(bytes: Buffer, position: number): number {
    const byte = bytes[position] as number;
    if (this.#state === "start-lf") {
      if (byte !== LF) this.#fail("bareCr");
      else this.#state = "start";
      return position + 1;
    }
    if (byte === CR && !this.#hasSkippedEmptyLine) {
      this.#hasSkippedEmptyLine = true;
      this.#state = "start-lf";
      return position + 1;
    }
    // The first byte decides at once, so that TLS or binary protocols on this port are not waited for.
    if (tokenByte[byte] === 1) this.#state = "head";
    else this.#fail(byte === LF ? "bareLf" : "badStart");
    return position;
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const section = this.#section;
    const position = section.read(bytes, start, end);
    if (section.violation !== "") this.#fail(section.violation);
    else if (section.isComplete) this.#finishHead();
    return position;
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const body = this.#body;
    const position = body.read(bytes, start, end, this.#sink);
    if (this.#state !== "body") return position;
    if (body.violation !== "") this.#fail(body.violation);
    else if (body.isDone) this.#end();
    return position;
  }

  #end(): void {
    this.#state = "ended";
    // It is remembered for the next request, where comparing it is worth it; an idle connection must not keep a long one.
    if (this.#target.length > longestRemembered) this.#target = "";
    this.#sink.onEnd();
  }

  #fail(rule: Rule): void {
    this.#state = "dead";
    this.#sink.onError(requestViolations[rule]);
  }

  #readRequestLine(bytes: Buffer, start: number, end: number): number | Rule {
    const tokens = tokenByte;
    const targets = targetByte;
    let i = start;
    while (i < end && tokens[bytes[i] as number] === 1) i += 1;
    if (i >= end) return -1;
    if (bytes[i] !== SP || i === start) return lineRule(bytes, i, "badMethod");
    const methodEnd = i;
    i += 1;
    const targetStart = i;
    while (i < end && targets[bytes[i] as number] === 1) i += 1;
    if (i >= end) return -1;
    if (bytes[i] !== SP || i === targetStart) return lineRule(bytes, i, "badTarget");
    const lineEnd = i + versionAndLineEnd;
    if (lineEnd > end || bytes[lineEnd - 2] !== CR || bytes[lineEnd - 1] !== LF)
      return this.#judgeVersion(bytes, i, end);
    const version = readVersion(bytes, i + 1);
    if (version < 0) return version === -1 ? "badVersion" : this.#judgeVersion(bytes, i, end);
    this.#method = readMethod(bytes, start, methodEnd);
    this.#target = readAgain(bytes, targetStart, i, this.#target);
    this.#versionMinor = version as 0 | 1;
    return lineEnd;
  }

  /** A request line that does not end in a version: which rule it breaks is seen at its first line feed. */
  #judgeVersion(bytes: Buffer, start: number, end: number): number | Rule {
    const lineFeed = bytes.indexOf(LF, start);
    if (lineFeed < 0 || lineFeed >= end) return -1;
    return bytes[lineFeed - 1] === CR ? "badRequestLine" : "bareLf";
  }

  #finishHead(): void {
    const section = this.#section;
    const headers = section.take();
    const head = this.#makeHead(headers);
    section.reset();
    if (typeof head === "string") return this.#fail(head);
    this.#state = "body";
    this.#body.begin(head.bodyKind, head.contentLength);
    this.#sink.onHead(head);
    if (this.#state === "body" && this.#body.isDone) this.#end();
  }

  /** The head, or the rule that it breaks. */
  #makeHead(headers: HeaderList): RequestHead | Rule {
    const section = this.#section;
    const versionMinor = this.#versionMinor;
    const method = this.#method;
    const target = this.#target;
    if (versionMinor === 0 && !this.#limits.acceptHttp10) return "http10";
    if (section.hostCount > 1) return "manyHosts";
    if (section.hostCount === 0 && versionMinor === 1) return "missingHost";
    const host = section.hostCount === 0 ? "" : this.#readHost(section.host);
    if (host === undefined) return "badHost";
    const isOriginForm = target.charCodeAt(0) === 0x2f && method !== "CONNECT";
    const parts: RequestTarget | undefined = isOriginForm ? undefined : readRequestTarget(method, target);
    if (!isOriginForm && parts === undefined) return "badTarget";
    const framingRule = this.#framingRule(method);
    if (framingRule !== "") return framingRule;
    const contentLength = section.contentLengthCount === 0 ? -1 : readContentLength(section.contentLength);
    const options = connectionOptions(section, headers);
    if (options === undefined) return "connectionTooLong";
    const upgrade = options.hasUpgrade && versionMinor === 1 ? headers.get("upgrade") : undefined;
    return {
      method,
      target,
      path: parts === undefined ? target : parts.path,
      authority: parts === undefined || parts.authority === "" ? host : parts.authority,
      scheme: parts === undefined ? "" : parts.scheme,
      versionMinor,
      headers,
      bodyKind: section.transferEncodingCount > 0 ? "chunked" : contentLength >= 0 ? "length" : "none",
      contentLength,
      // Behind a refused CONNECT may come what its client meant for the tunnel: that must not be read as a request.
      keepAlive: persists(versionMinor, options) && method !== "CONNECT",
      expectContinue: versionMinor === 1 && headers.get("expect")?.toLowerCase() === "100-continue",
      upgrade: upgrade === undefined ? "" : upgrade.toLowerCase(),
    };
  }

  /** The authority of a Host field; the last one is remembered, since a connection repeats its host. */
  #readHost(host: string): string | undefined {
    if (this.#authority !== undefined && this.#host === host) return this.#authority;
    this.#host = host;
    this.#authority = readAuthority(host);
    return this.#authority;
  }

  /** RFC 9112 §6.3, with every doubt refused. */
  #framingRule(method: string): Rule | "" {
    const section = this.#section;
    if (section.transferEncodingCount > 0) {
      if (section.contentLengthCount > 0) return "lengthAndChunked";
      if (this.#versionMinor === 0 || method === "CONNECT") return "transferEncodingNotAllowed";
      return transferEncodingRule(section.transferEncoding);
    }
    if (section.contentLengthCount === 0) return "";
    if (section.contentLengthCount > 1) return "manyContentLengths";
    const length = readContentLength(section.contentLength);
    if (length < 0) return "badContentLength";
    // As Envoy, whose clients may say that there is none.
    return method === "CONNECT" && length > 0 ? "contentLengthNotAllowed" : "";
  }
}

/** The space before the version, the version, and the line end. */
const versionAndLineEnd = 11;

/** What is wrong with a start line that stops making sense at `position`. */
function lineRule(bytes: Buffer, position: number, rule: Rule): Rule {
  if (bytes[position] === LF) return "bareLf";
  if (bytes[position] === CR) return bytes[position + 1] === LF ? "badRequestLine" : "bareCr";
  return rule;
}

/** GET and POST without making a string: most requests have one of them. */
function readMethod(bytes: Buffer, start: number, end: number): string {
  if (end - start === 3 && bytes[start] === 0x47 && bytes[start + 1] === 0x45 && bytes[start + 2] === 0x54)
    return "GET";
  if (
    end - start === 4 &&
    bytes[start] === 0x50 &&
    bytes[start + 1] === 0x4f &&
    bytes[start + 2] === 0x53 &&
    bytes[start + 3] === 0x54
  ) {
    return "POST";
  }
  return bytes.toString("latin1", start, end);
}
