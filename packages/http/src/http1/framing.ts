/**
 * How a message's body is delimited on the wire (RFC 9112 §6).
 *
 * - `none`: there is no body and none may follow. For responses: to HEAD, 1xx, 204 and 304, and to CONNECT.
 * - `length`: exactly `bytes` bytes follow.
 * - `chunked`: chunks follow, then a last chunk with or without trailers.
 * - `close`: responses only; the body ends where the connection does. What follows a 101, or a 2xx to CONNECT, is of this kind.
 * - `upgrade`: requests only; there is no body, and after a 101 bytes of another protocol go both ways (RFC 9110 §7.8). In HTTP/2 it
 *   is an extended CONNECT (RFC 8441).
 * - `connect`: requests with the method CONNECT only; there is no body, and after a 2xx bytes go both ways (RFC 9110 §9.3.6).
 */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" }
  | { readonly kind: "connect" }
  | { readonly kind: "upgrade"; readonly protocol: string };
