import { createHash } from "node:crypto";
import type { HeaderList } from "./header-list.ts";

// The handshake's proof (RFC 6455 §1.3). HTTP/2 has none (RFC 8441 §5), so whoever translates makes one, or answers one.

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** What `sec-websocket-accept` must be for a `sec-websocket-key`. */
export function webSocketAccept(key: string): string {
  return createHash("sha1").update(`${key}${guid}`).digest("base64");
}

/** Gives a WebSocket request that came without one a key, as HTTP/1.1 demands. `nonce` makes 16 random bytes. */
export function ensureWebSocketKey(headers: HeaderList, nonce: () => Buffer): void {
  if (headers.get("sec-websocket-key") === undefined) headers.set("sec-websocket-key", nonce().toString("base64"));
}
