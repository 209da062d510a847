import type { MetricReader } from "./metric-reader.ts";
import { seriesKey } from "./metric-writer.ts";
import { cellsOf, type Labels, type MetricFamily } from "./series.ts";

/** The values of one series as they travel from one process to another: plain JSON. */
export interface CarriedSeries {
  /** Tells series apart; whoever passes them on needs to know nothing else of them. */
  readonly key: string;
  readonly family: MetricFamily;
  readonly labels: Labels;
  readonly dotted: string;
  readonly cells: readonly number[];
}

interface Origin {
  readonly cells: Map<string, { readonly kind: MetricFamily["kind"]; readonly values: Float64Array }>;
  isFinal: boolean;
}

/**
 * The counters of processes whose place this one takes: added to its own, so that they never go backwards. The gauges of such a
 * process count while it lives (what it still holds open is open), and not after its last word.
 */
export class CarriedMetrics {
  readonly #reader: MetricReader;
  readonly #isCarried: (family: MetricFamily) => boolean;
  readonly #origins = new Map<number, Origin>();
  #sent = new Map<string, readonly number[]>();

  /** @param isCarried which metrics go on in the next process; default: all */
  constructor(reader: MetricReader, isCarried: (family: MetricFamily) => boolean = () => true) {
    this.#reader = reader;
    this.#isCarried = isCarried;
  }

  /** Processes that have said their last word: what this one says of itself includes them. */
  get folded(): number[] {
    return [...this.#origins].filter(([, { isFinal }]) => isFinal).map(([origin]) => origin);
  }

  /** Takes what another process counted: all series that changed since it last said so. What another version counts in another form is left out. */
  take(origin: number, series: readonly CarriedSeries[], isFinal: boolean): void {
    let known = this.#origins.get(origin);
    if (known === undefined) this.#origins.set(origin, (known = { cells: new Map(), isFinal: false }));
    for (const { key, family, labels, dotted, cells } of series) {
      let entry = known.cells.get(key);
      if (entry === undefined) {
        if (cells.length !== cellsOf(family)) continue;
        entry = { kind: family.kind, values: new Float64Array(cells.length) };
        if (!this.#reader.addSource({ family, labels, dotted }, entry.values)) continue;
        known.cells.set(key, entry);
      }
      if (cells.length === entry.values.length) entry.values.set(cells);
    }
    if (!isFinal) return;
    known.isFinal = true;
    for (const { kind, values } of known.cells.values()) if (kind === "gauge") values.fill(0);
  }

  /** What this process counted, those it took over from included, unless they still speak for themselves; only what changed since the last call. */
  changed(): CarriedSeries[] {
    const speaking = new Set<Float64Array>();
    for (const { cells, isFinal } of this.#origins.values()) {
      if (!isFinal) for (const { values } of cells.values()) speaking.add(values);
    }
    const changed: CarriedSeries[] = [];
    for (const { family, labels, dotted, cells } of this.#reader.read((source) => !speaking.has(source)).flat()) {
      if (!this.#isCarried(family)) continue;
      const key = seriesKey(family.name, labels);
      const before = this.#sent.get(key);
      const isSame =
        before === undefined ? cells.every((cell) => cell === 0) : before.every((cell, i) => cell === cells[i]);
      if (isSame) continue;
      const values = [...cells];
      this.#sent.set(key, values);
      changed.push({ key, family, labels, dotted, cells: values });
    }
    return changed;
  }
}
