import { isDeepStrictEqual } from "node:util";
import { seriesKey } from "./metric-writer.ts";
import type { Labels, MetricFamily, SeriesAnnouncement } from "./series.ts";
import { cellsOf } from "./series.ts";

/** One series as it is now, summed over all writers. */
export interface SeriesValues {
  readonly family: MetricFamily;
  readonly labels: Labels;
  readonly dotted: string;
  /** As in `SeriesAnnouncement`: one value, or for a histogram the buckets (not cumulative) and then the sum. */
  readonly cells: Float64Array;
}

interface Source {
  readonly cells: Float64Array;
  readonly offset: number;
}

interface Series {
  readonly series: Pick<SeriesAnnouncement, "family" | "labels" | "dotted">;
  readonly sources: Source[];
}

/**
 * Reads what any number of `MetricWriter`s write, in this thread or in others. Series of the same name and labels are
 * added up; those of a worker that has ended stay, so that counters never go back while the process lives.
 */
export class MetricReader {
  readonly #families = new Map<string, Map<string, Series>>();
  readonly #views = new Map<SharedArrayBuffer, Float64Array>();

  /** Takes note of a series. The `announce` callback of a writer, or what arrived by `postMessage`. */
  add(announcement: SeriesAnnouncement): void {
    const { buffer, offset } = announcement;
    let cells = this.#views.get(buffer);
    if (cells === undefined) this.#views.set(buffer, (cells = new Float64Array(buffer)));
    // What this process counts wins over what came from one that counted in another form.
    if (!this.#attach(announcement, { cells, offset })) this.#replace(announcement, { cells, offset });
  }

  /**
   * Adds values that somebody else keeps up to date, for example those of a process that came before.
   *
   * @returns false when the metric is known here in another form, as after an update of the program; then nothing is added
   */
  addSource(series: Series["series"], cells: Float64Array): boolean {
    return this.#attach(series, { cells, offset: 0 });
  }

  /** @returns false when the series is known in another form */
  #attach(series: Series["series"], source: Source): boolean {
    const known = this.#families.get(series.family.name)?.get(seriesKey(series.family.name, series.labels));
    if (known === undefined) this.#replace(series, source);
    else if (hasSameForm(known.series.family, series.family)) known.sources.push(source);
    else return false;
    return true;
  }

  #replace(series: Series["series"], source: Source): void {
    const { name } = series.family;
    let members = this.#families.get(name);
    if (members === undefined) this.#families.set(name, (members = new Map()));
    members.set(seriesKey(name, series.labels), { series, sources: [source] });
  }

  /**
   * All series, grouped by metric, metrics by name. A snapshot: the cells are copies.
   *
   * @param isCounted which sources are added up; default: all
   */
  read(isCounted: (cells: Float64Array) => boolean = () => true): SeriesValues[][] {
    const names = [...this.#families.keys()].sort();
    return names.map((name) => [...this.#families.get(name)!.values()].map((series) => sum(series, isCounted)));
  }

  /** The sum over all series of a metric whose labels contain `wanted`; 0 when there is none. Histograms: the count. */
  total(name: string, wanted: Readonly<Record<string, string>> = {}): number {
    let total = 0;
    for (const series of this.#families.get(name)?.values() ?? []) {
      const { labels, family } = series.series;
      const own = new Map(labels);
      if (!Object.entries(wanted).every(([label, value]) => own.get(label) === value)) continue;
      const { cells } = sum(series, () => true);
      const counted = family.kind === "histogram" ? cells.subarray(0, cells.length - 1) : cells;
      for (const cell of counted) total += cell;
    }
    return total;
  }
}

function hasSameForm(one: MetricFamily, other: MetricFamily): boolean {
  return one.kind === other.kind && isDeepStrictEqual(one.bounds, other.bounds);
}

function sum(series: Series, isCounted: (cells: Float64Array) => boolean): SeriesValues {
  const { family, labels, dotted } = series.series;
  const cells = new Float64Array(cellsOf(family));
  for (const source of series.sources) {
    if (!isCounted(source.cells)) continue;
    for (let index = 0; index < cells.length; index++) cells[index]! += source.cells[source.offset + index]!;
  }
  return { family, labels, dotted, cells };
}
