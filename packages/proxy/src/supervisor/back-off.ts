import type { RandomSource } from "@heddle/core";

const firstDelayMs = 100;
const longestDelayMs = 10_000;
/** A generation that lived this long did not crash because of how it starts. */
const stableMs = 10_000;

/**
 * Delays between restarts of something that crashes: none after a long life, then doubling from 100 ms to 10 s, half of
 * it random so that many proxies that die of one cause do not come back in step.
 */
export class RestartBackOff {
  readonly #random: RandomSource;
  #failures = 0;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  /** @param livedMs how long the one that died had lived */
  nextDelayMs(livedMs: number): number {
    if (livedMs >= stableMs) this.#failures = 0;
    const failures = this.#failures++;
    if (failures === 0) return 0;
    const delayMs = Math.min(firstDelayMs * 2 ** (failures - 1), longestDelayMs);
    return delayMs * (0.5 + this.#random() / 2);
  }
}
