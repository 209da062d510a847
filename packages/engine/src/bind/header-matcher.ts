import type { HeaderCondition, HeaderMatch } from "../config/string-match.ts";
import type { MutableHeaders } from "./headers.ts";
import { bindStringMatch, describeStringMatch } from "./string-matcher.ts";
import { NO, not, type Verdict, verdictOf, YES } from "./verdict.ts";

/** A request as header matchers see it. */
export interface RequestView {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly scheme: string;
  readonly headers: MutableHeaders;
}

export type HeaderReader = (request: RequestView) => string | undefined;

/** How to read a header of a request; pseudo-headers are its parts, and `host` is `:authority` as in Envoy. */
export function headerReader(name: string): HeaderReader {
  switch (name) {
    case ":method":
      return (request) => request.method;
    case ":path":
      // CONNECT has none.
      return (request) => (request.path === "" ? undefined : request.path);
    case ":authority":
    case "host":
      return (request) => request.authority;
    case ":scheme":
      return (request) => request.scheme;
    default:
      return (request) => request.headers.get(name);
  }
}

/** Several values of one header are judged joined with commas (Envoy's `getAllOfHeaderAsString`). */
export class BoundHeaderMatch {
  readonly name: string;
  readonly config: HeaderMatch;
  readonly #read: HeaderReader;
  readonly #test: (value: string) => Verdict;

  constructor(config: HeaderMatch) {
    this.name = config.name;
    this.config = config;
    this.#read = headerReader(config.name);
    this.#test = bindCondition(config.condition);
  }

  verdict(request: RequestView): Verdict {
    return this.verdictOf(this.#read(request));
  }

  /**
   * Presence is inverted as it stands. Any other condition on a missing header is NO even when inverted, unless the
   * header is to be treated as empty (Envoy's `HeaderMatcher.treat_missing_header_as_empty`).
   */
  verdictOf(value: string | undefined): Verdict {
    const { condition, invert, treatMissingAsEmpty } = this.config;
    if (condition.kind === "present") {
      const isPresent = value !== undefined || treatMissingAsEmpty;
      return verdictOf((isPresent === condition.present) !== invert);
    }
    if (value === undefined && !treatMissingAsEmpty) return NO;
    const verdict = this.#test(value ?? "");
    return invert ? not(verdict) : verdict;
  }

  describe(): string {
    const { name, condition, invert } = this.config;
    const wanted =
      condition.kind === "present"
        ? condition.present
          ? "present"
          : "absent"
        : condition.kind === "range"
          ? `in [${condition.start}, ${condition.end})`
          : describeStringMatch(condition.match);
    return `header ${name} ${invert ? "not " : ""}${wanted}`;
  }
}

function bindCondition(condition: HeaderCondition): (value: string) => Verdict {
  switch (condition.kind) {
    case "present":
      return () => YES;
    case "string":
      return bindStringMatch(condition.match);
    case "range":
      return (value) => {
        const number = parseInteger(value);
        return verdictOf(number !== undefined && number >= condition.start && number < condition.end);
      };
  }
}

/** `absl::SimpleAtoi`: optional sign, decimal digits, surrounding blanks allowed, 64 bits. */
export function parseInteger(value: string): number | undefined {
  const text = value.trim();
  if (!/^[+-]?[0-9]+$/.test(text)) return undefined;
  const number = Number(text);
  return Math.abs(number) <= 2 ** 63 ? number : undefined;
}

/** YES when every matcher says so. */
export function allHeadersMatch(matches: readonly BoundHeaderMatch[], request: RequestView): boolean {
  for (let i = 0; i < matches.length; i++) {
    if ((matches[i] as BoundHeaderMatch).verdict(request) !== YES) return false;
  }
  return true;
}
