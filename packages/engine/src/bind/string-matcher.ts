import type { StringMatch } from "../config/string-match.ts";
import { compileFullMatch, encodeUtf8AsLatin1 } from "./regex.ts";
import { NO, UNREADABLE, type Verdict, verdictOf, YES } from "./verdict.ts";

/** Values are latin1 text (one code unit per byte), as they came off the wire. */
export type StringTest = (value: string) => Verdict;

const aboveAscii = /[^\x00-\x7f]/;

/** Lower-cases A–Z only, as Envoy's `absl::EqualsIgnoreCase` does; bytes of UTF-8 must not change. */
export function asciiLowerCase(value: string): string {
  if (!aboveAscii.test(value)) return value.toLowerCase();
  return value.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Binds Envoy's StringMatcher. Only a regex can be UNREADABLE. */
export function bindStringMatch(match: StringMatch): StringTest {
  if (match.kind === "regex") {
    const regex = compileFullMatch(match.regex);
    return (value) => {
      const verdict = regex.verdict(value);
      return verdict === "match" ? YES : verdict === "no-match" ? NO : UNREADABLE;
    };
  }
  const bytes = encodeUtf8AsLatin1(match.value);
  const wanted = match.ignoreCase ? asciiLowerCase(bytes) : bytes;
  const test = plainTest(match.kind, wanted);
  if (!match.ignoreCase) return (value) => verdictOf(test(value));
  return (value) => verdictOf(test(asciiLowerCase(value)));
}

function plainTest(kind: "exact" | "prefix" | "suffix" | "contains", wanted: string): (value: string) => boolean {
  switch (kind) {
    case "exact":
      return (value) => value === wanted;
    case "prefix":
      return (value) => value.startsWith(wanted);
    case "suffix":
      return (value) => value.endsWith(wanted);
    case "contains":
      return (value) => value.includes(wanted);
  }
}

/** The same for who only needs to know whether it matches; what a regex cannot read does not. */
export function matchesString(match: StringMatch): (value: string) => boolean {
  const test = bindStringMatch(match);
  return (value) => test(value) === YES;
}

/** For a person: `prefix "/api"`. */
export function describeStringMatch(match: StringMatch): string {
  if (match.kind === "regex") return `regex "${match.regex}"`;
  return `${match.kind} "${match.value}"${match.ignoreCase ? " ignoring case" : ""}`;
}
