import type { RandomSource } from "@heddle/core";
import type { RouteMatchConfig } from "../config/route.ts";
import type { Fraction } from "../config/string-match.ts";
import { allHeadersMatch, BoundHeaderMatch, type RequestView } from "./header-matcher.ts";
import { bindPathMatch, describePathMatch, type PathTest } from "./path-match.ts";
import { BoundQueryParameterMatch } from "./query-parameter-match.ts";
import { YES } from "./verdict.ts";

/** A share between 0 and 1, to be compared with a random number in [0, 1). */
export function shareOf(fraction: Fraction): number {
  return Math.min(1, fraction.numerator / fraction.denominator);
}

/** The conditions of one route, all of which must hold. */
export class RouteMatcher {
  readonly config: RouteMatchConfig;
  readonly #path: PathTest;
  readonly #headers: readonly BoundHeaderMatch[];
  readonly #parameters: readonly BoundQueryParameterMatch[];
  readonly #share: number;

  constructor(config: RouteMatchConfig) {
    this.config = config;
    this.#path = bindPathMatch(config.path);
    this.#headers = config.headers.map((match) => new BoundHeaderMatch(match));
    this.#parameters = config.queryParameters.map((match) => new BoundQueryParameterMatch(match));
    this.#share = config.runtimeFraction === undefined ? 1 : shareOf(config.runtimeFraction);
  }

  /** `path` is the request's without query. A random number is drawn only for routes with a fraction that match otherwise. */
  matches(request: RequestView, path: string, random: RandomSource): boolean {
    if (!this.#path(path)) return false;
    if (this.#headers.length > 0 && !allHeadersMatch(this.#headers, request)) return false;
    for (let i = 0; i < this.#parameters.length; i++) {
      if (!(this.#parameters[i] as BoundQueryParameterMatch).matches(request.path)) return false;
    }
    return this.#share >= 1 || random() < this.#share;
  }

  /** The first condition that fails, for a person; undefined when all but the fraction hold. */
  explainMismatch(request: RequestView, path: string): string | undefined {
    if (!this.#path(path)) return `${path} is not ${describePathMatch(this.config.path)}`;
    const header = this.#headers.find((match) => match.verdict(request) !== YES);
    if (header !== undefined) return `not: ${header.describe()}`;
    const parameter = this.#parameters.find((match) => !match.matches(request.path));
    return parameter === undefined ? undefined : `not: ${parameter.describe()}`;
  }

  describe(): string {
    return [
      describePathMatch(this.config.path),
      ...this.#headers.map((match) => match.describe()),
      ...this.#parameters.map((match) => match.describe()),
    ].join(", ");
  }
}
