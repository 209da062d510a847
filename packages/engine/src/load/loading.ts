import { type Any, durationMs, type Duration, type Message, unpackAny } from "@heddle/xds/api";
import { cidrProblem } from "../bind/ip-address.ts";
import type { CidrRange } from "../config/address.ts";
import type { SecretConfig } from "../config/secret.ts";
import type { RequiredCluster } from "./required-clusters.ts";

/** Why a message is refused. */
export interface LoadProblem {
  /** Field names of the .proto files: `filter_chains[0].filters[0].typed_config.foo`. */
  readonly path: string;
  readonly message: string;
  readonly hint: string;
}

/**
 * A configuration, or every problem that was found. Inline certificates come out as secrets of their own; clusters that must
 * exist are for the caller to look up, who alone knows which there are.
 */
export type Loaded<T> =
  | {
      readonly config: T;
      readonly secrets: readonly SecretConfig[];
      readonly requiredClusters: readonly RequiredCluster[];
      readonly problems: readonly [];
    }
  | { readonly config: undefined; readonly secrets: readonly []; readonly problems: readonly LoadProblem[] };

export interface LoadOptions {
  /** Put before every path, e.g. `static_resources.listeners[0]`. */
  readonly path?: string;
  /** Reads what `DataSource.filename` names; undefined: there is no such file. Without it files are refused. */
  readonly readFile?: (path: string) => Uint8Array | undefined;
  /** Like `readFile`, for what a TLS context names: certificates, keys, anchors and revocation lists. Absent: `readFile` does it. */
  readonly readTlsFile?: (path: string) => Uint8Array | undefined;
  /** For `DataSource.environment_variable`; without it they are refused. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** A place inside a message; made into text only when there is something to say about it. */
export class Path {
  readonly #parent: Path | undefined;
  readonly #segment: string;

  constructor(segment: string, parent?: Path) {
    this.#segment = segment;
    this.#parent = parent;
  }

  field(name: string): Path {
    return new Path(name, this);
  }

  index(index: number): Path {
    return new Path(`[${index}]`, this);
  }

  key(key: string): Path {
    return new Path(`["${key}"]`, this);
  }

  toString(): string {
    const before = this.#parent?.toString() ?? "";
    if (before === "" || this.#segment.startsWith("[")) return before + this.#segment;
    return `${before}.${this.#segment}`;
  }
}

/** What one load has found so far, with the conversions that every loader needs. */
export class Loading {
  readonly problems: LoadProblem[];
  readonly secrets: SecretConfig[];
  readonly requiredClusters: RequiredCluster[];
  readonly options: LoadOptions;

  constructor(options: LoadOptions) {
    this.problems = [];
    this.secrets = [];
    this.requiredClusters = [];
    this.options = options;
  }

  problem(at: Path, message: string, hint: string): void {
    this.problems.push({ path: at.toString(), message, hint });
  }

  /** The walker and the loaders may see the same fault; it is said once. */
  finish<T>(config: T): Loaded<T> {
    const { secrets, requiredClusters } = this;
    if (this.problems.length === 0) return { config, secrets, requiredClusters, problems: [] };
    const unique = new Map<string, LoadProblem>();
    for (const problem of this.problems) {
      const key = `${problem.path}\n${problem.message}`;
      // The walker comes first, and its hint is the one that names what is supported.
      if (!unique.has(key)) unique.set(key, problem);
    }
    return { config: undefined, secrets: [], problems: [...unique.values()] };
  }

  /** The message in an Any; undefined after a problem. */
  unpack(any: Any | undefined, at: Path): Message | undefined {
    if (any === undefined) {
      this.problem(at, "typed_config is missing", "give the extension's configuration with its @type");
      return undefined;
    }
    try {
      const message = unpackAny(any);
      if (message === undefined) {
        const type = any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
        this.problem(
          at,
          `the type "${type}" is not supported`,
          "remove the extension; nothing is ever ignored in silence",
        );
      }
      return message;
    } catch {
      this.problem(at, `the bytes are not a message of type "${any.typeUrl}"`, "encode the message again");
      return undefined;
    }
  }

  /** Says that a message of a known type stands where it means nothing. */
  misplaced(message: Message, at: Path, expected: string): void {
    this.problem(at, `"${message.$typeName}" is not supported here`, `expected ${expected}`);
  }

  /** Milliseconds, `fallback` when unset; negative durations are a problem. */
  duration(value: Duration | undefined, at: Path, fallback: number): number {
    if (value === undefined) return fallback;
    const ms = durationMs(value);
    if (ms < 0) this.problem(at, "the duration is negative", "give a duration of zero or more");
    return ms;
  }

  required(text: string, at: Path): string {
    if (text === "") this.problem(at, "the field is empty", "a value is required");
    return text;
  }

  range(value: number, at: Path, min: number, max: number): number {
    if (!(value >= min && value <= max)) {
      this.problem(at, `${value} is not between ${min} and ${max}`, "correct the number");
    }
    return value;
  }

  cidr(range: { addressPrefix: string; prefixLen?: number | undefined }, at: Path): CidrRange {
    const config = { address: range.addressPrefix, prefixLength: range.prefixLen ?? 0 };
    const problem = cidrProblem(config);
    if (problem !== undefined) {
      this.problem(at, problem, "give an IP address and a prefix length");
      return { address: "0.0.0.0", prefixLength: 0 };
    }
    return config;
  }

  /** A regex or format checked by one of the `…Problem` functions of `bind/`. */
  checked(problem: string | undefined, at: Path, hint: string): void {
    if (problem !== undefined) this.problem(at, problem, hint);
  }
}
