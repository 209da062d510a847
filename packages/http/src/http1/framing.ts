/**
 * How a message's body is delimited on the wire (RFC 9112 §6).
 *
 * - `none`: there is no body and none may follow. For responses: to HEAD, 1xx, 204 and 304, and to CONNECT.
 * - `length`: exactly `bytes` bytes follow.
 * - `chunked`: chunks follow, then a last chunk with or without trailers.
 * - `close`: responses only; the body ends where the connection does.
 */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };
