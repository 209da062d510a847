import { isFieldValue, isTargetText, isToken } from "../byte-class.ts";
import type { HeaderList } from "../header-list.ts";
import type { HeaderNames } from "../header-names.ts";
import { reasonPhrase } from "../status.ts";
import { removeForbiddenTrailers } from "../trailer-fields.ts";
import type { Framing } from "./framing.ts";
import { readContentLength } from "./message-head.ts";

const slash = 0x2f;

/** Their requests have no body unless they say so. */
const bodilessMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "TRACE", "CONNECT"]);
const emptyBody: Framing = { kind: "length", bytes: 0 };

/**
 * The head of a request, as latin1: request line, Host, the fields, and the fields of the framing. Host, Content-Length and Transfer-Encoding in
 * `headers` are ignored: the arguments say them, so one message cannot say two things.
 *
 * Framing "none" says that there is no body, as Envoy does, where the method lets one be expected (RFC 9110 §8.6): servers answer 411 otherwise.
 *
 * @param path origin form, or "*"; for CONNECT it is ignored and the target is `authority`
 * @param others how names are written that were not kept as they came; undefined: in lower case
 * @returns undefined when a part holds what could end a line or a field early (RFC 9110 §5.5), or `path` is neither
 */
export function encodeRequestHead(
  method: string,
  path: string,
  authority: string,
  headers: HeaderList,
  framing: Framing,
  others?: HeaderNames,
): string | undefined {
  const names = headers.names ?? others;
  const target = method === "CONNECT" ? authority : path;
  if (!isToken(method) || !isTargetText(target) || !isTargetText(authority)) return undefined;
  // In absolute form a path, rewritten by mistake, would name another host than Host does.
  if (method === "CONNECT" ? target === "" : target.charCodeAt(0) !== slash && target !== "*") return undefined;
  const isEmpty = framing.kind === "none" && !bodilessMethods.has(method);
  const end = framingLines(isEmpty ? emptyBody : framing, names);
  const lines = headers.toFieldLines(false, names);
  if (end === undefined || lines === undefined || framing.kind === "close") return undefined;
  if (framing.kind === "connect" && method !== "CONNECT") return undefined;
  return `${method} ${target} HTTP/1.1\r\n${written("host", names)}: ${authority}\r\n${lines}${end}`;
}

/** Status lines by status, made at their first use: [HTTP/1.0, HTTP/1.1]. */
const statusLines: [string[], string[]] = [[], []];

function statusLine(status: number, versionMinor: 0 | 1): string {
  return (statusLines[versionMinor][status] ??= `HTTP/1.${versionMinor} ${status} ${reasonPhrase(status)}\r\n`);
}

/**
 * The head of a response, as latin1, with the registered reason phrase. Content-Length and Transfer-Encoding in `headers` are ignored: `framing` says them;
 * only with framing "none" a Content-Length stays, because the answer to HEAD and a 304 tell how long the body would have been.
 *
 * @param status 100 to 999
 * @param versionMinor the version that the client spoke; chunks cannot be sent to HTTP/1.0
 * @param others how names are written that were not kept as they came; undefined: in lower case
 * @returns undefined when a field holds what could end it early (response splitting), when status and framing do not go together, or
 *   for chunked framing in HTTP/1.0
 */
export function encodeResponseHead(
  status: number,
  headers: HeaderList,
  framing: Framing,
  versionMinor: 0 | 1,
  others?: HeaderNames,
): string | undefined {
  const names = headers.names ?? others;
  if (!Number.isInteger(status) || status < 100 || status > 999) return undefined;
  if ((framing.kind === "chunked" && versionMinor === 0) || framing.kind === "upgrade" || framing.kind === "connect")
    return undefined;
  const isBodiless = status < 200 || status === 204 || status === 304;
  // After 101 another protocol follows until the connection ends.
  if (isBodiless && framing.kind !== "none" && !(status === 101 && framing.kind === "close")) return undefined;
  const keepsContentLength = framing.kind === "none" && status >= 200 && status !== 204 && hasOneContentLength(headers);
  const end = framingLines(framing, names);
  const lines = headers.toFieldLines(keepsContentLength, names);
  if (end === undefined || lines === undefined) return undefined;
  return `${statusLine(status, versionMinor)}${lines}${end}`;
}

function hasOneContentLength(headers: HeaderList): boolean {
  const length = headers.get("content-length");
  return length !== undefined && readContentLength(length) >= 0;
}

/** The field of the framing and the empty line; undefined for an impossible length. */
function framingLines(framing: Framing, names: HeaderNames | undefined): string | undefined {
  if (framing.kind === "chunked") return `${written("transfer-encoding", names)}: chunked\r\n\r\n`;
  if (framing.kind === "upgrade")
    return isToken(framing.protocol)
      ? `${written("connection", names)}: Upgrade\r\n${written("upgrade", names)}: ${framing.protocol}\r\n\r\n`
      : undefined;
  if (framing.kind !== "length") return "\r\n";
  if (!Number.isSafeInteger(framing.bytes) || framing.bytes < 0) return undefined;
  return `${written("content-length", names)}: ${framing.bytes}\r\n\r\n`;
}

function written(name: string, names: HeaderNames | undefined): string {
  return names === undefined ? name : names.written(name);
}

/** What takes a body: a connection. */
export interface ByteSink {
  /** Takes bytes [start, end). @returns false: taken, but it wants no more for now */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** Takes characters, one byte each: none above U+00FF. @returns as `write` */
  writeText(text: string): boolean;
}

/** Writes bytes [start, end) as one chunk; nothing for no bytes, since a chunk of none would end the body (RFC 9112 §7.1). @returns as `write` */
export function writeChunk(sink: ByteSink, bytes: Buffer, start: number, end: number): boolean {
  if (end <= start) return true;
  sink.writeText(`${(end - start).toString(16)}\r\n`);
  sink.write(bytes, start, end);
  return sink.writeText("\r\n");
}

/**
 * The last chunk with the trailers that HTTP/1.1 may have, as latin1. Trailers that could end a field early are dropped: the body itself is
 * complete.
 */
export function encodeLastChunk(trailers?: HeaderList, others?: HeaderNames): string {
  if (trailers === undefined) return "0\r\n\r\n";
  // A copy: the log has them all, and another attempt may go out as HTTP/2.
  const allowed = trailers.clone();
  removeForbiddenTrailers(allowed);
  return `0\r\n${allowed.toFieldLines(false, allowed.names ?? others) ?? ""}\r\n`;
}

/** Whether a field could be encoded: for code that takes names and values from a configuration. */
export function isEncodableField(name: string, value: string): boolean {
  return isToken(name) && isFieldValue(value);
}
