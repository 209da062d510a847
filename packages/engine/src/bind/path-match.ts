import type { PathMatch } from "../config/route.ts";
import { asciiLowerCase } from "./string-matcher.ts";
import { compileFullMatch, encodeUtf8AsLatin1 } from "./regex.ts";

/** The path without query and fragment; all path matching of routes and policies is on this. */
export function withoutQuery(path: string): string {
  const question = path.indexOf("?");
  const hash = path.indexOf("#");
  if (question === -1 && hash === -1) return path;
  if (question === -1 || hash === -1) return path.slice(0, Math.max(question, hash));
  return path.slice(0, Math.min(question, hash));
}

/** Tests a path that {@link withoutQuery} has made; it is empty for CONNECT alone, which no rule about paths matches (Envoy). */
export type PathTest = (path: string) => boolean;

export function bindPathMatch(match: PathMatch): PathTest {
  if (match.kind === "connect") return (path) => path === "";
  if (match.kind === "regex") {
    const regex = compileFullMatch(match.regex);
    return (path) => path !== "" && regex.test(path);
  }
  const bytes = encodeUtf8AsLatin1(match.value);
  if (match.caseSensitive) return plainPathTest(match.kind, bytes);
  const test = plainPathTest(match.kind, asciiLowerCase(bytes));
  return (path) => test(asciiLowerCase(path));
}

function plainPathTest(kind: "prefix" | "exact" | "path-separated-prefix", wanted: string): PathTest {
  switch (kind) {
    case "exact":
      return (path) => path !== "" && path === wanted;
    case "prefix":
      return wanted === "/" ? (path) => path.charCodeAt(0) === 47 : (path) => path !== "" && path.startsWith(wanted);
    case "path-separated-prefix":
      return (path) =>
        path !== "" &&
        path.startsWith(wanted) &&
        (path.length === wanted.length || path.charCodeAt(wanted.length) === 47);
  }
}

export function describePathMatch(match: PathMatch): string {
  if (match.kind === "connect") return "CONNECT";
  if (match.kind === "regex") return `path regex "${match.regex}"`;
  return `path ${match.kind} "${match.value}"${match.caseSensitive ? "" : " ignoring case"}`;
}
