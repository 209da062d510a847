export { readAuthority } from "./authority.ts";
export { ByteWriter } from "./byte-writer.ts";
export { HeaderList } from "./header-list.ts";
export { removeHopByHop } from "./hop-by-hop.ts";
export type { HpackError, HpackLimits, HpackSink } from "./hpack/decoder.ts";
export { HpackDecoder } from "./hpack/decoder.ts";
export { HpackEncoder } from "./hpack/encoder.ts";
export type { HpackField } from "./hpack/field.ts";
export type { BodyKind, BodySink } from "./http1/body-reader.ts";
export {
  encodeChunk,
  encodeLastChunk,
  encodeRequestHead,
  encodeResponseHead,
  isEncodableField,
} from "./http1/encoder.ts";
export type { Framing } from "./http1/framing.ts";
export type { Http1Limits } from "./http1/limits.ts";
export { defaultHttp1Limits } from "./http1/limits.ts";
export type { Http1RequestSink, RequestHead } from "./http1/request-decoder.ts";
export { Http1RequestDecoder } from "./http1/request-decoder.ts";
export type { Http1ResponseSink, ResponseHead } from "./http1/response-decoder.ts";
export { Http1ResponseDecoder } from "./http1/response-decoder.ts";
export { Http1Violation } from "./http1/violation.ts";
export { reasonPhrase } from "./status.ts";
