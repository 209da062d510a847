/** Addresses remembered by one context; the one that was used least recently goes first. */
const maxAddresses = 1024;

/** A session, and whose it is: OpenSSL's form of a client's session does not say it so that the runtime could tell. */
export interface ResumableSession {
  readonly ticket: Buffer;
  /** What the server sent in the handshake from which the session comes, leaf first; judged again at each resumption. */
  readonly chainDer: readonly Buffer[];
}

/**
 * Sessions that a client may resume, by the server's address. A cache belongs to one context and so to one epoch: what was made under
 * other anchors, lists or certificates is never offered again.
 */
export class SessionCache {
  readonly #perAddress: number;
  readonly #sessions = new Map<string, ResumableSession[]>();

  /** @param perAddress `max_session_keys`; 0: nothing is resumed */
  constructor(perAddress: number) {
    this.#perAddress = perAddress;
  }

  /** An empty one that keeps as many: for a server that must be offered none of these. */
  another(): SessionCache {
    return new SessionCache(this.#perAddress);
  }

  /** The session is no longer kept: who resumed it gives it back. */
  take(address: string): ResumableSession | undefined {
    const kept = this.#sessions.get(address);
    const session = kept?.pop();
    if (kept?.length === 0) this.#sessions.delete(address);
    return session;
  }

  put(address: string, session: ResumableSession): void {
    if (this.#perAddress === 0) return;
    const kept = this.#sessions.get(address) ?? [];
    // The newest is offered first, and lives longest.
    if (kept.length >= this.#perAddress) kept.shift();
    kept.push(session);
    this.#sessions.delete(address);
    this.#sessions.set(address, kept);
    if (this.#sessions.size <= maxAddresses) return;
    const [oldest] = this.#sessions.keys();
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }
}
