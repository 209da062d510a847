/** What the first bytes of a plaintext connection say about HTTP. */
export type HttpInspection = "incomplete" | "not-http" | "http/1.0" | "http/1.1" | "h2c";

/** RFC 9113 §3.4. */
const http2Preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** A request line that is longer than this is not looked at to its end; Envoy's http_inspector has the same bound. */
export const maxRequestLineBytes = 8_192;

/** Methods are tokens (RFC 9110 §9.1); none in use is longer. */
const maxMethodBytes = 32;

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Recognises HTTP by its first line, as Envoy's http_inspector does. */
export function inspectHttp(bytes: Buffer, start: number, end: number): HttpInspection {
  const compared = Math.min(end - start, http2Preface.length);
  if (bytes.compare(http2Preface, 0, compared, start, start + compared) === 0) {
    return compared === http2Preface.length ? "h2c" : "incomplete";
  }
  const space = bytes.indexOf(0x20, start);
  const hasSpace = space !== -1 && space < end;
  const method = bytes.toString("latin1", start, hasSpace ? space : end);
  if (method.length > maxMethodBytes || !tokenPattern.test(method)) return "not-http";
  if (!hasSpace) return "incomplete";
  const lineEnd = bytes.indexOf(0x0a, space);
  if (lineEnd === -1 || lineEnd >= end) return end - start >= maxRequestLineBytes ? "not-http" : "incomplete";
  const version = /^[^\s]+ (HTTP\/1\.[01])\r?$/.exec(bytes.toString("latin1", space + 1, lineEnd))?.[1];
  if (version === undefined) return "not-http";
  return version === "HTTP/1.1" ? "http/1.1" : "http/1.0";
}
