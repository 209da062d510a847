import { createHash } from "node:crypto";

// The handshake's proof (RFC 6455 §1.3). HTTP/2 has none (RFC 8441 §5), so whoever translates makes one, or answers one.

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What `sec-websocket-accept` must be for a `sec-websocket-key`. */
export function webSocketAccept(key: string): string {
  return createHash("sha1").update(`${key}${guid}`).digest("base64");
}
