import { CR, fieldValueByte, LF, SP } from "../byte-class.ts";
import type { HeaderList } from "../header-list.ts";
import type { BodyKind, BodySink } from "./body-reader.ts";
import { BodyReader } from "./body-reader.ts";
import { FieldSection } from "./field-section.ts";
import type { Http1Limits } from "./limits.ts";
import { maxInformationalResponses } from "../status.ts";
import type { ConnectionOptions } from "./message-head.ts";
import { connectionOptions, persists, readContentLength, readVersion, transferEncodingRule } from "./message-head.ts";
import type { Http1Violation, Rule } from "./violation.ts";
import { responseBodyViolations, responseViolations } from "./violation.ts";

export interface ResponseHead {
  /** 100 to 999. */
  status: number;
  /** As on the wire, for logs; it is never forwarded. */
  reason: string;
  versionMinor: 0 | 1;
  headers: HeaderList;
  /** "close": the body ends with the connection; also what follows a 101 or a 2xx to CONNECT. */
  bodyKind: BodyKind;
  /** As declared, also where no body follows (HEAD, 304); -1 when no Content-Length was sent. */
  contentLength: number;
  /** Whether the upstream lets the connection persist; ask `isReusable` after the end. */
  keepAlive: boolean;
}

export interface Http1ResponseSink extends BodySink {
  /** 1xx but 101; the final response follows. */
  onInformational(head: ResponseHead): void;
  onHead(head: ResponseHead): void;
  onEnd(): void;
  onError(violation: Http1Violation): void;
}

type State = "idle" | "head" | "body" | "dead";

/**
 * Decodes the responses of one upstream connection (RFC 9112), one at a time: `expect` says what was asked. An upstream is not trusted with the framing
 * of other people's answers, so it is read as strictly as a client, and bytes that nobody asked for end the connection.
 *
 * Accepted on purpose beyond the letter: a status line without the space before an empty reason.
 */
export class Http1ResponseDecoder {
  readonly #sink: Http1ResponseSink;
  readonly #section: FieldSection;
  readonly #body: BodyReader;
  #state: State = "idle";
  #method = "";
  #isUpgradeExpected = false;
  #hasHead = false;
  #hasSurplus = false;
  #informational = 0;
  #keepAlive = false;
  #status = 0;
  #reason = "";
  #versionMinor: 0 | 1 = 1;

  constructor(limits: Http1Limits, sink: Http1ResponseSink) {
    this.#sink = sink;
    this.#body = new BodyReader(limits);
    this.#section = new FieldSection(
      limits.maxHeadBytes,
      limits.maxHeaders,
      "headTooLarge",
      (bytes, start, end) => this.#readStatusLine(bytes, start, end),
      limits.nameKeeping,
    );
  }

  /**
   * A request was sent: its response comes next.
   *
   * On a connection that has failed or been given up this does nothing, since its end is already on the way.
   *
   * @param method HEAD and CONNECT change the framing of the response (RFC 9112 §6.3)
   * @param isUpgrade the request asked for another protocol, so that 101 is an answer
   */
  expect(method: string, isUpgrade: boolean = false): void {
    if (this.#state === "dead") return;
    if (this.#state !== "idle")
      throw new Error("a response is still being read: one connection carries one request at a time");
    this.#state = "head";
    this.#method = method;
    this.#isUpgradeExpected = isUpgrade;
    this.#hasHead = false;
    this.#informational = 0;
    this.#section.reset();
  }

  /**
   * Whether another request may be sent: the last response ended by itself, nothing followed it, and it lets the connection persist. The decoder
   * cannot know whether the request was sent whole: an answer may come before.
   */
  get isReusable(): boolean {
    return this.#state === "idle" && this.#keepAlive && !this.#hasSurplus;
  }

  /**
   * Decodes bytes [start, end) and calls the sink.
   *
   * Bytes behind a complete response belong to no request: they are consumed and ignored, and the connection is not reusable. Bytes that arrive
   * while nothing is expected are a violation.
   *
   * @returns how many bytes were consumed: all of them, here; the shape is that of the request decoder
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
        case "idle":
          this.#fail("unsolicited");
          return end - start;
        case "dead":
          return end - start;
      }
    }
    return end - start;
  }

  /** No more events: for a sink that has decided to close. */
  abandon(): void {
    this.#state = "dead";
  }

  /** The upstream has ended its side: that ends a body of kind "close", and is a violation anywhere else within a response. */
  finish(): void {
    if (this.#state === "body" && this.#body.endsWithConnection) {
      this.#state = "dead";
      this.#sink.onEnd();
    } else if (this.#state === "head" || this.#state === "body") {
      this.#fail("endOfInput");
    }
    this.#state = "dead";
  }

  #readHead(bytes: Buffer, start: number, end: number): number {
    const section = this.#section;
    const position = section.read(bytes, start, end);
    if (section.violation !== "") this.#fail(section.violation);
    else if (section.isComplete) this.#finishHead(position < end);
    return position;
  }

  #readBody(bytes: Buffer, start: number, end: number): number {
    const body = this.#body;
    const position = body.read(bytes, start, end, this.#sink);
    if (this.#state !== "body") return position;
    if (body.violation !== "") this.#fail(body.violation);
    else if (body.isDone) this.#end(position < end);
    return position;
  }

  #end(hasSurplus: boolean): void {
    // Decided before the sink hears of the end: it may lend the connection to the next request at once, and that request must not get
    // an answer which was there before it was sent.
    this.#hasSurplus = hasSurplus;
    this.#state = hasSurplus ? "dead" : "idle";
    this.#sink.onEnd();
  }

  #fail(rule: Rule): void {
    this.#state = "dead";
    this.#sink.onError((this.#hasHead ? responseBodyViolations : responseViolations)[rule]);
  }

  #readStatusLine(bytes: Buffer, start: number, end: number): number | Rule {
    const lineFeed = bytes.indexOf(LF, start);
    if (lineFeed < 0 || lineFeed >= end) return -1;
    const lineEnd = lineFeed - 1;
    if (bytes[lineEnd] !== CR) return "bareLf";
    // The shortest line is "HTTP/1.1 200".
    if (lineEnd - start < 12) return "badStatusLine";
    const version = readVersion(bytes, start);
    if (version < 0) return version === -1 ? "badVersion" : "badStatusLine";
    let status = 0;
    for (let i = start + 9; i < start + 12; i += 1) {
      const digit = (bytes[i] as number) - 0x30;
      if (digit < 0 || digit > 9) return "badStatusLine";
      status = status * 10 + digit;
    }
    if (bytes[start + 8] !== SP || status < 100) return "badStatusLine";
    if (lineEnd > start + 12 && bytes[start + 12] !== SP) return "badStatusLine";
    for (let i = start + 12; i < lineEnd; i += 1) {
      if (fieldValueByte[bytes[i] as number] === 0) return bytes[i] === CR ? "bareCr" : "badStatusLine";
    }
    this.#status = status;
    this.#reason = bytes.toString("latin1", Math.min(start + 13, lineEnd), lineEnd);
    this.#versionMinor = version as 0 | 1;
    return lineFeed + 1;
  }

  #finishHead(hasMore: boolean): void {
    const section = this.#section;
    const headers = section.take();
    const rule = this.#framingRule();
    if (rule !== "") return this.#fail(rule);
    const options = connectionOptions(section, headers);
    if (options === undefined) return this.#fail("connectionTooLong");
    const head = this.#makeHead(headers, options);
    section.reset();
    if (this.#status < 200 && this.#status !== 101) {
      this.#informational += 1;
      if (this.#informational > maxInformationalResponses) return this.#fail("tooManyInformational");
      return this.#sink.onInformational(head);
    }
    this.#hasHead = true;
    this.#keepAlive = head.keepAlive;
    this.#state = "body";
    this.#body.begin(head.bodyKind, head.contentLength);
    this.#sink.onHead(head);
    if (this.#state === "body" && this.#body.isDone) this.#end(hasMore);
  }

  /** A 2xx to CONNECT or a 101: bytes of another protocol follow, and fields about content mean nothing (RFC 9110 §9.3.6). */
  #isTunnel(): boolean {
    return this.#status === 101 || (this.#method === "CONNECT" && this.#status >= 200 && this.#status < 300);
  }

  #hasNoBody(): boolean {
    return this.#method === "HEAD" || this.#status < 200 || this.#status === 204 || this.#status === 304;
  }

  /** RFC 9112 §6.3, with every doubt refused. */
  #framingRule(): Rule | "" {
    const section = this.#section;
    const status = this.#status;
    if (status === 101 && !this.#isUpgradeExpected) return "unexpectedUpgrade";
    if (section.transferEncodingCount > 0) {
      if (section.contentLengthCount > 0) return "lengthAndChunked";
      if (this.#versionMinor === 0 || status < 200 || status === 204) return "transferEncodingNotAllowed";
      const rule = transferEncodingRule(section.transferEncoding);
      if (rule !== "") return rule;
    }
    if (section.contentLengthCount > 1) return "manyContentLengths";
    if (section.contentLengthCount === 0) return "";
    const length = readContentLength(section.contentLength);
    if (length < 0) return "badContentLength";
    return length > 0 && (status < 200 || status === 204) ? "contentLengthNotAllowed" : "";
  }

  #makeHead(headers: HeaderList, options: ConnectionOptions): ResponseHead {
    const section = this.#section;
    const status = this.#status;
    let contentLength = section.contentLengthCount === 0 ? -1 : readContentLength(section.contentLength);
    let bodyKind: BodyKind;
    if (this.#isTunnel()) bodyKind = "close";
    else if (this.#hasNoBody()) bodyKind = "none";
    else if (section.transferEncodingCount > 0) bodyKind = "chunked";
    else bodyKind = contentLength >= 0 ? "length" : "close";
    if (this.#isTunnel() || status < 200 || status === 204) {
      if (contentLength >= 0) headers.remove("content-length");
      if (section.transferEncodingCount > 0) headers.remove("transfer-encoding");
      contentLength = -1;
    }
    return {
      status,
      reason: this.#reason,
      versionMinor: this.#versionMinor,
      headers,
      bodyKind,
      contentLength,
      keepAlive: bodyKind !== "close" && persists(this.#versionMinor, options),
    };
  }
}
