import type { ErrorCode } from "@heddle/core";

/** Every rule of HTTP/1.1 that the decoders enforce: what is said about it, and Envoy's response code details. */
const rules = {
  bareLf: ["a line feed without a carriage return (RFC 9112 §2.2)", "http1.codec_error"],
  bareCr: ["a carriage return without a line feed (RFC 9112 §2.2)", "http1.codec_error"],
  badStart: ["the message does not begin with a method (RFC 9112 §3)", "http1.codec_error"],
  badMethod: ["the method is no token (RFC 9110 §9.1)", "http1.codec_error"],
  badTarget: ["the request target is invalid (RFC 9112 §3.2)", "http1.invalid_url"],
  badRequestLine: ["the request line is malformed (RFC 9112 §3)", "http1.codec_error"],
  badVersion: ["the HTTP version is not supported (RFC 9110 §15.6.6)", "http1.invalid_version"],
  http10: ["HTTP/1.0 is not accepted here", "low_version"],
  badStatusLine: ["the status line is malformed (RFC 9112 §4)", "http1.codec_error"],
  headTooLarge: ["the head is larger than allowed", "http1.headers_too_large"],
  tooManyFields: ["there are more header fields than allowed", "http1.too_many_headers"],
  badFieldName: ["a field name is no token, or empty (RFC 9112 §5)", "http1.invalid_characters"],
  spaceBeforeColon: ["white space before a colon (RFC 9112 §5.1)", "http1.codec_error"],
  foldedField: ["a folded field line (RFC 9112 §5.2)", "http1.codec_error"],
  badFieldValue: ["a control character in a field value (RFC 9110 §5.5)", "http1.invalid_characters"],
  connectionTooLong: [
    "more options in Connection than a peer can need (RFC 9110 §7.6.1)",
    "http1.connection_header_rejected",
  ],
  missingHost: ["HTTP/1.1 without a Host field (RFC 9112 §3.2)", "missing_host_header"],
  manyHosts: ["more than one Host field (RFC 9112 §3.2)", "http1.codec_error"],
  badHost: ["the authority is invalid (RFC 9110 §7.2)", "http1.invalid_url"],
  manyContentLengths: ["more than one Content-Length (RFC 9112 §6.3)", "http1.codec_error"],
  badContentLength: ["an invalid Content-Length (RFC 9110 §8.6)", "http1.codec_error"],
  contentLengthNotAllowed: ["Content-Length where no body can be (RFC 9110 §8.6)", "http1.content_length_not_allowed"],
  transferEncodingNotAllowed: [
    "Transfer-Encoding where it cannot be (RFC 9112 §6.1)",
    "http1.transfer_encoding_not_allowed",
  ],
  lengthAndChunked: [
    "both Content-Length and Transfer-Encoding (RFC 9112 §6.1)",
    "http1.content_length_and_chunked_not_allowed",
  ],
  badTransferEncoding: [
    "Transfer-Encoding does not end in one chunked (RFC 9112 §6.3)",
    "http1.invalid_transfer_encoding",
  ],
  unknownTransferCoding: ["a transfer coding other than chunked (RFC 9112 §6.1)", "http1.invalid_transfer_encoding"],
  badChunk: ["a malformed chunk (RFC 9112 §7.1)", "http1.codec_error"],
  chunkExtensionsTooLarge: ["the chunk extensions are larger than allowed", "http1.codec_error"],
  trailersTooLarge: ["the trailers are larger than allowed", "http1.trailers_too_large"],
  unsolicited: ["bytes from the upstream without a request", "http1.codec_error"],
  unexpectedUpgrade: ["the upstream switched protocols without being asked (RFC 9110 §15.2.2)", "http1.codec_error"],
  tooManyInformational: ["more informational responses than any request needs (RFC 9110 §15.2)", "http1.codec_error"],
  endOfInput: ["the connection ended within a message (RFC 9112 §8)", "downstream_remote_disconnect"],
} as const satisfies Record<string, readonly [reason: string, details: string]>;

export type Rule = keyof typeof rules;

/** 426 only for HTTP/1.0 that is not accepted, as Envoy answers it. */
export type ViolationStatus = 400 | 426 | 431 | 501 | 505;

/** A rule that a peer broke. A value made once per rule, and no Error: a client can cause it at will. */
export class Http1Violation {
  readonly code: ErrorCode;
  /** What to answer on a downstream connection before closing it; meaningless for an upstream's violation. */
  readonly status: ViolationStatus;
  /** For people, with the section that is broken. */
  readonly reason: string;
  /** Envoy's response code details. */
  readonly details: string;
  readonly rule: Rule;

  constructor(rule: Rule, code: ErrorCode, status: ViolationStatus) {
    [this.reason, this.details] = rules[rule];
    this.rule = rule;
    this.code = code;
    this.status = status;
  }
}

const requestCodes: Partial<Record<Rule, readonly [ErrorCode, ViolationStatus]>> = {
  badVersion: ["http_version_unsupported", 505],
  http10: ["http10_refused", 426],
  unknownTransferCoding: ["transfer_coding_unsupported", 501],
  headTooLarge: ["headers_too_large", 431],
  tooManyFields: ["headers_too_large", 431],
  trailersTooLarge: ["headers_too_large", 431],
  endOfInput: ["downstream_closed", 400],
};

type Side = (rule: Rule) => readonly [ErrorCode, ViolationStatus];

function violationsOf(side: Side): Readonly<Record<Rule, Http1Violation>> {
  const names = Object.keys(rules) as Rule[];
  return Object.fromEntries(names.map((rule) => [rule, new Http1Violation(rule, ...side(rule))])) as Record<
    Rule,
    Http1Violation
  >;
}

/** What a client did. */
export const requestViolations = violationsOf((rule) => requestCodes[rule] ?? ["downstream_protocol_error", 400]);

/** What an upstream did before the head of its response was complete. */
export const responseViolations = violationsOf((rule) => [
  rule === "endOfInput" ? "upstream_reset" : "upstream_protocol_error",
  400,
]);

/** What an upstream did after the head of its response had been delivered. */
export const responseBodyViolations = violationsOf((rule) => [
  rule === "endOfInput" ? "upstream_reset_mid_response" : "upstream_protocol_error_mid_response",
  400,
]);
