import type { RandomSource } from "./clock.ts";

const firstDelayMs = 100;
const longestDelayMs = 10_000;
/** What lived this long did not end because of how it starts. */
const stableMs = 10_000;

/**
 * Delays between restarts of a process or thread that crashes: none after a long life, then doubling from 100 ms to 10 s,
 * half of it random so that many that die of one cause do not come back in step. One for each that is kept alive.
 */
export class RestartBackOff {
  readonly #random: RandomSource;
  #failures = 0;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** @param livedMs how long the one that died had lived, by the monotonic clock; @returns whole milliseconds */
  nextDelayMs(livedMs: number): number {
    if (livedMs >= stableMs) this.#failures = 0;
    const failures = this.#failures++;
    if (failures === 0) return 0;
    const delayMs = Math.min(firstDelayMs * 2 ** (failures - 1), longestDelayMs);
    return Math.round(delayMs * (0.5 + this.#random() / 2));
  }
}
