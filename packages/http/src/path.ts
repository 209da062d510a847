import { hexValue } from "./byte-class.ts";

export type EscapedSlashes = "keep" | "reject" | "unescape-and-redirect" | "unescape-and-forward";

export interface PathOptions {
  /** Envoy's normalize_path. */
  readonly normalize: boolean;
  /** Envoy's merge_slashes. */
  readonly mergeSlashes: boolean;
  /** Envoy's path_with_escaped_slashes_action. */
  readonly escapedSlashes: EscapedSlashes;
}

export interface NormalizedPath {
  readonly path: string;
  /** "redirect": answer with a redirect to `path`; "reject": answer 400. */
  readonly outcome: "ok" | "redirect" | "reject";
}

const escapedSlash = /%2f|%5c/i;

/** What makes a path need a second look: escapes, dots at the start of a segment, backslashes, and what must be escaped. */
const suspicious = /[%\\"<>^`{|}]|\/\./;

/**
 * Brings the path of a request-target into one form before any policy or route sees it, as Envoy's connection manager does, in its order:
 * escaped slashes, then RFC 3986 (§5.2.4 dot segments, with %2e as a dot and a backslash as a slash; §6.2.2.2 escapes of unreserved characters
 * undone), then slashes merged. The query is untouched. A path with an escaped NUL is rejected.
 *
 * Targets that are no path ("*", and CONNECT's) pass as they are.
 */
export function normalizePath(target: string, options: PathOptions): NormalizedPath {
  if (target.charCodeAt(0) !== 0x2f) return { path: target, outcome: "ok" };
  const queryAt = target.indexOf("?");
  const original = queryAt < 0 ? target : target.slice(0, queryAt);
  let path = original;
  let isRedirected = false;
  if (options.escapedSlashes !== "keep" && escapedSlash.test(path)) {
    if (options.escapedSlashes === "reject") return { path: target, outcome: "reject" };
    path = path.replaceAll(/%2f/gi, "/").replaceAll(/%5c/gi, "\\");
    isRedirected = options.escapedSlashes === "unescape-and-redirect";
  }
  if (options.normalize && suspicious.test(path)) {
    const decoded = decodeUnreserved(path);
    if (decoded === undefined) return { path: target, outcome: "reject" };
    path = removeDotSegments(decoded);
  }
  if (options.mergeSlashes && path.includes("//")) path = path.replaceAll(/\/{2,}/g, "/");
  if (path !== original && queryAt >= 0) path += target.slice(queryAt);
  return { path: path === original ? target : path, outcome: isRedirected ? "redirect" : "ok" };
}

const hexDigit = /[0-9A-Fa-f]/;
const unreserved = /[A-Za-z0-9\-._~]/;
/** What Envoy's URL library escapes in a path: the characters that RFC 3986 does not allow there. */
const unsafe = /["<>^`{|}]/g;

/** Undoes escapes of unreserved characters, turns backslashes into slashes, escapes what no path may hold; undefined at an escaped NUL. */
function decodeUnreserved(path: string): string | undefined {
  let hasNul = false;
  const decoded = path
    .replaceAll(unsafe, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("\\", "/")
    .replaceAll(/%[0-9A-Fa-f]{2}/g, (escape, offset: number, text: string) => {
      const code = (hexValue[escape.charCodeAt(1)] as number) * 16 + (hexValue[escape.charCodeAt(2)] as number);
      if (code === 0) hasNul = true;
      const character = String.fromCharCode(code);
      return unreserved.test(character) && !completesEscape(character, text, offset) ? character : escape;
    });
  return hasNul ? undefined : decoded;
}

/** Whether `character` would make an escape of a lone "%" before it: "%%32e" must not become "%2e", which the next hop would undo. */
function completesEscape(character: string, text: string, offset: number): boolean {
  return hexDigit.test(character) && /%[0-9A-Fa-f]?$/.test(text.slice(Math.max(0, offset - 2), offset));
}

/** RFC 3986 §5.2.4 for a path that begins with a slash. */
function removeDotSegments(path: string): string {
  const segments = path.split("/");
  const kept: string[] = [];
  for (let i = 1; i < segments.length; i += 1) {
    const segment = segments[i] as string;
    const isLast = i === segments.length - 1;
    if (segment === "..") kept.pop();
    if (segment === "." || segment === "..") {
      if (isLast) kept.push("");
    } else {
      kept.push(segment);
    }
  }
  return `/${kept.join("/")}`;
}
