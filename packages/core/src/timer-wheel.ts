/** What a timer wakes. An interface and not a closure, so that arming a time-out per request allocates only its handle. */
export interface TimerTarget {
  onTimer(): void;
}

/** One armed timer. Opaque: only the wheel reads or writes it. */
export interface TimerHandle {
  /** The tick at which it fires; -1 once it has fired or was cancelled. */
  expiresAtTick: number;
  target: TimerTarget | undefined;
  previous: TimerHandle;
  next: TimerHandle;
}

/** Slots of the wheel, a power of two: at a tick of 10 ms one turn is 10 s, and a timer of an hour is looked at 350 times. */
const slotCount = 1024;

/**
 * A hashed timer wheel: thousands of coarse time-outs for the price of one runtime timer, O(1) to arm and to cancel.
 *
 * It owns no timer. Its owner calls `advance` about once per tick while `size` is not 0, and once before it schedules after a
 * pause. Delays count from the last `advance`; a timer never fires before its delay has passed as seen from there, provided
 * that `advance` is called once per tick, and up to two ticks late.
 */
export class TimerWheel {
  readonly #tickMs: number;
  readonly #originMs: number;
  readonly #slots: TimerHandle[] = [];
  /** Timers that are due and not yet fired: a list of its own, so that a target may cancel its neighbours while it runs. */
  readonly #due: TimerHandle = sentinel();
  #tick = 0;
  #size = 0;

  /**
   * @param tickMs the grain, in milliseconds
   * @param nowMs the monotonic time at which the wheel starts
   */
  constructor(tickMs: number, nowMs: number) {
    if (!(tickMs > 0)) throw new RangeError("a timer wheel needs a tick longer than 0 ms");
    this.#tickMs = tickMs;
    this.#originMs = nowMs;
    for (let i = 0; i < slotCount; i += 1) this.#slots.push(sentinel());
  }

  /** Armed timers, those due but not yet fired included. */
  get size(): number {
    return this.#size;
  }

  /** Arms a timer that fires once, at least `delayMs` after the last `advance`. A delay below one tick means the next tick. */
  schedule(delayMs: number, target: TimerTarget): TimerHandle {
    // One tick more than the quotient: the last advance may lie almost a tick back.
    const ticks = delayMs > 0 ? Math.ceil(delayMs / this.#tickMs) + 1 : 1;
    const handle: TimerHandle = { expiresAtTick: this.#tick + ticks, target, previous: this.#due, next: this.#due };
    insertBefore(this.#slot(handle.expiresAtTick), handle);
    this.#size += 1;
    return handle;
  }

  /** Disarms a timer. Harmless when it has fired or was cancelled before. */
  cancel(handle: TimerHandle): void {
    if (handle.target === undefined) return;
    unlink(handle);
    release(handle);
    this.#size -= 1;
  }

  /**
   * Fires what is due, earliest first. When a target throws, the error reaches the caller and the timers behind it fire at the
   * next call. Time that goes back is ignored.
   *
   * @param nowMs the monotonic time
   */
  advance(nowMs: number): void {
    const now = Math.floor((nowMs - this.#originMs) / this.#tickMs);
    if (now > this.#tick) this.#collect(now);
    for (let handle = this.#due.next; handle !== this.#due; handle = this.#due.next) {
      const target = handle.target;
      unlink(handle);
      release(handle);
      this.#size -= 1;
      target?.onTimer();
    }
  }

  #slot(tick: number): TimerHandle {
    const slot = this.#slots[tick & (slotCount - 1)];
    if (slot === undefined) throw new RangeError("timer wheel tick out of range");
    return slot;
  }

  #collect(now: number): void {
    if (this.#size === 0) {
      this.#tick = now;
      return;
    }
    const isLongPause = now - this.#tick > slotCount;
    const lastSlot = isLongPause ? this.#tick + slotCount : now;
    const overdue: TimerHandle[] = [];
    for (let tick = this.#tick + 1; tick <= lastSlot; tick += 1) {
      const slot = this.#slot(tick);
      for (let handle = slot.next; handle !== slot; ) {
        const next = handle.next;
        if (handle.expiresAtTick <= now) {
          unlink(handle);
          if (isLongPause) overdue.push(handle);
          else insertBefore(this.#due, handle);
        }
        handle = next;
      }
    }
    // After a suspended host every slot holds timers of several turns: slot order is no longer time order.
    if (isLongPause) {
      overdue.sort((a, b) => a.expiresAtTick - b.expiresAtTick);
      for (const handle of overdue) insertBefore(this.#due, handle);
    }
    this.#tick = now;
  }
}

function sentinel(): TimerHandle {
  const handle = { expiresAtTick: -1, target: undefined } as unknown as TimerHandle;
  handle.previous = handle;
  handle.next = handle;
  return handle;
}

function insertBefore(position: TimerHandle, handle: TimerHandle): void {
  handle.previous = position.previous;
  handle.next = position;
  position.previous.next = handle;
  position.previous = handle;
}

function unlink(handle: TimerHandle): void {
  handle.previous.next = handle.next;
  handle.next.previous = handle.previous;
  handle.previous = handle;
  handle.next = handle;
}

/** Lets go of the target, so that a handle kept by its owner does not keep the owner's past alive. */
function release(handle: TimerHandle): void {
  handle.expiresAtTick = -1;
  handle.target = undefined;
}
