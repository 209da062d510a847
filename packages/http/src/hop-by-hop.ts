import type { HeaderList } from "./header-list.ts";
import { NameSet } from "./header-list.ts";

/**
 * Fields about one connection (RFC 9110 §7.6.1). Trailer is none of them in RFC 9110, and Proxy-Authenticate and Proxy-Authorization are for
 * whoever they are for, which a mesh's proxies are not.
 */
const connectionFields = new NameSet([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

const acceptsTrailers = /(?:^|,)[ \t]*trailers[ \t]*(?:,|$)/i;

/**
 * Removes what must not be forwarded: the fields about one connection and those that Connection names. Call it before adding
 * fields of one's own: a client chooses what Connection names, and must not remove what the mesh says about it.
 *
 * @param keepTrailersTe keep "te: trailers", as Envoy does, because gRPC servers look for it
 */
export function removeHopByHop(headers: HeaderList, keepTrailersTe: boolean): void {
  const connection = headers.get("connection");
  if (connection !== undefined && connection !== "close" && connection !== "keep-alive") {
    for (const name of connection.toLowerCase().split(",")) headers.remove(name.trim());
  }
  const keepsTe = keepTrailersTe && acceptsTrailers.test(headers.get("te") ?? "");
  headers.removeAll(connectionFields);
  if (keepsTe) headers.append("te", "trailers");
}
