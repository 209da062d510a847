/** A form that a text must have. */
export interface TextFormat {
  /** For the reference page and the JSON schema: `duration`, `host name`. */
  readonly name: string;
  /** Completes "… is not <what>", and is the hint's "Write <what>". */
  readonly what: string;
  readonly hint: string;
  /** Says what is wrong, as the end of a sentence ("has no unit"); "" when there is no more to say than that it is wrong; undefined when it is right. */
  readonly problem: (value: string) => string | undefined;
  /** Tells a text that is right in itself, but that Heddle does not carry out yet: says what to do instead ("" when there is nothing to say). */
  readonly notYet?: (value: string) => string | undefined;
  /** For the JSON schema: accepts at least everything that `problem` accepts. */
  readonly pattern?: string;
  /** HDL0018 for regular expressions, else HDL0017. */
  readonly code?: "HDL0018";
}

/** A format that one regular expression decides. */
export function patternFormat(name: string, what: string, pattern: RegExp, hint: string): TextFormat {
  return { name, what, hint, pattern: pattern.source, problem: (value) => (pattern.test(value) ? undefined : "") };
}

/** A format with one more rule on top of another's. */
export function refinedFormat(
  base: TextFormat,
  parts: Pick<TextFormat, "name" | "what" | "hint" | "problem" | "notYet">,
): TextFormat {
  return { ...base, ...parts, problem: (value) => base.problem(value) ?? parts.problem(value) };
}

/** Accepts every text; for keys of maps that carry names of any kind. */
export const anyText: TextFormat = {
  name: "text",
  what: "a text",
  hint: "",
  problem: (value) => (value === "" ? "is empty" : undefined),
};
