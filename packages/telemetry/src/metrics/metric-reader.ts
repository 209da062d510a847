import { isDeepStrictEqual } from "node:util";
import { seriesKey } from "./metric-writer.ts";
import type {
  BlockAnnouncement,
  BlockShape,
  Labels,
  MetricAnnouncement,
  MetricFamily,
  SeriesAnnouncement,
} from "./series.ts";
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

/** The metrics of one thing. */
interface Block {
  readonly labels: Labels;
  readonly prefix: string;
  readonly sources: Source[];
  /** Of single metrics, by their position: what another process counted. */
  readonly single: Map<number, Source[]>;
}

/** All blocks of one shape, by their labels. */
interface Blocks {
  readonly shape: BlockShape;
  readonly byLabels: Map<string, Block>;
}

/**
 * Reads what any number of `MetricWriter`s write, in this thread or in others. Series of the same name and labels are
 * added up; those of a worker that has ended stay, so that counters never go back while the process lives.
 */
export class MetricReader {
  readonly #families = new Map<string, Map<string, Series>>();
  readonly #views = new Map<SharedArrayBuffer, Float64Array>();
  /** By the name of each of their metrics. */
  readonly #blocks = new Map<string, { readonly blocks: Blocks; readonly position: number }>();

  /** Takes note of series. The `announce` callback of a writer, or what arrived by `postMessage`. */
  add(announcement: MetricAnnouncement): void {
    const { buffer, offset } = announcement;
    let cells = this.#views.get(buffer);
    if (cells === undefined) this.#views.set(buffer, (cells = new Float64Array(buffer)));
    if ("shape" in announcement) this.#addBlock(announcement, { cells, offset });
    // What this process counts wins over what came from one that counted in another form.
    else if (!this.#attach(announcement, { cells, offset })) this.#replace(announcement, { cells, offset });
  }

  #addBlock({ shape, labels, prefix }: BlockAnnouncement, source: Source): void {
    const { byLabels } = this.#blocksOf(shape);
    const key = seriesKey("", labels);
    const known = byLabels.get(key);
    if (known === undefined)
      byLabels.set(key, { labels, prefix, sources: [source], single: this.#takeOver(shape, labels) });
    else known.sources.push(source);
  }

  #blocksOf(shape: BlockShape): Blocks {
    const known = this.#blocks.get(shape[0]?.family.name ?? "");
    if (known !== undefined) return known.blocks;
    const blocks = { shape, byLabels: new Map<string, Block>() };
    for (const [position, { family }] of shape.entries()) this.#blocks.set(family.name, { blocks, position });
    return blocks;
  }

  /** What was added of a block's metrics before the block. */
  #takeOver(shape: BlockShape, labels: Labels): Map<number, Source[]> {
    const taken = new Map<number, Source[]>();
    for (const [position, { family }] of shape.entries()) {
      const members = this.#families.get(family.name);
      if (members === undefined) continue;
      const key = seriesKey(family.name, labels);
      const known = members.get(key);
      if (known === undefined) continue;
      members.delete(key);
      if (members.size === 0) this.#families.delete(family.name);
      if (hasSameForm(known.series.family, family)) taken.set(position, known.sources);
    }
    return taken;
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
    const { blocks, position } = this.#blocks.get(series.family.name) ?? {};
    const block = blocks?.byLabels.get(seriesKey("", series.labels));
    if (blocks !== undefined && position !== undefined && block !== undefined) {
      if (!hasSameForm(blocks.shape[position]!.family, series.family)) return false;
      block.single.set(position, [...(block.single.get(position) ?? []), source]);
      return true;
    }
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
    const names = [...new Set([...this.#families.keys(), ...this.#blocks.keys()])].sort();
    return names.map((name) => this.#valuesOf(name, isCounted));
  }

  #valuesOf(name: string, isCounted: (cells: Float64Array) => boolean): SeriesValues[] {
    const values = [...(this.#families.get(name)?.values() ?? [])].map((series) => sum(series, isCounted));
    const { blocks, position } = this.#blocks.get(name) ?? {};
    if (blocks === undefined || position === undefined) return values;
    const { family, stat } = blocks.shape[position]!;
    for (const { labels, prefix, sources, single } of blocks.byLabels.values()) {
      const cells = new Float64Array(1);
      addTo(cells, sources, position, isCounted);
      addTo(cells, single.get(position) ?? [], 0, isCounted);
      values.push({ family, labels, dotted: `${prefix}.${stat}`, cells });
    }
    return values;
  }

  /** The sum over all series of a metric whose labels contain `wanted`; 0 when there is none. Histograms: the count. */
  total(name: string, wanted: Readonly<Record<string, string>> = {}): number {
    let total = 0;
    for (const { family, labels, cells } of this.#valuesOf(name, () => true)) {
      const own = new Map(labels);
      if (!Object.entries(wanted).every(([label, value]) => own.get(label) === value)) continue;
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
  addTo(cells, series.sources, 0, isCounted);
  return { family, labels, dotted, cells };
}

/** Adds to each cell the one at its place behind `skip` in each source. */
function addTo(
  cells: Float64Array,
  sources: readonly Source[],
  skip: number,
  isCounted: (cells: Float64Array) => boolean,
): void {
  for (const source of sources) {
    if (!isCounted(source.cells)) continue;
    for (let index = 0; index < cells.length; index++) cells[index]! += source.cells[source.offset + skip + index]!;
  }
}
