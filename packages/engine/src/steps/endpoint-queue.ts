import type { BoundEndpoint } from "../bind/types.ts";

interface Entry {
  readonly endpoint: BoundEndpoint;
  deadline: number;
  /** Breaks ties in the order of insertion. */
  order: number;
}

/**
 * Earliest-deadline-first scheduling, as Envoy balances endpoints whose weights differ: an entry's next deadline is one
 * over its weight later, the weight being asked for whenever it is put back.
 */
export class EndpointQueue {
  readonly #heap: Entry[];
  readonly #weightOf: (endpoint: BoundEndpoint) => number;
  #now: number;
  #order: number;

  constructor(endpoints: readonly BoundEndpoint[], weightOf: (endpoint: BoundEndpoint) => number) {
    this.#heap = [];
    this.#weightOf = weightOf;
    this.#now = 0;
    this.#order = 0;
    for (const endpoint of endpoints) {
      this.#heap.push({ endpoint, deadline: 1 / weightOf(endpoint), order: this.#order++ });
      this.#up(this.#heap.length - 1);
    }
  }

  /** The endpoint whose turn it is, put back behind its next deadline. */
  next(): BoundEndpoint | undefined {
    const top = this.#heap[0];
    if (top === undefined) return undefined;
    this.#now = top.deadline;
    top.deadline = this.#now + 1 / this.#weightOf(top.endpoint);
    top.order = this.#order++;
    this.#down();
    return top.endpoint;
  }

  #isBefore(a: Entry, b: Entry): boolean {
    return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
  }

  #up(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfBefore(at, parent)) return;
      at = parent;
    }
  }

  #down(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= this.#heap.length) return;
      const right = left + 1;
      const isRightFirst =
        right < this.#heap.length && this.#isBefore(this.#heap[right] as Entry, this.#heap[left] as Entry);
      const child = isRightFirst ? right : left;
      if (!this.#swapIfBefore(child, at)) return;
      at = child;
    }
  }

  #swapIfBefore(child: number, parent: number): boolean {
    const a = this.#heap[child] as Entry;
    const b = this.#heap[parent] as Entry;
    if (!this.#isBefore(a, b)) return false;
    this.#heap[child] = b;
    this.#heap[parent] = a;
    return true;
  }
}
