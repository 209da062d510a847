import type { BoundRoute } from "../bind/types.ts";
import { encodeUtf8AsLatin1 } from "../bind/regex.ts";
import type { RedirectActionConfig } from "../config/route.ts";
import type { RequestRecord } from "./request-record.ts";

/** The Location of a redirect route (Envoy's newUri): absolute, in the request's own scheme unless changed. */
export function redirectLocation(route: BoundRoute, action: RedirectActionConfig, req: RequestRecord): string {
  const scheme = action.scheme === "" ? req.scheme : action.scheme;
  const port = action.port === 0 ? "" : `:${action.port}`;
  const host = action.host === "" ? hostFor(req, scheme, port) : encodeUtf8AsLatin1(action.host);
  return `${scheme}://${host}${port}${redirectPath(route, action, req.path)}`;
}

/** The path's own query wins over the request's, and is never stripped. */
function redirectPath(route: BoundRoute, action: RedirectActionConfig, path: string): string {
  const question = path.indexOf("?");
  if (action.path.kind === "replace") {
    const replacement = encodeUtf8AsLatin1(action.path.path);
    const isKept = !action.stripQuery && question !== -1 && !replacement.includes("?");
    return isKept ? replacement + path.slice(question) : replacement;
  }
  const rewritten = route.rewritePath?.(path) ?? path;
  const end = rewritten.indexOf("?");
  return action.stripQuery && end !== -1 ? rewritten.slice(0, end) : rewritten;
}

/**
 * The request's own host. Its port goes when another is given, and when it was the default of the scheme that the request
 * came with and that is left; a port that was written although it is not the default stays.
 */
function hostFor(req: RequestRecord, scheme: string, port: string): string {
  const { authority } = req;
  const bracket = authority.startsWith("[") ? authority.lastIndexOf("]:") : -1;
  const colon = authority.startsWith("[") ? (bracket === -1 ? -1 : bracket + 1) : authority.lastIndexOf(":");
  if (colon === -1) return authority;
  const protocol = req.headers.get("x-forwarded-proto");
  const own = authority.slice(colon);
  const isDefault =
    scheme !== protocol && ((protocol === "https" && own === ":443") || (protocol === "http" && own === ":80"));
  return port !== "" || isDefault ? authority.slice(0, colon) : authority;
}
