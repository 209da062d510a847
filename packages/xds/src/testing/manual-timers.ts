import type { Timers } from "../keep-alive.ts";
import { EventWaiter } from "@heddle/testkit";

interface Entry {
  readonly callback: () => void;
  readonly delayMs: number;
}

/** Timers that go off when the test says so. */
export class ManualTimers implements Timers<number> {
  readonly #entries = new Map<number, Entry>();
  readonly #waiter = new EventWaiter();
  #lastHandle = 0;

  setTimeout(callback: () => void, delayMs: number): number {
    this.#lastHandle += 1;
    this.#entries.set(this.#lastHandle, { callback, delayMs });
    this.#waiter.notify();
    return this.#lastHandle;
  }

  clearTimeout(handle: number): void {
    this.#entries.delete(handle);
  }

  /** Delays of the timers that are set, oldest first. */
  get delays(): number[] {
    return [...this.#entries.values()].map((entry) => entry.delayMs);
  }

  /** Waits until a timer is set, then lets the oldest go off and returns its delay. */
  async fire(): Promise<number> {
    await this.#waiter.until("a timer", () => this.#entries.size > 0);
    const [first] = this.#entries;
    if (first === undefined) throw new Error("no timer is set");
    const [handle, entry] = first;
    this.#entries.delete(handle);
    entry.callback();
    return entry.delayMs;
  }
}
