/** Something long-lived: a listener, a server, a client, a pool, a child process, an open file. */
export interface Closeable {
  /**
   * Optional first phase: refuse new work, finish what is in progress. Cut short when `deadline` aborts, after which `close`
   * is called in any case.
   */
  drain?(deadline: AbortSignal): Promise<void> | void;
  /** Release everything now. Called once. */
  close(): Promise<void> | void;
}

export type LifecycleState = "running" | "draining" | "closed";

export interface LifecycleReport {
  /** Names that were still draining when the deadline came. */
  readonly late: readonly string[];
  /** What `drain` or `close` threw; the others were closed all the same. */
  readonly failures: readonly { readonly name: string; readonly error: unknown }[];
}

interface Entry {
  readonly name: string;
  readonly closeable: Closeable;
}

/**
 * Everything long-lived starts through it, so that one call stops everything: in reverse order of registration, each one
 * drained and then closed before the one it may depend on is touched. Holds no timer: the deadline is a signal of the caller's
 * (`AbortSignal.timeout(…)` in the shells).
 */
export class Lifecycle {
  #entries: Entry[] = [];
  #state: LifecycleState = "running";
  #stopping: Promise<LifecycleReport> | undefined;
  readonly #late: string[] = [];
  readonly #failures: { name: string; error: unknown }[] = [];
  #drainListeners: (() => void)[] = [];

  get state(): LifecycleState {
    return this.#state;
  }

  /** Names of what is open, oldest first. */
  get names(): string[] {
    return this.#entries.map((entry) => entry.name);
  }

  /**
   * Takes responsibility for `closeable`. While draining it is still taken, and closed in its turn, that is next; once
   * everything is closed, it is refused with an error, because nothing would ever close it.
   *
   * @returns a function that gives the responsibility back, for things that end by themselves
   */
  register(name: string, closeable: Closeable): () => void {
    if (this.#state === "closed") throw new Error(`cannot start ${name}: everything is already closed`);
    const entry = { name, closeable };
    this.#entries.push(entry);
    return () => {
      this.#entries = this.#entries.filter((other) => other !== entry);
    };
  }

  /** Calls `listener` as soon as draining starts, before anything is drained: readiness must fail first. */
  onDraining(listener: () => void): void {
    if (this.#state === "running") this.#drainListeners.push(listener);
    else listener();
  }

  /** Drains and closes everything. Later calls return the promise of the first. Never rejects. */
  drain(deadline: AbortSignal): Promise<LifecycleReport> {
    this.#stopping ??= this.#stop(deadline);
    return this.#stopping;
  }

  async #stop(deadline: AbortSignal): Promise<LifecycleReport> {
    this.#state = "draining";
    for (const listener of this.#drainListeners.splice(0)) {
      await this.#guard("onDraining", listener);
    }
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      const { name, closeable } = entry;
      if (!deadline.aborted && closeable.drain !== undefined) {
        const drained = this.#guard(name, () => closeable.drain?.(deadline));
        if ((await untilAborted(drained, deadline)) === "deadline") this.#late.push(name);
      }
      await this.#guard(name, () => closeable.close());
    }
    this.#state = "closed";
    return { late: this.#late, failures: this.#failures };
  }

  async #guard(name: string, action: () => Promise<void> | void): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#failures.push({ name, error });
    }
  }
}

async function untilAborted(work: Promise<void>, deadline: AbortSignal): Promise<"done" | "deadline"> {
  // The work may have aborted it in its first synchronous step; the event would not come again.
  if (deadline.aborted) return "deadline";
  const aborted = Promise.withResolvers<"deadline">();
  const onAbort = (): void => aborted.resolve("deadline");
  deadline.addEventListener("abort", onAbort, { once: true });
  const done = async (): Promise<"done"> => {
    await work;
    return "done";
  };
  try {
    return await Promise.race([done(), aborted.promise]);
  } finally {
    deadline.removeEventListener("abort", onAbort);
  }
}
