import { performance } from "node:perf_hooks";
import { type TimerHandle, type TimerTarget, TimerWheel } from "@heddle/core";

const tickMs = 10;
/** While only idle connections wait, nothing needs to be on time to the hundredth of a second. */
const idleTickMs = 500;

/**
 * The worker's one timer: a wheel of 10 ms for everything that can time out. It turns slowly while no request is in
 * progress, so that an idle proxy sleeps.
 */
export class Timers {
  readonly #wheel: TimerWheel;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = 0;
  #lastAdvanceMs: number;
  #recentMs: number;
  #activeCount = 0;
  readonly #onTick = (): void => this.#tick();

  constructor() {
    this.#lastAdvanceMs = performance.now();
    this.#recentMs = this.#lastAdvanceMs;
    this.#wheel = new TimerWheel(tickMs, this.#lastAdvanceMs);
  }

  /** Monotonic milliseconds. */
  now(): number {
    return performance.now();
  }

  /** Monotonic milliseconds as of the last turn of the wheel: at most a tick old while requests are in progress, and free. */
  get recent(): number {
    return this.#recentMs;
  }

  schedule(delayMs: number, target: TimerTarget): TimerHandle {
    // The wheel counts from its last turn, which may lie half a second back.
    const handle = this.#wheel.schedule(delayMs + (performance.now() - this.#lastAdvanceMs), target);
    this.#run();
    return handle;
  }

  cancel(handle: TimerHandle): void {
    this.#wheel.cancel(handle);
  }

  /** A request begins: timers are to be on time. */
  enter(): void {
    this.#activeCount += 1;
    if (this.#activeCount !== 1) return;
    this.#recentMs = performance.now();
    if (this.#timerMs === idleTickMs) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#run();
    }
  }

  leave(): void {
    this.#activeCount -= 1;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #run(): void {
    if (this.#timer !== undefined || this.#wheel.size === 0) return;
    this.#timerMs = this.#activeCount > 0 ? tickMs : idleTickMs;
    this.#timer = setTimeout(this.#onTick, this.#timerMs);
  }

  #tick(): void {
    this.#timer = undefined;
    this.#lastAdvanceMs = performance.now();
    this.#recentMs = this.#lastAdvanceMs;
    try {
      this.#wheel.advance(this.#lastAdvanceMs);
    } finally {
      this.#run();
    }
  }
}
