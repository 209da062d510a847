import { RE2JS, RE2JSException } from "re2js";
import { linearNativeRegExp } from "./linear-regex.ts";

/** Result of a regex over bytes: `unreadable` when the value is not UTF-8, so that no RE2 pattern can be asked about it. */
export type RegexVerdict = "match" | "no-match" | "unreadable";

/** A compiled RE2 pattern that must match a whole value. Values are latin1 text, one code unit per byte. */
export interface FullMatch {
  readonly pattern: string;
  test(value: string): boolean;
  verdict(value: string): RegexVerdict;
}

/** Longest pattern that is accepted, in characters; RE2 itself bounds repeat counts at 1000. */
const maxPatternLength = 4096;
/** Bound on re2js' estimate of the compiled size; `(x{1000}){1000}` would otherwise fill the memory. */
const maxProgramSize = 20_000;

const outsidePlainAscii = /[^\x00-\x09\x0b-\x7f]/;
const aboveAscii = /[^\x00-\x7f]/;

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as latin1 text → text, or undefined when the bytes are not UTF-8. */
export function decodeLatin1AsUtf8(value: string): string | undefined {
  if (!aboveAscii.test(value)) return value;
  const bytes = new Uint8Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code > 0xff) return undefined;
    bytes[i] = code;
  }
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined; // TextDecoder throws on the first byte that is not UTF-8, which is the answer here.
  }
}

/** Text → its UTF-8 bytes as latin1 text, the form in which header values and paths are compared. */
export function encodeUtf8AsLatin1(text: string): string {
  if (!aboveAscii.test(text)) return text;
  let out = "";
  for (const byte of new TextEncoder().encode(text)) out += String.fromCharCode(byte);
  return out;
}

class NativeFullMatch implements FullMatch {
  readonly pattern: string;
  readonly #native: RegExp;
  #general: GeneralFullMatch | undefined;

  constructor(pattern: string, native: RegExp) {
    this.pattern = pattern;
    this.#native = native;
    this.#general = undefined;
  }

  test(value: string): boolean {
    if (!outsidePlainAscii.test(value)) return this.#native.test(value);
    return this.#slow().test(value);
  }

  verdict(value: string): RegexVerdict {
    if (!outsidePlainAscii.test(value)) return this.#native.test(value) ? "match" : "no-match";
    return this.#slow().verdict(value);
  }

  #slow(): GeneralFullMatch {
    this.#general ??= new GeneralFullMatch(this.pattern, RE2JS.compile(this.pattern));
    return this.#general;
  }
}

class GeneralFullMatch implements FullMatch {
  readonly pattern: string;
  readonly #compiled: RE2JS;

  constructor(pattern: string, compiled: RE2JS) {
    this.pattern = pattern;
    this.#compiled = compiled;
  }

  test(value: string): boolean {
    const text = decodeLatin1AsUtf8(value);
    return text !== undefined && this.#compiled.testExact(text);
  }

  verdict(value: string): RegexVerdict {
    const text = decodeLatin1AsUtf8(value);
    if (text === undefined) return "unreadable";
    return this.#compiled.testExact(text) ? "match" : "no-match";
  }
}

/** What is wrong with a pattern as RE2 syntax, or undefined when nothing is. */
export function regexProblem(pattern: string): string | undefined {
  if (pattern.length > maxPatternLength) return `the pattern is longer than ${maxPatternLength} characters`;
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() > maxProgramSize) return "the pattern is too large once compiled";
    return undefined;
  } catch (error) {
    if (error instanceof RE2JSException) return error.message;
    throw error;
  }
}

/** Compiles a pattern that {@link regexProblem} found no fault with. */
export function compileFullMatch(pattern: string): FullMatch {
  const compiled = RE2JS.compile(pattern);
  const native = linearNativeRegExp(pattern);
  return native === undefined ? new GeneralFullMatch(pattern, compiled) : new NativeFullMatch(pattern, native);
}

/** A part of a rewrite: literal text, or the number of a capture group. */
type SubstitutionPart = string | number;

/** RE2's rewrite syntax: `\0`–`\9` are groups, `\\` a backslash; anything else after a backslash is an error. */
function parseSubstitution(substitution: string): readonly SubstitutionPart[] | undefined {
  const parts: SubstitutionPart[] = [];
  let literal = "";
  for (let i = 0; i < substitution.length; i++) {
    const char = substitution.charAt(i);
    if (char !== "\\") {
      literal += char;
      continue;
    }
    const next = substitution.charAt(++i);
    if (next === "\\") {
      literal += "\\";
    } else if (next >= "0" && next <= "9") {
      if (literal !== "") parts.push(literal);
      literal = "";
      parts.push(Number(next));
    } else {
      return undefined;
    }
  }
  if (literal !== "") parts.push(literal);
  return parts;
}

/** What is wrong with a `RegexMatchAndSubstitute`, or undefined. */
export function rewriteProblem(pattern: string, substitution: string): string | undefined {
  const problem = regexProblem(pattern);
  if (problem !== undefined) return problem;
  const parts = parseSubstitution(substitution);
  if (parts === undefined)
    return "the substitution has a backslash that is followed by neither a digit nor a backslash";
  const groups = RE2JS.compile(pattern).groupCount();
  const wrong = parts.find((part) => typeof part === "number" && part > groups);
  return wrong === undefined ? undefined : `the substitution names group ${wrong}, and the pattern has ${groups}`;
}

/**
 * `RE2::GlobalReplace`, as Envoy rewrites paths: every match is replaced, and an empty match directly behind the one before
 * is skipped. A value that is not UTF-8 stays as it is.
 */
export function compileRewrite(pattern: string, substitution: string): (value: string) => string {
  const compiled = RE2JS.compile(pattern);
  const parts = parseSubstitution(encodeUtf8AsLatin1(substitution)) ?? [];
  return (value) => {
    const text = decodeLatin1AsUtf8(value);
    if (text === undefined) return value;
    const matcher = compiled.matcher(text);
    let out = "";
    let copied = 0;
    let lastEnd = -1;
    let from = 0;
    while (from <= text.length && matcher.find(from)) {
      const start = matcher.start();
      const end = matcher.end();
      from = end > start ? end : end + 1;
      if (end === start && start === lastEnd) continue;
      out += encodeUtf8AsLatin1(text.slice(copied, start));
      for (const part of parts) out += typeof part === "string" ? part : encodeUtf8AsLatin1(matcher.group(part) ?? "");
      copied = end;
      lastEnd = end;
    }
    return copied === 0 && out === "" ? value : out + encodeUtf8AsLatin1(text.slice(copied));
  };
}
