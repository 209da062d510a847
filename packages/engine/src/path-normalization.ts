// Paths brought to one form before any policy or route sees them, as Envoy does it: escaped slashes, then dot segments
// and escapes (the URL canonicalisation that Envoy took from Chromium), then repeated slashes. The query is never touched.

export interface PathNormalizationOptions {
  readonly normalize: boolean;
  readonly mergeSlashes: boolean;
  readonly escapedSlashes: "keep" | "reject" | "unescape-and-redirect" | "unescape-and-forward";
}

export interface NormalizedPath {
  readonly path: string;
  readonly outcome: "ok" | "redirect" | "reject";
}

const escapedSlash = /%(?:2f|5c)/i;
/** Anything that normalising could change; plain paths leave at once. */
const suspicious = /[%\\.]|[^\x21-\x7e]|["<>^`{|}]/;

/** Where the query or fragment begins. */
function pathEnd(target: string): number {
  const question = target.indexOf("?");
  return question === -1 ? target.length : question;
}

/** `path` is an origin-form target (RFC 9112 §3.2.1); a fragment in it is refused, as by Envoy. */
export function normalizePath(path: string, options: PathNormalizationOptions): NormalizedPath {
  if (path.includes("#")) return { path, outcome: "reject" };
  if (path.charCodeAt(0) !== 47) return { path, outcome: "ok" };
  const end = pathEnd(path);
  let plain = end === path.length ? path : path.slice(0, end);
  const query = end === path.length ? "" : path.slice(end);
  let outcome: NormalizedPath["outcome"] = "ok";
  if (options.escapedSlashes !== "keep" && escapedSlash.test(plain)) {
    if (options.escapedSlashes === "reject") return { path, outcome: "reject" };
    plain = plain.replace(/%2f/gi, "/").replace(/%5c/gi, "\\");
    if (options.escapedSlashes === "unescape-and-redirect") outcome = "redirect";
  }
  if (options.normalize) {
    const canonical = canonicalPath(plain);
    if (canonical === undefined) return { path, outcome: "reject" };
    plain = canonical;
  }
  if (options.mergeSlashes && plain.includes("//")) plain = plain.replace(/\/{2,}/g, "/");
  return { path: plain + query, outcome };
}

function hexValue(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** The byte of a valid escape at `at`, or -1. */
function escapeAt(text: string, at: number): number {
  if (text.charCodeAt(at) !== 37 || at + 2 >= text.length) return -1;
  const high = hexValue(text.charCodeAt(at + 1));
  const low = hexValue(text.charCodeAt(at + 2));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

function isUnreserved(byte: number): boolean {
  return /[0-9A-Za-z\-._~]/.test(String.fromCharCode(byte));
}

/** Characters that must stand escaped; everything else may pass as it is. */
function mustEscape(code: number): boolean {
  return code <= 32 || code >= 127 || '"#<>?^`{|}'.includes(String.fromCharCode(code));
}

const upperHex = "0123456789ABCDEF";

/**
 * Escapes of unreserved characters undone, characters that may not stand plain escaped, `\` turned into `/`, dot segments
 * removed (`%2e` counts as a dot). undefined: the path holds a NUL, or an incomplete escape that would become one.
 */
function canonicalPath(path: string): string | undefined {
  if (!suspicious.test(path)) return path;
  let text = "";
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === 37) {
      const byte = escapeAt(path, i);
      if (byte === 0) return undefined;
      // Envoy's canonicaliser refuses nothing else, but an incomplete escape may hide a second decoding: see below.
      if (byte === -1) text += "%";
      else {
        text += isUnreserved(byte) ? String.fromCharCode(byte) : path.slice(i, i + 3);
        i += 2;
      }
    } else if (code === 0) {
      return undefined;
    } else if (code === 92) {
      text += "/";
    } else if (mustEscape(code)) {
      text += `%${upperHex[code >> 4]}${upperHex[code & 15]}`;
    } else {
      text += path.charAt(i);
    }
  }
  // `%%30%30` has become `%00`: an escape that only decoding made is as bad as the byte itself.
  if (hasNewEscape(path, text)) return undefined;
  return removeDotSegments(text);
}

/** Whether undoing escapes created an escape that was not in the input: `%%33%30`. */
function hasNewEscape(input: string, output: string): boolean {
  let incomplete = false;
  for (let i = input.indexOf("%"); i !== -1 && !incomplete; i = input.indexOf("%", i + 1)) {
    if (escapeAt(input, i) === -1) incomplete = true;
    else i += 2;
  }
  if (!incomplete) return false;
  for (let i = output.indexOf("%"); i !== -1; i = output.indexOf("%", i + 1)) {
    const byte = escapeAt(output, i);
    if (byte === 0 || (byte !== -1 && isUnreserved(byte))) return true;
  }
  return false;
}

/** RFC 3986 §5.2.4 on an absolute path; empty segments stay. */
function removeDotSegments(path: string): string {
  if (!path.includes("/.")) return path;
  const out: string[] = [];
  const segments = path.slice(1).split("/");
  const last = segments.length - 1;
  segments.forEach((segment, index) => {
    if (segment === ".") {
      if (index === last) out.push("");
    } else if (segment === "..") {
      out.pop();
      if (index === last) out.push("");
    } else {
      out.push(segment);
    }
  });
  return `/${out.join("/")}`;
}
