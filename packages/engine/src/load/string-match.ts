import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RegexMatchAndSubstitute,
  RegexMatcher,
  StringMatcher,
} from "@heddle/xds/api";
import { regexProblem, rewriteProblem } from "../bind/regex.ts";
import type { QueryParameterMatch } from "../config/route.ts";
import type { HeaderCondition, HeaderMatch, RegexRewrite, StringMatch } from "../config/string-match.ts";
import type { Loading, Path } from "./loading.ts";

const regexHint = "write the pattern in RE2 syntax (no lookaround, no backreferences)";

/** A header's value or name: no control characters, which would end the field on the wire. */
const headerName = /^:?[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const forbiddenInValue = /[\x00-\x08\x0a-\x1f\x7f]/;

export function loadHeaderName(name: string, at: Path, loading: Loading): string {
  if (!headerName.test(name)) loading.problem(at, `"${name}" is not a header name`, "use a token (RFC 9110 §5.1)");
  return name.toLowerCase();
}

export function loadHeaderValue(value: string, at: Path, loading: Loading): string {
  if (forbiddenInValue.test(value))
    loading.problem(at, "the value holds control characters", "remove line breaks and NUL");
  return value;
}

export function loadRegex(matcher: RegexMatcher | undefined, at: Path, loading: Loading): string {
  const regex = matcher?.regex ?? "";
  if (regex === "") loading.problem(at.field("regex"), "the field is empty", "a value is required");
  loading.checked(regexProblem(regex), at.field("regex"), regexHint);
  return regex;
}

export function loadRegexRewrite(rewrite: RegexMatchAndSubstitute, at: Path, loading: Loading): RegexRewrite {
  const regex = rewrite.pattern?.regex ?? "";
  if (regex === "") loading.problem(at.field("pattern").field("regex"), "the field is empty", "a value is required");
  loading.checked(rewriteProblem(regex, rewrite.substitution), at, `${regexHint}; groups are \\1 to \\9`);
  return { regex, substitution: loadHeaderValue(rewrite.substitution, at.field("substitution"), loading) };
}

export function loadStringMatch(matcher: StringMatcher | undefined, at: Path, loading: Loading): StringMatch {
  const pattern = matcher?.matchPattern;
  const ignoreCase = matcher?.ignoreCase ?? false;
  switch (pattern?.case) {
    case "exact":
      return { kind: "exact", value: pattern.value, ignoreCase };
    case "prefix":
    case "suffix":
    case "contains":
      return { kind: pattern.case, value: loading.required(pattern.value, at.field(pattern.case)), ignoreCase };
    case "safeRegex":
      if (ignoreCase)
        loading.problem(at.field("ignore_case"), "ignore_case has no effect on a regex", "write (?i) into the pattern");
      return { kind: "regex", regex: loadRegex(pattern.value, at.field("safe_regex"), loading) };
    default:
      loading.problem(at, "there is no pattern", "give exact, prefix, suffix, contains or safe_regex");
      return { kind: "exact", value: "", ignoreCase: false };
  }
}

export function loadHeaderMatch(matcher: HeaderMatcher, at: Path, loading: Loading): HeaderMatch {
  return {
    name: loadHeaderName(matcher.name, at.field("name"), loading),
    condition: loadHeaderCondition(matcher, at, loading),
    invert: matcher.invertMatch,
    treatMissingAsEmpty: matcher.treatMissingHeaderAsEmpty,
  };
}

function loadHeaderCondition(matcher: HeaderMatcher, at: Path, loading: Loading): HeaderCondition {
  const specifier = matcher.headerMatchSpecifier;
  const plain = (kind: "exact" | "prefix" | "suffix" | "contains", value: string, field: string): HeaderCondition => {
    if (kind !== "exact") loading.required(value, at.field(field));
    return { kind: "string", match: { kind, value, ignoreCase: false } };
  };
  switch (specifier.case) {
    case "exactMatch":
      return plain("exact", specifier.value, "exact_match");
    case "prefixMatch":
      return plain("prefix", specifier.value, "prefix_match");
    case "suffixMatch":
      return plain("suffix", specifier.value, "suffix_match");
    case "containsMatch":
      return plain("contains", specifier.value, "contains_match");
    case "safeRegexMatch":
      return {
        kind: "string",
        match: { kind: "regex", regex: loadRegex(specifier.value, at.field("safe_regex_match"), loading) },
      };
    case "stringMatch":
      return { kind: "string", match: loadStringMatch(specifier.value, at.field("string_match"), loading) };
    case "rangeMatch":
      return { kind: "range", start: Number(specifier.value.start), end: Number(specifier.value.end) };
    case "presentMatch":
      return { kind: "present", present: specifier.value };
    case undefined:
      return { kind: "present", present: true };
  }
}

export function loadQueryParameterMatch(
  matcher: QueryParameterMatcher,
  at: Path,
  loading: Loading,
): QueryParameterMatch {
  const specifier = matcher.queryParameterMatchSpecifier;
  return {
    name: loading.required(matcher.name, at.field("name")),
    match:
      specifier.case === "stringMatch"
        ? loadStringMatch(specifier.value, at.field("string_match"), loading)
        : undefined,
    present: specifier.case === "presentMatch" ? specifier.value : true,
  };
}
