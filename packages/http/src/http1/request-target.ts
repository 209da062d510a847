import { readAuthority } from "../authority.ts";

/** A request target taken apart (RFC 9112 §3.2). */
export interface RequestTarget {
  /** Origin form with the query; "*" for OPTIONS *; "" for CONNECT. */
  readonly path: string;
  /** "" when the target has none: then Host says it. */
  readonly authority: string;
  /** "http" or "https" in absolute form, else "". */
  readonly scheme: string;
}

const asterisk: RequestTarget = { path: "*", authority: "", scheme: "" };

/**
 * Takes a target apart whose bytes are valid and that does not begin with a slash (that is origin form, and most targets).
 *
 * @returns undefined when it has none of the four forms, or one that its method may not have
 */
export function readRequestTarget(method: string, target: string): RequestTarget | undefined {
  if (method === "CONNECT") return readAuthorityForm(target);
  if (target === "*") return method === "OPTIONS" ? asterisk : undefined;
  return readAbsoluteForm(method, target);
}

/** CONNECT's target is host and port, both mandatory (RFC 9110 §9.3.6). */
function readAuthorityForm(target: string): RequestTarget | undefined {
  const authority = readAuthority(target);
  if (authority === undefined || !/:\d+$/.test(target) || target.endsWith("]")) return undefined;
  return { path: "", authority, scheme: "" };
}

function readAbsoluteForm(method: string, target: string): RequestTarget | undefined {
  const match = /^(https?):\/\/([^/?]*)(.*)$/i.exec(target);
  if (match === null) return undefined;
  const authority = readAuthority(match[2] as string);
  if (authority === undefined) return undefined;
  const rest = match[3] as string;
  const scheme = (match[1] as string).toLowerCase();
  // Without path and query OPTIONS means the server, all others mean "/" (RFC 9112 §3.2.4, §3.2.1).
  if (rest === "") return { path: method === "OPTIONS" ? "*" : "/", authority, scheme };
  return { path: rest.startsWith("?") ? `/${rest}` : rest, authority, scheme };
}
