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

const percent = 0x25;
const backslash = 0x5c;

/** unreserved of RFC 3986 §2.3. */
const isUnreserved = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
/** What Envoy's URL library escapes in a path, and RFC 3986 does not allow there. */
const isUnsafe = Uint8Array.from({ length: 256 }, (_, byte) => (/["<>^`{|}]/.test(String.fromCharCode(byte)) ? 1 : 0));

/**
 * Undoes escapes of unreserved characters, turns backslashes into slashes and escapes what no path may hold; undefined at an escaped NUL. One pass
 * with tables, because a hostile path is all escapes: 60 KiB of them must not cost milliseconds.
 */
function decodeUnreserved(path: string): string | undefined {
  let decoded = "";
  let copied = 0;
  for (let i = 0; i < path.length; i += 1) {
    const code = path.charCodeAt(i);
    let replacement = "";
    let length = 1;
    if (code === percent) {
      const value = escapeAt(path, i);
      if (value === 0) return undefined;
      if (value < 0) continue;
      length = 3;
      if (isUnreserved[value] === 1 && !completesEscape(value, path, i)) replacement = String.fromCharCode(value);
    } else if (code === backslash) {
      replacement = "/";
    } else if (isUnsafe[code] === 1) {
      replacement = `%${code.toString(16).toUpperCase()}`;
    }
    if (replacement !== "") {
      decoded += path.slice(copied, i) + replacement;
      copied = i + length;
    }
    i += length - 1;
  }
  return decoded + path.slice(copied);
}

/** The byte that the escape at `at` stands for; -1 for a lone "%". */
function escapeAt(path: string, at: number): number {
  if (at + 2 >= path.length) return -1;
  const high = hexValue[path.charCodeAt(at + 1)] ?? 0xff;
  const low = hexValue[path.charCodeAt(at + 2)] ?? 0xff;
  return high === 0xff || low === 0xff ? -1 : high * 16 + low;
}

/** Whether `byte` would make an escape of a lone "%" before it: "%%32e" must not become "%2e", which the next hop would undo. */
function completesEscape(byte: number, path: string, at: number): boolean {
  if (hexValue[byte] === 0xff || at === 0) return false;
  if (path.charCodeAt(at - 1) === percent) return true;
  return at >= 2 && path.charCodeAt(at - 2) === percent && hexValue[path.charCodeAt(at - 1)] !== 0xff;
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
