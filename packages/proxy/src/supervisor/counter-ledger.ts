import type { CarriedSeries } from "@heddle/telemetry";
import type { CountersMessage, SupervisorMessage } from "./messages.ts";

type Carried = Extract<SupervisorMessage, { type: "carried" }>;

/**
 * What retired generations have counted, for the one that serves now and those after it. It only stores: a generation that has
 * taken over the last word of another says so, and that one is forgotten here, so that the ledger holds what drains and one more.
 */
export class CounterLedger {
  readonly #entries = new Map<number, { readonly series: Map<string, CarriedSeries>; isFinal: boolean }>();

  /** @returns what the generation that serves now has to be told */
  take(generation: number, { series, isFinal, folded }: Omit<CountersMessage, "type">): Carried {
    for (const other of folded) this.#entries.delete(other);
    let entry = this.#entries.get(generation);
    if (entry === undefined) this.#entries.set(generation, (entry = { series: new Map(), isFinal: false }));
    for (const one of series) entry.series.set(one.key, one);
    entry.isFinal ||= isFinal;
    return { type: "carried", generation, series, isFinal };
  }

  /** A generation is gone: what it said last is its last word. */
  end(generation: number): Carried | undefined {
    const entry = this.#entries.get(generation);
    if (entry === undefined || entry.isFinal) return undefined;
    entry.isFinal = true;
    return { type: "carried", generation, series: [], isFinal: true };
  }

  /** For a generation that begins to serve. */
  everything(): Carried[] {
    return [...this.#entries].map(([generation, { series, isFinal }]) => ({
      type: "carried",
      generation,
      series: [...series.values()],
      isFinal,
    }));
  }

  /** After a crash all begin at zero again, as after any restart of a process. */
  clear(): void {
    this.#entries.clear();
  }
}
