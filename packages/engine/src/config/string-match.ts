/**
 * `envoy.type.matcher.v3.StringMatcher`. `ignoreCase` never applies to `regex` (Envoy: "has no effect for the
 * safe_regex match"). A regex is RE2 syntax and matches the whole value.
 */
export type StringMatch =
  | { readonly kind: "exact" | "prefix" | "suffix" | "contains"; readonly value: string; readonly ignoreCase: boolean }
  | { readonly kind: "regex"; readonly regex: string };

/** `envoy.type.v3.FractionalPercent`, or the default value of a `RuntimeFractionalPercent`. */
export interface Fraction {
  readonly numerator: number;
  readonly denominator: 100 | 10_000 | 1_000_000;
}

/** What a header's value must be; `invert` and `treatMissingAsEmpty` belong to {@link HeaderMatch}. */
export type HeaderCondition =
  | { readonly kind: "present"; readonly present: boolean }
  | { readonly kind: "string"; readonly match: StringMatch }
  /** Half-open `[start, end)`; the whole value must be a base-10 integer. */
  | { readonly kind: "range"; readonly start: number; readonly end: number };

/** `envoy.config.route.v3.HeaderMatcher`. `name` is lower-case; `:method`, `:path`, `:authority` and `:scheme` are names too. */
export interface HeaderMatch {
  readonly name: string;
  readonly condition: HeaderCondition;
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

/** `envoy.type.matcher.v3.RegexMatchAndSubstitute`; `substitution` uses RE2's `\1`. */
export interface RegexRewrite {
  readonly regex: string;
  readonly substitution: string;
}
