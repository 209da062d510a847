import type { HeaderList } from "../header-list.ts";
import type { Framing } from "../http1/framing.ts";

/**
 * Says in `headers` how long a body is, which is all that HTTP/2 has of HTTP/1.1's framing (RFC 9113 §8.1.1): a known length, or none at all. With
 * framing "none" a Content-Length stays, because the answer to HEAD and a 304 tell how long the body would have been.
 *
 * @returns true when no body follows, so that the head ends the stream
 */
export function declareBody(headers: HeaderList, framing: Framing): boolean {
  switch (framing.kind) {
    case "none":
      return true;
    case "length":
      headers.set("content-length", String(framing.bytes));
      return framing.bytes === 0;
    case "chunked":
    case "close":
    case "upgrade":
    case "connect":
      headers.remove("content-length");
      return false;
  }
}
