import type { HeaderList } from "./header-list.ts";
import { NameSet } from "./header-list.ts";

/** Fields that no trailer brings in any version: those that frame or route a message, those about one connection, and who it is forwarded for. */
const claims = new NameSet(
  "host content-length transfer-encoding trailer te connection keep-alive proxy-connection upgrade forwarded".split(
    " ",
  ),
);
/** Of those that say something in the mesh's name. */
const claimPrefixes = ["x-forwarded-", "x-envoy-", "heddle-"];

/** Those that authenticate, control, or describe how to read the content (RFC 9110 §6.5.1). */
const headFields = new NameSet(
  (
    "expect authorization proxy-authorization proxy-authenticate www-authenticate cookie set-cookie age cache-control expires date location " +
    "retry-after vary range if-match if-none-match if-modified-since if-unmodified-since if-range content-encoding content-type content-range " +
    "max-forwards baggage"
  ).split(" "),
);

/** Removes what a trailer section must not say in HTTP/2, where it stays apart from the head: gRPC has its trailing metadata there. */
export function removeTrailerClaims(trailers: HeaderList): void {
  trailers.removeAll(claims);
  for (const prefix of claimPrefixes) trailers.removePrefix(prefix);
}

/** Removes what a trailer section must not say in HTTP/1.1, whose recipients may merge it into the head and believe it. */
export function removeForbiddenTrailers(trailers: HeaderList): void {
  removeTrailerClaims(trailers);
  trailers.removeAll(headFields);
}
