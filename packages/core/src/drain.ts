/**
 * Counts work in progress and tells when the last of it has ended: the core of every graceful stop.
 * Streams, requests and connections call `enter` and `leave`; whoever stops the component calls `begin` and awaits `whenIdle`.
 */
export class Drain {
  #active = 0;
  #isDraining = false;
  #waiters: (() => void)[] = [];
  #listeners: (() => void)[] = [];

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Work in progress. */
  get active(): number {
    return this.#active;
  }

  /** Work begins. It is counted while draining, too: what was accepted before must be finished. */
  enter(): void {
    this.#active += 1;
  }

  /** Work has ended. Every `enter` has exactly one `leave`. */
  leave(): void {
    if (this.#active === 0) throw new Error("Drain.leave() without enter()");
    this.#active -= 1;
    if (this.#active === 0) this.#wake();
  }

  /** Draining starts: listeners run once, in the order of their registration. Later calls do nothing. */
  begin(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const listeners = this.#listeners;
    this.#listeners = [];
    for (const listener of listeners) listener();
  }

  /** Calls `listener` when draining starts, at once when it has. Returns a function that withdraws it. */
  onBegin(listener: () => void): () => void {
    if (this.#isDraining) {
      listener();
      return () => {};
    }
    this.#listeners.push(listener);
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }

  /** Resolves when no work is in progress, or when `deadline` aborts, whichever is first. Never rejects. */
  whenIdle(deadline?: AbortSignal): Promise<"idle" | "deadline"> {
    if (this.#active === 0) return Promise.resolve("idle");
    if (deadline?.aborted === true) return Promise.resolve("deadline");
    return new Promise((resolve) => {
      const onIdle = (): void => {
        deadline?.removeEventListener("abort", onDeadline);
        resolve("idle");
      };
      const onDeadline = (): void => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== onIdle);
        resolve("deadline");
      };
      this.#waiters.push(onIdle);
      deadline?.addEventListener("abort", onDeadline, { once: true });
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
