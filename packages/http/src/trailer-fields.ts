import type { HeaderList } from "./header-list.ts";
import { NameSet } from "./header-list.ts";

/**
 * Fields that a trailer must not bring: those that frame, route, authenticate or describe how to read the content (RFC 9110 §6.5.1), and those that
 * say something in the mesh's name. A recipient that merges trailers into the header section would otherwise believe them.
 */
const forbiddenTrailers = new NameSet(
  (
    "host content-length transfer-encoding trailer te connection keep-alive proxy-connection upgrade expect authorization proxy-authorization " +
    "proxy-authenticate www-authenticate cookie set-cookie age cache-control expires date location retry-after vary range if-match if-none-match " +
    "if-modified-since if-unmodified-since if-range content-encoding content-type content-range max-forwards forwarded baggage"
  ).split(" "),
);
const forbiddenTrailerPrefixes = ["x-forwarded-", "x-envoy-", "heddle-"];

/** Removes what a trailer section must not say, in any version of HTTP. */
export function removeForbiddenTrailers(trailers: HeaderList): void {
  trailers.removeAll(forbiddenTrailers);
  for (const prefix of forbiddenTrailerPrefixes) trailers.removePrefix(prefix);
}
