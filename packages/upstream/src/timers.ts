import type { TimerHandle, TimerTarget } from "@heddle/core";

/** Coarse timers of the thread that the transport runs in. */
export interface UpstreamTimers {
  /** Monotonic milliseconds. */
  now(): number;
  schedule(delayMs: number, target: TimerTarget): TimerHandle;
  cancel(handle: TimerHandle): void;
}

/** A peer that for so long opens no window for what waits will not: Envoy's stream flush timeout, which is the idle timeout of its streams. */
export const flushTimeoutMs = 5 * 60_000;
