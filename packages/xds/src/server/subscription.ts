import { CLUSTER_TYPE, LISTENER_TYPE } from "../api/index.ts";
import type { Nack, TypeStatus } from "./proxy-status.ts";
import type { VersionedResource } from "./snapshot.ts";

/** What a response changes for the client. */
export interface Push {
  readonly subscription: Subscription;
  readonly upserts: readonly VersionedResource[];
  /** Names that were asked for and do not exist. */
  readonly absent: readonly string[];
  /** Names that the client has and that no longer exist. */
  readonly removed: readonly string[];
}

interface Sent {
  /** ABSENT: the client was told that there is no such resource. */
  readonly version: string;
  /** Undefined when the client brought the version from an earlier stream. */
  readonly resource: VersionedResource | undefined;
}

interface Response {
  readonly nonce: string;
  readonly version: string;
  readonly atMs: number;
  /** What it held; in state of the world also what the client had before. */
  readonly resources: readonly VersionedResource[];
}

type Resources = ReadonlyMap<string, VersionedResource>;

const WILDCARD = "*";
const ABSENT = "";

/** An empty first request asks for everything of these types (xDS: the legacy wildcard), and state of the world sends them whole. */
export const wholeStateTypes: ReadonlySet<string> = new Set([LISTENER_TYPE, CLUSTER_TYPE]);

/** What one stream asked for of one type, what it was sent, and what it said about it. */
export class Subscription {
  readonly type: string;
  readonly names = new Set<string>();
  isWildcard = false;
  #hasAskedByName = false;
  #isFirstRequest = true;
  /** A new wildcard is answered even with nothing: the client waits for its first list, or to hear that it has all. */
  #mustAnswer = false;
  readonly #sent = new Map<string, Sent>();
  /** name → version that was in a refused response and has not been replaced since. */
  readonly #refused = new Map<string, string>();
  #settledWith: Resources | undefined;
  #last: Response | undefined;
  #outstanding: Response | undefined;
  #acked: { version: string; atMs: number } | undefined;
  #lastNack: Nack | undefined;

  constructor(type: string) {
    this.type = type;
  }

  /** A response waits for its ACK or NACK. */
  get isOutstanding(): boolean {
    return this.#outstanding !== undefined;
  }

  /** The client refused something that it still should have. */
  get isRefused(): boolean {
    return this.#refused.size > 0;
  }

  get isFirstRequest(): boolean {
    return this.#isFirstRequest;
  }

  /** Whether the nonce is of an earlier response than the last (xDS: such a request is ignored in state of the world). */
  isStale(nonce: string): boolean {
    return nonce !== "" && !this.#isFirstRequest && nonce !== this.#last?.nonce;
  }

  /** State of the world: the request holds all names. An empty nonce after the first request asks for everything anew. */
  setNames(names: readonly string[], nonce: string): void {
    const isAnew = this.#isFirstRequest || nonce === "";
    this.#isFirstRequest = false;
    if (!isAnew && this.#asksForSame(names)) return;
    if (isAnew) this.#forgetAll();
    const wanted = new Set(names);
    const wasWildcard = this.isWildcard;
    this.isWildcard = wanted.delete(WILDCARD) || (names.length === 0 && this.#isLegacyWildcard());
    if (names.length > 0) this.#hasAskedByName = true;
    if (this.isWildcard && (isAnew || !wasWildcard)) this.#mustAnswer = true;
    this.names.clear();
    for (const name of wanted) this.names.add(name);
    this.#forgetUnwanted();
  }

  /**
   * Delta: names come and go. A name that is asked for again is sent again (xDS: the client may have dropped it), except for
   * what it says it has.
   */
  changeNames(
    subscribe: readonly string[],
    unsubscribe: readonly string[],
    initialVersions: Readonly<Record<string, string>>,
  ): void {
    if (!this.#isFirstRequest && subscribe.length === 0 && unsubscribe.length === 0) return;
    const wasWildcard = this.isWildcard;
    if (this.#isFirstRequest) {
      this.isWildcard = subscribe.length === 0 && this.#isLegacyWildcard();
    }
    for (const name of subscribe) {
      if (name === WILDCARD) {
        this.isWildcard = true;
      } else {
        this.names.add(name);
        this.#forget(name);
      }
    }
    for (const name of unsubscribe) {
      if (name === WILDCARD) {
        this.isWildcard = false;
      } else {
        this.names.delete(name);
        // Under a wildcard the resource is sent once more, as xDS demands, so that the client knows that it still has it.
        this.#forget(name);
      }
    }
    const initial = this.#isFirstRequest ? Object.entries(initialVersions) : [];
    for (const [name, version] of initial) {
      if (this.#isWanted(name)) this.#sent.set(name, { version, resource: undefined });
    }
    if (this.isWildcard && !wasWildcard) this.#mustAnswer = true;
    if (subscribe.length > 0) this.#hasAskedByName = true;
    this.#isFirstRequest = false;
    this.#forgetUnwanted();
  }

  /** What the client lacks or has in another version, and which names it does not know to be absent. */
  additions(resources: Resources): Push | undefined {
    if (this.#settledWith === resources) return undefined;
    const upserts: VersionedResource[] = [];
    const absent: string[] = [];
    if (this.isWildcard) {
      for (const resource of resources.values()) {
        if (this.#sent.get(resource.name)?.version !== resource.version) upserts.push(resource);
      }
    }
    for (const name of this.names) {
      const resource = resources.get(name);
      if (resource === undefined) {
        if (!this.#sent.has(name)) absent.push(name);
      } else if (!this.isWildcard && this.#sent.get(name)?.version !== resource.version) {
        upserts.push(resource);
      }
    }
    const isEmpty = upserts.length === 0 && absent.length === 0;
    return isEmpty && !this.#mustAnswer ? undefined : { subscription: this, upserts, absent, removed: [] };
  }

  /** What the client has and should no longer have. */
  removals(resources: Resources): Push | undefined {
    if (this.#settledWith === resources) return undefined;
    const removed: string[] = [];
    for (const [name, sent] of this.#sent) {
      if (sent.version !== ABSENT && !resources.has(name)) removed.push(name);
    }
    return removed.length === 0 ? undefined : { subscription: this, upserts: [], absent: [], removed };
  }

  /** Neither additions nor removals are left: until resources or names change there is nothing to compare. */
  settle(resources: Resources): void {
    this.#settledWith = resources;
  }

  /** Names of `push` that the client had in another version. */
  replacedBy(push: Push): VersionedResource[] {
    return push.upserts.filter((resource) => {
      const sent = this.#sent.get(resource.name);
      return sent !== undefined && sent.version !== ABSENT && sent.version !== resource.version;
    });
  }

  /** Books what the client has once it has read `push`. */
  apply(push: Push): void {
    this.#mustAnswer = false;
    for (const resource of push.upserts) {
      this.#sent.set(resource.name, { version: resource.version, resource });
      this.#refused.delete(resource.name);
    }
    for (const name of push.absent) this.#sent.set(name, { version: ABSENT, resource: undefined });
    for (const name of push.removed) {
      this.#forget(name);
      if (this.names.has(name)) this.#sent.set(name, { version: ABSENT, resource: undefined });
    }
  }

  /** A response went out and waits for its answer. */
  awaitAnswer(nonce: string, version: string, atMs: number, resources: readonly VersionedResource[]): void {
    this.#last = { nonce, version, atMs, resources };
    this.#outstanding = this.#last;
  }

  /** Everything that the client has, for a response that holds the whole state. */
  held(): VersionedResource[] {
    const held: VersionedResource[] = [];
    for (const sent of this.#sent.values()) {
      if (sent.resource !== undefined) held.push(sent.resource);
    }
    return held;
  }

  /** Makes the next push contain these again if the client asked for them. */
  sendAgain(names: readonly string[]): void {
    for (const name of names) this.#forget(name);
  }

  /** Returns whether the nonce answered the response that was waiting. */
  acknowledge(nonce: string, atMs: number): boolean {
    const response = this.#take(nonce);
    if (response === undefined) return false;
    // An ACK is for all that the response held, also for what was refused when it came before.
    for (const { name } of response.resources) this.#refused.delete(name);
    this.#acked = { version: response.version, atMs };
    return true;
  }

  /** Returns what was refused when the nonce answered the response that was waiting. */
  refuse(nonce: string, message: string, atMs: number): Nack | undefined {
    const response = this.#take(nonce);
    if (response === undefined) return undefined;
    for (const resource of namedIn(message, response.resources)) {
      if (this.#sent.get(resource.name)?.version === resource.version)
        this.#refused.set(resource.name, resource.version);
    }
    this.#lastNack = { version: response.version, nonce, message, atMs };
    return this.#lastNack;
  }

  status(): TypeStatus {
    return {
      type: this.type,
      subscribed: this.isWildcard ? "*" : this.names.size,
      sentVersion: this.#last?.version,
      sentNonce: this.#last?.nonce,
      sentAtMs: this.#last?.atMs,
      ackedVersion: this.#acked?.version,
      ackedAtMs: this.#acked?.atMs,
      lastNack: this.#lastNack,
      state: this.#state(),
    };
  }

  #state(): TypeStatus["state"] {
    if (this.isOutstanding) return "pending";
    if (this.isRefused) return "rejected";
    if (this.#last !== undefined) return "accepted";
    return this.#settledWith === undefined ? "idle" : "unchanged";
  }

  #take(nonce: string): Response | undefined {
    if (this.#outstanding?.nonce !== nonce) return undefined;
    const response = this.#outstanding;
    this.#outstanding = undefined;
    return response;
  }

  #isLegacyWildcard(): boolean {
    return wholeStateTypes.has(this.type) && !this.#hasAskedByName;
  }

  /** An ACK in state of the world repeats all names: most requests change nothing. */
  #asksForSame(names: readonly string[]): boolean {
    const isSameWildcard = names.length === 0 && this.isWildcard && this.names.size === 0;
    return (
      isSameWildcard ||
      (!this.isWildcard && names.length === this.names.size && names.every((name) => this.names.has(name)))
    );
  }

  #isWanted(name: string): boolean {
    return this.isWildcard || this.names.has(name);
  }

  #forgetUnwanted(): void {
    this.#settledWith = undefined;
    for (const name of this.#sent.keys()) {
      if (!this.#isWanted(name)) this.#forget(name);
    }
  }

  #forgetAll(): void {
    for (const name of this.#sent.keys()) this.#forget(name);
  }

  #forget(name: string): void {
    this.#sent.delete(name);
    this.#refused.delete(name);
    this.#settledWith = undefined;
  }
}

/**
 * What a NACK refuses. It says so in words: Envoy's and our client's name the resources that are not in force, and the others of
 * the batch are. Words that name none refuse all.
 */
function namedIn(message: string, resources: readonly VersionedResource[]): readonly VersionedResource[] {
  const named = resources.filter(({ name }) =>
    new RegExp(`(?<![\\w|.-])${RegExp.escape(name)}(?![\\w|-])`).test(message),
  );
  return named.length === 0 ? resources : named;
}
