import type { PathMatch } from "../config/route.ts";
import { asciiLowerCase } from "./string-matcher.ts";
import { compileFullMatch, encodeUtf8AsLatin1 } from "./regex.ts";

/** The path without query and fragment; all path matching of routes and policies is on this. */
export function withoutQuery(path: string): string {
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i);
    if (code === 63 || code === 35) return path.slice(0, i);
  }
  return path;
}

/** Tests a path that {@link withoutQuery} has made. */
export type PathTest = (path: string) => boolean;

export function bindPathMatch(match: PathMatch): PathTest {
  if (match.kind === "regex") {
    const regex = compileFullMatch(match.regex);
    return (path) => regex.test(path);
  }
  const bytes = encodeUtf8AsLatin1(match.value);
  if (match.caseSensitive) return plainPathTest(match.kind, bytes);
  const test = plainPathTest(match.kind, asciiLowerCase(bytes));
  return (path) => test(asciiLowerCase(path));
}

function plainPathTest(kind: "prefix" | "exact" | "path-separated-prefix", wanted: string): PathTest {
  switch (kind) {
    case "exact":
      return (path) => path === wanted;
    case "prefix":
      return wanted === "/" ? (path) => path.charCodeAt(0) === 47 : (path) => path.startsWith(wanted);
    case "path-separated-prefix":
      return (path) => path.startsWith(wanted) && (path.length === wanted.length || path.charCodeAt(wanted.length) === 47);
  }
}

export function describePathMatch(match: PathMatch): string {
  if (match.kind === "regex") return `path regex "${match.regex}"`;
  return `path ${match.kind} "${match.value}"${match.caseSensitive ? "" : " ignoring case"}`;
}
