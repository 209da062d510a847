/** Requests that a tap shows: those for which all that stands here holds. Text is as it is on the wire, a code unit for each byte. */
export interface TapMatch {
  readonly method?: string;
  /** Without the query, as the client sent it. */
  readonly path?: { readonly exact: string } | { readonly prefix: string };
  /** In lower case. */
  readonly authority?: string;
  readonly scheme?: string;
  readonly headers: readonly TapHeaderMatch[];
  readonly sourceIdentity?: string;
  readonly destinationIdentity?: string;
  readonly direction?: TapDirection;
}

export interface TapHeaderMatch {
  /** In lower case. */
  readonly name: string;
  /** undefined: it is there, with any value. */
  readonly exact: string | undefined;
}

export type TapDirection = "inbound" | "outbound" | "unspecified";

/** What a tap was asked to show, and for how long. */
export interface TapConfig {
  readonly match: TapMatch;
  /** Requests that it shows in a second, of all workers together. */
  readonly maxRps: number;
  /** It ends after so many; undefined: it does not. */
  readonly maxEvents: number | undefined;
  readonly maxSeconds: number | undefined;
}

/** As Linkerd's `tap --max-rps`. */
const defaultMaxRps = 100;
const mostRps = 10_000;
const mostEvents = 1_000_000;
const mostSeconds = 86_400;
const mostHeaders = 16;

type Json = Readonly<Record<string, unknown>>;

/**
 * Reads what a tap is to show: JSON, where nothing at all stands for every request.
 *
 * @returns no configuration where there are problems, each of which names its field and says what would do
 */
export function readTapConfig(text: string): { config: TapConfig | undefined; problems: readonly string[] } {
  let value: unknown = {};
  try {
    if (text.trim() !== "") value = JSON.parse(text);
  } catch (error) {
    return { config: undefined, problems: [`the body is no JSON: ${(error as Error).message}`] };
  }
  const reader = new ConfigReader();
  const config = reader.config(value);
  return { config: reader.problems.length === 0 ? config : undefined, problems: reader.problems };
}

/** Goes on after a problem, so that all of them are told at once; what it returns then is not used. */
class ConfigReader {
  readonly problems: string[] = [];

  config(value: unknown): TapConfig {
    const body = this.#object(value, "", ["match", "maxRps", "maxEvents", "maxSeconds"]) ?? fieldsOf(value);
    return {
      match: body["match"] === undefined ? { headers: [] } : this.#match(body["match"]),
      maxRps: this.#number(body, "maxRps", mostRps) ?? defaultMaxRps,
      maxEvents: this.#number(body, "maxEvents", mostEvents),
      maxSeconds: this.#number(body, "maxSeconds", mostSeconds),
    };
  }

  #match(value: unknown): TapMatch {
    const known = ["method", "path", "authority", "scheme", "headers", "source", "destination", "direction"];
    const match = this.#object(value, "match", known) ?? fieldsOf(value);
    const given = <T>(field: string, read: (given: unknown, at: string) => T): Record<string, T> =>
      match[field] === undefined ? {} : { [field]: read(match[field], `match.${field}`) };
    const token = (text: unknown, at: string): string =>
      this.#text(text, at, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'a method like "GET"');
    const authority = (text: unknown, at: string): string =>
      this.#text(text, at, /^[^\s/]+$/, 'what the client names as host, like "reviews:9080"').toLowerCase();
    return {
      ...given("method", token),
      ...given("path", (path, at) => this.#path(path, at)),
      ...given("authority", authority),
      ...given("scheme", (scheme, at) => this.#oneOf(scheme, at, ["http", "https"] as const)),
      ...given("direction", (side, at) => this.#oneOf(side, at, ["inbound", "outbound", "unspecified"] as const)),
      ...this.#identity(match, "source"),
      ...this.#identity(match, "destination"),
      headers: match["headers"] === undefined ? [] : this.#headers(match["headers"]),
    };
  }

  #path(value: unknown, at: string): { exact: string } | { prefix: string } {
    const path = this.#object(value, at, ["exact", "prefix"]);
    if (path === undefined) return { exact: "" };
    const { exact, prefix } = path;
    if ((exact === undefined) === (prefix === undefined)) {
      this.#refuse(at, 'either {"exact": "/books"} or {"prefix": "/books/"}');
      return { exact: "" };
    }
    const wanted = 'a path that begins with "/", without "?" and what follows: the query is not compared';
    const read = (text: unknown, kind: string): string => this.#text(text, `${at}.${kind}`, /^\/[^?#]*$/, wanted);
    return exact === undefined ? { prefix: read(prefix, "prefix") } : { exact: read(exact, "exact") };
  }

  #headers(value: unknown): TapHeaderMatch[] {
    if (Array.isArray(value) && value.length <= mostHeaders)
      return value.map((header, index) => this.#header(header, `match.headers[${index}]`));
    this.#refuse("match.headers", `a list of at most ${mostHeaders} like [{"name": "x-user", "exact": "ann"}]`);
    return [];
  }

  #header(value: unknown, at: string): TapHeaderMatch {
    const header = this.#object(value, at, ["name", "exact", "present"]);
    if (header === undefined) return { name: "", exact: undefined };
    const name = this.#text(header["name"], `${at}.name`, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "the name of a header");
    if (header["present"] !== undefined && header["present"] !== true)
      this.#refuse(`${at}.present`, "true, or left out");
    if ((header["exact"] === undefined) === (header["present"] === undefined))
      this.#refuse(at, 'either "exact" with a value or "present": true');
    const exact = header["exact"];
    return {
      name: name.toLowerCase(),
      exact:
        exact === undefined ? undefined : this.#text(exact, `${at}.exact`, /^[^\0\r\n]*$/, "the value of a header"),
    };
  }

  #identity(match: Json, side: "source" | "destination"): Partial<TapMatch> {
    if (match[side] === undefined) return {};
    const peer = this.#object(match[side], `match.${side}`, ["identity"]);
    if (peer === undefined) return {};
    const wanted = 'a SPIFFE ID like "spiffe://cluster.local/ns/shop/sa/reviews"';
    const identity = this.#text(peer["identity"], `match.${side}.identity`, /^spiffe:\/\/\S+$/, wanted);
    return side === "source" ? { sourceIdentity: identity } : { destinationIdentity: identity };
  }

  /** undefined: there was a problem. */
  #object(value: unknown, at: string, known: readonly string[]): Json | undefined {
    const name = at === "" ? "the body" : at;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      this.#refuse(name, `an object with ${known.join(", ")}`);
      return undefined;
    }
    const unknown = Object.keys(value).filter((key) => !known.includes(key));
    for (const key of unknown)
      this.problems.push(`${at === "" ? "" : `${at}.`}${key} is not known: ${name} has ${known.join(", ")}`);
    return unknown.length === 0 ? (value as Json) : undefined;
  }

  #text(value: unknown, at: string, pattern: RegExp, wanted: string): string {
    if (typeof value === "string" && pattern.test(value)) return onTheWire(value);
    this.#refuse(at, wanted);
    return "";
  }

  #oneOf<T extends string>(value: unknown, at: string, values: readonly T[]): T {
    const found = values.find((one) => one === value);
    if (found === undefined) this.#refuse(at, `one of ${values.map((one) => `"${one}"`).join(", ")}`);
    return found ?? values[0]!;
  }

  #number(body: Json, field: string, most: number): number | undefined {
    const value = body[field];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return value;
    this.#refuse(field, `a whole number from 1 to ${most}`);
    return undefined;
  }

  #refuse(at: string, wanted: string): void {
    this.problems.push(`${at} has to be ${wanted}`);
  }
}

/** To go on after a problem with what can be read. */
function fieldsOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

/** Headers and paths are latin1 text, whatever their bytes mean. */
function onTheWire(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}
