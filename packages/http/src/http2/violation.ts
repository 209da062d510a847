import { Http2ErrorCode } from "./error-code.ts";

const protocol = Http2ErrorCode.protocolError;
const calm = Http2ErrorCode.enhanceYourCalm;

/** Every rule of HTTP/2 that is enforced: the error code that is sent, and what is said about it. Flood limits carry Envoy's names of their counters. */
const rules = {
  badPreface: [protocol, "the connection does not begin with the preface (RFC 9113 §3.4)"],
  settingsFirst: [protocol, "the first frame is not SETTINGS (RFC 9113 §3.4)"],
  frameTooLarge: [Http2ErrorCode.frameSizeError, "a frame larger than allowed (RFC 9113 §4.2)"],
  badFrameSize: [Http2ErrorCode.frameSizeError, "a frame of an impossible size (RFC 9113 §4.2)"],
  badPadding: [protocol, "padding as long as the frame (RFC 9113 §6.1)"],
  badStreamId: [protocol, "a frame on a stream where it cannot be (RFC 9113 §6)"],
  streamIdNotRising: [protocol, "a stream identifier that is not above the last (RFC 9113 §5.1.1)"],
  idleStream: [protocol, "a frame on a stream that nobody opened (RFC 9113 §5.1)"],
  closedStream: [Http2ErrorCode.streamClosed, "a frame on a stream that has ended (RFC 9113 §5.1)"],
  continuationExpected: [protocol, "a header block is interrupted (RFC 9113 §4.3)"],
  continuationUnexpected: [protocol, "CONTINUATION without a header block (RFC 9113 §6.10)"],
  compression: [Http2ErrorCode.compressionError, "a header block that cannot be decoded (RFC 9113 §4.3)"],
  pushPromise: [protocol, "PUSH_PROMISE, which was refused by SETTINGS (RFC 9113 §8.4)"],
  badSetting: [protocol, "a setting with an impossible value (RFC 9113 §6.5.2)"],
  badInitialWindow: [Http2ErrorCode.flowControlError, "an initial window above 2^31-1 (RFC 9113 §6.5.2)"],
  unexpectedSettingsAck: [protocol, "an acknowledgement of SETTINGS that were not sent (RFC 9113 §6.5)"],
  zeroIncrement: [protocol, "WINDOW_UPDATE by nothing (RFC 9113 §6.9)"],
  windowOverflow: [Http2ErrorCode.flowControlError, "a window above 2^31-1 (RFC 9113 §6.9.1)"],
  windowExceeded: [Http2ErrorCode.flowControlError, "more data than the window allows (RFC 9113 §6.9.1)"],
  selfDependency: [protocol, "a stream that depends on itself (RFC 7540 §5.3.1)"],
  refusedStream: [Http2ErrorCode.refusedStream, "more streams at once than allowed (RFC 9113 §5.1.2)"],
  headersTooLarge: [calm, "header fields beyond the limit (RFC 9113 §10.5.1)"],
  badFieldName: [protocol, "a field name that is no token in lower case (RFC 9113 §8.2.1)"],
  badFieldValue: [protocol, "a field value with a control character, or white space around it (RFC 9113 §8.2.1)"],
  connectionField: [protocol, "a field about one connection (RFC 9113 §8.2.2)"],
  badPseudoHeader: [protocol, "an unknown, repeated, late or misplaced pseudo-header field (RFC 9113 §8.3)"],
  missingPseudoHeader: [protocol, "a mandatory pseudo-header field is missing (RFC 9113 §8.3.1)"],
  badMethod: [protocol, "the method is no token (RFC 9110 §9.1)"],
  badScheme: [protocol, "the scheme is neither http nor https (RFC 9113 §8.3.1)"],
  badPath: [protocol, "the path is invalid (RFC 9113 §8.3.1)"],
  badAuthority: [protocol, "the authority is missing, invalid, or another than Host says (RFC 9113 §8.3.1)"],
  badStatus: [protocol, "the status is invalid (RFC 9113 §8.3.2)"],
  badConnect: [protocol, "CONNECT with a wrong set of pseudo-header fields (RFC 9113 §8.5, RFC 8441 §4)"],
  badContentLength: [protocol, "an invalid or repeated Content-Length (RFC 9113 §8.1.1)"],
  contentLengthMismatch: [protocol, "more or less data than Content-Length says (RFC 9113 §8.1.1)"],
  tooManyInformational: [calm, "more informational responses than any request needs (RFC 9110 §15.2)"],
  unexpectedMessagePart: [protocol, "header fields or data where the message cannot have them (RFC 9113 §8.1)"],
  headerBlockTooLarge: [calm, "a header block beyond the limit before its end (continuation flood)"],
  outboundControlFlood: [calm, "http2.outbound_control_flood"],
  outboundFlood: [calm, "http2.outbound_flood"],
  emptyFrameFlood: [calm, "http2.inbound_empty_frames_flood"],
  priorityFlood: [calm, "http2.inbound_priority_frames_flood"],
  windowUpdateFlood: [calm, "http2.inbound_window_update_frames_flood"],
  resetFlood: [calm, "http2.inbound_reset_flood"],
  prematureResetFlood: [calm, "downstream_rq_too_many_premature_resets"],
  causedResetFlood: [calm, "http2.caused_reset_flood"],
} as const satisfies Record<string, readonly [errorCode: number, reason: string]>;

export type Http2Rule = keyof typeof rules;

/** A rule that a peer broke. A value made once per rule, and no Error: a peer can cause it at will. */
export class Http2Violation {
  readonly rule: Http2Rule;
  /** What RST_STREAM or GOAWAY says. */
  readonly errorCode: number;
  /** For people: the section that is broken, or the counter of the flood. */
  readonly reason: string;

  constructor(rule: Http2Rule) {
    this.rule = rule;
    [this.errorCode, this.reason] = rules[rule];
  }
}

export const http2Violations = Object.fromEntries(
  (Object.keys(rules) as Http2Rule[]).map((rule) => [rule, new Http2Violation(rule)]),
) as Readonly<Record<Http2Rule, Http2Violation>>;
