export { readAuthority } from "./authority.ts";
export { Base64Decoder, encodeTrailersFrame } from "./grpc-web.ts";
export { HeaderList } from "./header-list.ts";
export { removeHopByHop } from "./hop-by-hop.ts";
export type { HpackError, HpackLimits, HpackSink } from "./hpack/decoder.ts";
export { HpackDecoder } from "./hpack/decoder.ts";
export { HpackEncoder } from "./hpack/encoder.ts";
export type { HpackField } from "./hpack/field.ts";
export type { BodyKind, BodySink } from "./http1/body-reader.ts";
export {
  encodeLastChunk,
  encodeRequestHead,
  encodeResponseHead,
  isEncodableField,
  writeChunk,
} from "./http1/encoder.ts";
export type { Framing } from "./http1/framing.ts";
export type { Http1Limits } from "./http1/limits.ts";
export { type HeaderNames, type NameKeeping, properCaseWords } from "./header-names.ts";
export { defaultHttp1Limits } from "./http1/limits.ts";
export type { Http1RequestSink, RequestHead } from "./http1/request-decoder.ts";
export { Http1RequestDecoder } from "./http1/request-decoder.ts";
export type { Http1ResponseSink, ResponseHead } from "./http1/response-decoder.ts";
export { Http1ResponseDecoder } from "./http1/response-decoder.ts";
export { Http1Violation } from "./http1/violation.ts";
export { declareBody } from "./http2/body-fields.ts";
export type { OpenRefusal } from "./http2/connection.ts";
export { Http2Connection } from "./http2/connection.ts";
export type { Http2Sink } from "./http2/connection-sink.ts";
export { Http2ErrorCode } from "./http2/error-code.ts";
export type { Http2Limits } from "./http2/limits.ts";
export { defaultHttp2Limits } from "./http2/limits.ts";
export type { Http2Request } from "./http2/message-encoder.ts";
export type { Http2RequestHead, Http2ResponseHead } from "./http2/message-head.ts";
export type { Http2Rule, Http2Violation } from "./http2/violation.ts";
export { reasonPhrase } from "./status.ts";
export { webSocketAccept } from "./websocket.ts";
export type { Http2KeepAliveSettings } from "./http2/keep-alive.ts";
export { Http2KeepAlive } from "./http2/keep-alive.ts";
export type { DnsAnswer } from "./dns/answer.ts";
export { encodeAnswer } from "./dns/answer.ts";
export type { DnsQuery, ParsedQuery } from "./dns/query.ts";
export { dnsCode, dnsType, parseQuery } from "./dns/query.ts";
export { isReplyTo } from "./dns/reply-match.ts";
