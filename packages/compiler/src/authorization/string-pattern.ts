import type { MessageInitShape, StringMatcherSchema } from "@heddle/xds/api";

export type StringMatcherInit = Omit<MessageInitShape<typeof StringMatcherSchema>, "$typeName">;

/**
 * Istio's string patterns: `abc` exact, `abc*` prefix, `*abc` suffix, `*` anything but nothing; an asterisk elsewhere is a character
 * like any other (istio.md 4.1.4).
 *
 * @param lead text that every value begins with and that patterns leave out (`spiffe://`)
 */
export function compilePattern(pattern: string, lead = "", ignoreCase = false): StringMatcherInit {
  if (pattern === "*") return regexPattern(".+");
  if (pattern.startsWith("*")) {
    const suffix = pattern.slice(1);
    if (lead !== "") return regexPattern(`${quoteRegex(lead)}.*${quoteRegex(suffix)}`);
    return { ignoreCase, matchPattern: { case: "suffix", value: suffix } };
  }
  if (pattern.endsWith("*"))
    return { ignoreCase, matchPattern: { case: "prefix", value: lead + pattern.slice(0, -1) } };
  return { ignoreCase, matchPattern: { case: "exact", value: lead + pattern } };
}

/** Any asterisk stands for any text; `before` and `after` are regular expressions. */
export function compileWildcards(pattern: string, before: string, any: string, after: string): StringMatcherInit {
  return regexPattern(before + pattern.split("*").map(quoteRegex).join(any) + after);
}

export function regexPattern(regex: string): StringMatcherInit {
  return { matchPattern: { case: "safeRegex", value: { regex } } };
}

/** The RE2 expression for exactly this text. */
export function quoteRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
