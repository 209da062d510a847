/** Generous: it only bounds how long a broken test hangs. */
const capMs = 30_000;

/** Lets a test wait for a condition that is looked at again whenever something was reported. */
export class EventWaiter {
  readonly #waiters = new Set<() => void>();

  /** Something happened. */
  readonly notify = (): void => {
    for (const check of this.#waiters) check();
  };

  /** Resolves when the condition holds; `what` names it when it never does. */
  async until(what: string, condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const cap = setTimeout(() => finish(new Error(`still waiting for: ${what}`)), capMs);
      const check = (): void => {
        if (condition()) finish();
      };
      const finish = (error?: Error): void => {
        clearTimeout(cap);
        this.#waiters.delete(check);
        if (error === undefined) resolve();
        else reject(error);
      };
      this.#waiters.add(check);
    });
  }
}
