import type { Clock } from "@heddle/core";

export interface DebouncedTaskOptions {
  /** Quiet time after the last `touch` before the task runs, in milliseconds. */
  readonly quietMs: number;
  /** However restless it is, the task runs this long after the first `touch`, in milliseconds. */
  readonly longestWaitMs: number;
  readonly clock: Clock;
  readonly run: () => Promise<void>;
  /** What `run` threw after a `touch`. The task stays usable. */
  readonly onError: (error: unknown) => void;
}

/**
 * Runs a task once for a burst of changes, as istiod does (PILOT_DEBOUNCE_AFTER, PILOT_DEBOUNCE_MAX). Runs follow each other:
 * one never overtakes another, and a `touch` during a run leads to one more.
 */
export class DebouncedTask {
  readonly #options: DebouncedTaskOptions;
  #timer: NodeJS.Timeout | undefined;
  #firstTouchMs: number | undefined;
  #tail: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: DebouncedTaskOptions) {
    this.#options = options;
  }

  /** Something was touched that no run has seen yet. */
  get isPending(): boolean {
    return this.#timer !== undefined;
  }

  touch(): void {
    if (this.#isClosed) return;
    const { quietMs, longestWaitMs, clock } = this.#options;
    const now = clock.monotonicMs();
    this.#firstTouchMs ??= now;
    clearTimeout(this.#timer);
    const delayMs = Math.max(0, Math.min(quietMs, this.#firstTouchMs + longestWaitMs - now));
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#firstTouchMs = undefined;
      void this.runNow().catch(this.#options.onError);
    }, delayMs);
  }

  /** Runs without waiting for quiet, after the run that is under way. Rejects with what the task throws. */
  runNow(): Promise<void> {
    const result = this.#tail.then(() => (this.#isClosed ? undefined : this.#options.run()));
    // The failure of one run is its caller's; the next runs all the same.
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** No run begins any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
