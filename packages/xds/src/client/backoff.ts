import type { RandomSource } from "@heddle/core";

export interface BackoffOptions {
  /** Upper bound of the first delay. */
  readonly baseMs: number;
  /** Upper bound of every delay. */
  readonly maxMs: number;
}

/** Envoy's defaults for a control plane (`retry_initial_delay`, `retry_max_delay`). */
export const defaultBackoff: BackoffOptions = { baseMs: 500, maxMs: 30_000 };

/**
 * Exponential back-off with full jitter: each delay lies between nothing and a bound that doubles, so that the proxies of a
 * control plane that comes back do not all arrive at once.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: RandomSource;
  #attempt = 0;

  constructor(options: BackoffOptions, random: RandomSource) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const { baseMs, maxMs } = this.#options;
    const bound = Math.min(maxMs, baseMs * 2 ** this.#attempt);
    if (bound < maxMs) this.#attempt += 1;
    return this.#random() * bound;
  }

  reset(): void {
    this.#attempt = 0;
  }
}
