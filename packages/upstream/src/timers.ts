import type { TimerHandle, TimerTarget } from "@heddle/core";

/** Coarse timers of the thread that the transport runs in. */
export interface UpstreamTimers {
  /** Monotonic milliseconds. */
  now(): number;
  schedule(delayMs: number, target: TimerTarget): TimerHandle;
  cancel(handle: TimerHandle): void;
}
