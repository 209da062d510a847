import type { ConfigDelta } from "@heddle/engine";
import { defaultMaxListenerConnections } from "../overload/config.ts";
import { SharedCount } from "../overload/shared-load.ts";
import type { CountedLimit } from "../worker/messages.ts";
import { chainLimitKey, listenerLimitKey } from "../worker/worker-load.ts";

/** The limits of listeners and filter chains, each with the memory in which the workers count together. */
export class ConnectionLimits {
  readonly #workers: number;
  /** By listener, then by key. */
  readonly #counts = new Map<string, Map<string, SharedCount>>();
  #listenerLimits: ReadonlyMap<string, number> = new Map();

  constructor(workers: number) {
    this.#workers = workers;
  }

  limitListeners(limits: ReadonlyMap<string, number>): void {
    this.#listenerLimits = limits;
  }

  /** What workers have to know of the listeners that change. */
  of(change: ConfigDelta["listeners"]): CountedLimit[] {
    // What is still open of a removed listener is counted there; one of the same name begins anew.
    for (const name of change?.remove ?? []) this.#counts.delete(name);
    return (change?.set ?? []).flatMap(({ name, filterChains, defaultFilterChain }) => {
      const limit = (key: string, max: number): CountedLimit => ({ key, max, buffer: this.#count(name, key).buffer });
      const chains = defaultFilterChain === undefined ? filterChains : [...filterChains, defaultFilterChain];
      return [
        limit(listenerLimitKey(name), this.#listenerLimits.get(name) ?? defaultMaxListenerConnections),
        ...chains.flatMap((chain) =>
          chain.connectionLimit === undefined
            ? []
            : [limit(chainLimitKey(name, chain.name), chain.connectionLimit.maxConnections)],
        ),
      ];
    });
  }

  /** A worker is gone, and all that it held. */
  clear(worker: number): void {
    for (const counts of this.#counts.values()) for (const count of counts.values()) count.clear(worker);
  }

  #count(listener: string, key: string): SharedCount {
    let counts = this.#counts.get(listener);
    if (counts === undefined) this.#counts.set(listener, (counts = new Map()));
    let count = counts.get(key);
    if (count === undefined) counts.set(key, (count = SharedCount.create(this.#workers)));
    return count;
  }
}
