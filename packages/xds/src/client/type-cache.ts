import { referencesOf } from "../references.ts";
import type { TypeState } from "./state.ts";
import type { ReceivedResource } from "./update.ts";

/** Of what was accepted no more than is asked for: the consumer holds the resource. */
interface AcceptedResource {
  readonly version: string;
  readonly references: ReturnType<typeof referencesOf>;
}

/** What the client wants, has and counts of one resource type. It outlives every stream. */
export class TypeCache {
  readonly type: string;
  isWildcard = false;
  /** Names that the consumer asked for. */
  chosen: ReadonlySet<string> = new Set();
  /** Names that accepted clusters and listeners refer to. */
  referenced: ReadonlySet<string> = new Set();
  readonly #accepted = new Map<string, AcceptedResource>();
  #version = "";
  #updateAttempt = 0;
  #updateSuccess = 0;
  #updateRejected = 0;
  #rejection: string | undefined;

  constructor(type: string) {
    this.type = type;
  }

  /** Names to ask for; empty under a wildcard. */
  wanted(): Set<string> {
    return this.isWildcard ? new Set() : new Set([...this.chosen, ...this.referenced]);
  }

  get isWanted(): boolean {
    return this.isWildcard || this.chosen.size > 0 || this.referenced.size > 0;
  }

  get names(): IterableIterator<string> {
    return this.#accepted.keys();
  }

  /** The control plane's version of the last response that was accepted whole; empty before it. */
  get version(): string {
    return this.#version;
  }

  /** name → version of what the client has. */
  versions(): Record<string, string> {
    return Object.fromEntries([...this.#accepted].map(([name, resource]) => [name, resource.version]));
  }

  /** Names that the accepted resources need of another type. */
  references(kind: "endpoints" | "routes" | "secrets"): string[] {
    return [...this.#accepted.values()].flatMap(({ references }) => references[kind]);
  }

  accept(added: Iterable<ReceivedResource>, removed: Iterable<string>): void {
    for (const { name, version, message } of added)
      this.#accepted.set(name, { version, references: referencesOf(message) });
    for (const name of removed) this.#accepted.delete(name);
  }

  /** Drops what nobody asks for any more: it would come again as new if it were asked for. */
  dropUnwanted(): void {
    if (this.isWildcard) return;
    for (const name of this.#accepted.keys()) {
      if (!this.chosen.has(name) && !this.referenced.has(name)) this.#accepted.delete(name);
    }
  }

  countAttempt(): void {
    this.#updateAttempt += 1;
  }

  countSuccess(version: string): void {
    this.#updateSuccess += 1;
    this.#version = version;
    this.#rejection = undefined;
  }

  countRejection(reason: string): void {
    this.#updateRejected += 1;
    this.#rejection = reason;
  }

  state(): TypeState {
    return {
      type: this.type,
      subscribed: this.isWildcard ? "*" : this.wanted().size,
      resources: this.#accepted.size,
      version: this.#version,
      updateAttempt: this.#updateAttempt,
      updateSuccess: this.#updateSuccess,
      updateRejected: this.#updateRejected,
      rejection: this.#rejection,
    };
  }
}
