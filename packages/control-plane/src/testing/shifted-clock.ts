import type { Clock } from "@heddle/core";

/** The host's clock, until the test puts the wall clock forward. */
export class ShiftedClock implements Clock {
  shiftMs = 0;

  wallMs(): number {
    return Date.now() + this.shiftMs;
  }

  monotonicMs(): number {
    return performance.now();
  }
}
