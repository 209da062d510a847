import { quoteRegex, regexPattern, compilePattern, type StringMatcherInit } from "./string-pattern.ts";

/** What one segment of a path may consist of under Envoy's URI templates, which Istio compiles `{*}` to. */
const segmentCharacters = "a-zA-Z0-9\\-._~%!$&'()+,;:@=";

/**
 * A path pattern. Templates (istio.md 4.1.5) become regular expressions, which mean the same to Envoy and need no extension: `{*}` is
 * one segment that is not empty, `{**}`, which ends its template, is the rest.
 */
export function compilePath(pattern: string): StringMatcherInit {
  if (!pattern.includes("{*}") && !pattern.includes("{**}")) return compilePattern(pattern);
  const regex = pattern
    .split(/(\{\*\*?\})/)
    .map((part) => {
      if (part === "{*}") return `[${segmentCharacters}]+`;
      if (part === "{**}") return `[${segmentCharacters}/]*`;
      return quoteRegex(part);
    })
    .join("");
  return regexPattern(regex);
}
