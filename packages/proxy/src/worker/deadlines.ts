import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { Timers } from "./timers.ts";

/** Everything on one downstream connection that can run out of time. */
export const deadline = {
  /** Between requests: `idle_timeout`. */
  idle: 0,
  /** From the first byte of a head to its last: `request_headers_timeout`. */
  requestHead: 1,
  /** From the head to the last byte of the body: `request_timeout`. */
  wholeRequest: 2,
  /** Nothing moves in either direction: `stream_idle_timeout`, the route's `idle_timeout`. */
  streamIdle: 3,
  /** From the end of the request to the end of the response: the route's `timeout`. */
  response: 4,
  /** One attempt: `per_try_timeout`. */
  attempt: 5,
  /** One attempt without progress: `per_try_idle_timeout`. */
  attemptIdle: 6,
  /** An injected delay. */
  fault: 7,
  /** The pause before a retry. */
  backOff: 8,
  /** The route's `max_stream_duration`. */
  streamDuration: 9,
  /** `max_connection_duration`. */
  connectionDuration: 10,
  /** What the client still gets to read our last answer: `delayed_close_timeout`. */
  delayedClose: 11,
  /** Between the GOAWAYs of an orderly end: `drain_timeout`. */
  drain: 12,
  /** When to look for streams whose client does not take what waits for it. */
  stalled: 13,
} as const;
export type Deadline = (typeof deadline)[keyof typeof deadline];

const count = 14;
const never = Number.POSITIVE_INFINITY;

export interface DeadlineOwner {
  onDeadline(which: Deadline): void;
}

/**
 * All deadlines of a connection behind one timer. Setting a deadline that lies behind the timer, as the next request's
 * does, writes a number and nothing else: the timer fires at the old time, finds nothing due and goes on to the earliest.
 */
export class Deadlines implements TimerTarget {
  readonly #timers: Timers;
  readonly #owner: DeadlineOwner;
  readonly #at = new Float64Array(count).fill(never);
  #handle: TimerHandle | undefined;
  #firesAt = never;

  constructor(timers: Timers, owner: DeadlineOwner) {
    this.#timers = timers;
    this.#owner = owner;
  }

  /** @param delayMs 0 or less: no deadline */
  set(which: Deadline, nowMs: number, delayMs: number): void {
    if (delayMs <= 0) {
      this.#at[which] = never;
      return;
    }
    const at = nowMs + delayMs;
    this.#at[which] = at;
    if (at < this.#firesAt) this.#arm(nowMs, at);
  }

  /** Passes a deadline that lies no more than `byMs` ahead: so much has been taken away of its time. */
  shorten(which: Deadline, nowMs: number, byMs: number): void {
    if (byMs <= 0 || this.#at[which]! - byMs > nowMs) return;
    this.#at[which] = never;
    this.#owner.onDeadline(which);
  }

  clear(which: Deadline): void {
    this.#at[which] = never;
  }

  /** Ends the requests' deadlines; those of the connection stay. */
  clearRequest(): void {
    for (let which = deadline.requestHead as number; which <= deadline.streamDuration; which++) this.#at[which] = never;
  }

  isSet(which: Deadline): boolean {
    return this.#at[which] !== never;
  }

  stop(): void {
    this.#at.fill(never);
    if (this.#handle !== undefined) this.#timers.cancel(this.#handle);
    this.#handle = undefined;
    this.#firesAt = never;
  }

  onTimer(): void {
    this.#handle = undefined;
    this.#firesAt = never;
    const now = this.#timers.now();
    for (let which = 0; which < count; which++) {
      if (this.#at[which]! > now) continue;
      this.#at[which] = never;
      this.#owner.onDeadline(which as Deadline);
    }
    const earliest = this.#earliest();
    if (earliest < this.#firesAt) this.#arm(now, earliest);
  }

  #arm(nowMs: number, at: number): void {
    if (this.#handle !== undefined) this.#timers.cancel(this.#handle);
    this.#firesAt = at;
    this.#handle = this.#timers.schedule(at - nowMs, this);
  }

  #earliest(): number {
    let earliest = never;
    for (const at of this.#at) if (at < earliest) earliest = at;
    return earliest;
  }
}
