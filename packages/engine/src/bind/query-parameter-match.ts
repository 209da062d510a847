import type { QueryParameterMatch } from "../config/route.ts";
import { bindStringMatch, describeStringMatch, type StringTest } from "./string-matcher.ts";
import { YES } from "./verdict.ts";
import { encodeUtf8AsLatin1 } from "./regex.ts";

/** The first value of a parameter as written (no percent-decoding, as in Envoy's route matching), or undefined. */
export function queryParameter(path: string, name: string): string | undefined {
  const question = path.indexOf("?");
  if (question === -1) return undefined;
  const hash = path.indexOf("#", question);
  const end = hash === -1 ? path.length : hash;
  let start = question + 1;
  while (start <= end) {
    let stop = path.indexOf("&", start);
    if (stop === -1 || stop > end) stop = end;
    let equals = path.indexOf("=", start);
    if (equals === -1 || equals > stop) equals = stop;
    if (equals - start === name.length && path.startsWith(name, start)) {
      return path.slice(Math.min(equals + 1, stop), stop);
    }
    start = stop + 1;
  }
  return undefined;
}

export class BoundQueryParameterMatch {
  readonly config: QueryParameterMatch;
  readonly #name: string;
  readonly #test: StringTest | undefined;

  constructor(config: QueryParameterMatch) {
    this.config = config;
    this.#name = encodeUtf8AsLatin1(config.name);
    this.#test = config.match === undefined ? undefined : bindStringMatch(config.match);
  }

  matches(path: string): boolean {
    const value = queryParameter(path, this.#name);
    if (this.#test === undefined) return (value !== undefined) === this.config.present;
    return value !== undefined && this.#test(value) === YES;
  }

  describe(): string {
    const { name, match, present } = this.config;
    return `query parameter ${name} ${match === undefined ? (present ? "present" : "absent") : describeStringMatch(match)}`;
  }
}
