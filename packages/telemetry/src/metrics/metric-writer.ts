import type { BlockShape, Labels, MetricAnnouncement, MetricFamily, MetricKind } from "./series.ts";
import { cellsOf, defaultBounds } from "./series.ts";

/** Cells of one shared chunk: 64 KiB, enough for some 360 histogram series of 21 cells with room to spare. */
const chunkCells = 8192;

/** A value that only grows. One writer, so a plain Float64 addition (3 ns; `Atomics` on BigInt64 cost 23). */
export class CounterHandle {
  protected readonly cells: Float64Array;
  protected readonly index: number;
  constructor(cells: Float64Array, index: number) {
    this.cells = cells;
    this.index = index;
  }
  add(amount: number): void {
    this.cells[this.index]! += amount;
  }
  get value(): number {
    return this.cells[this.index]!;
  }
}

/** A value that goes up and down. */
export class GaugeHandle extends CounterHandle {
  set(value: number): void {
    this.cells[this.index] = value;
  }
}

/** Counts observations by bucket, and their sum. */
export class HistogramHandle {
  readonly #cells: Float64Array;
  readonly #offset: number;
  readonly #bounds: readonly number[];
  constructor(cells: Float64Array, offset: number, bounds: readonly number[]) {
    this.#cells = cells;
    this.#offset = offset;
    this.#bounds = bounds;
  }
  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    // Most observations fall into the first buckets (milliseconds of a quick answer): a scan beats a bisection.
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.#cells[this.#offset + bucket]! += 1;
    this.#cells[this.#offset + bounds.length + 1]! += value;
  }
}

type AnyHandle = CounterHandle | GaugeHandle | HistogramHandle;

/** The values of one thing's metrics, by their position in its shape. */
export class MetricBlock {
  readonly #cells: Float64Array;
  readonly #offset: number;
  constructor(cells: Float64Array, offset: number) {
    this.#cells = cells;
    this.#offset = offset;
  }
  add(position: number, amount: number): void {
    this.#cells[this.#offset + position]! += amount;
  }
  /** Of a gauge. */
  set(position: number, value: number): void {
    this.#cells[this.#offset + position] = value;
  }
}

export interface MetricWriterOptions {
  /** Called once for each new series and each new block, at the moment it is made. */
  readonly announce: (announcement: MetricAnnouncement) => void;
  /** Most series that this writer makes, those of blocks apart; past it new ones share one overflow series a metric. Default 20,000. */
  readonly maxSeries?: number;
}

/**
 * The metrics of one thread. It alone writes the shared cells, and another thread reads and sums them, so that a
 * scrape never delays a request. Asking twice for the same name and labels gives the same handle; a name
 * always has one kind, one help text and one set of bounds (the first; a different kind throws a `TypeError`, since that is
 * a mistake in the program and not in a user's input).
 *
 * At the limit of series, the labels of a new one become `overflow="true"`: the total stays right and memory bounded.
 */
export class MetricWriter {
  readonly #announce: (announcement: MetricAnnouncement) => void;
  readonly #maxSeries: number;
  readonly #families = new Map<string, MetricFamily>();
  readonly #handles = new Map<string, AnyHandle>();
  readonly #blocks = new Map<string, MetricBlock>();
  readonly #shapes = new Set<BlockShape>();
  #chunk = new Float64Array(new SharedArrayBuffer(chunkCells * 8));
  #used = 0;

  constructor(options: MetricWriterOptions) {
    this.#announce = options.announce;
    this.#maxSeries = options.maxSeries ?? 20_000;
  }

  /** Number of series made so far, those of blocks apart. */
  get size(): number {
    return this.#handles.size;
  }

  counter(name: string, help: string, labels: Labels = [], dotted = ""): CounterHandle {
    return this.#handle("counter", name, help, labels, dotted, []) as CounterHandle;
  }

  gauge(name: string, help: string, labels: Labels = [], dotted = ""): GaugeHandle {
    return this.#handle("gauge", name, help, labels, dotted, []) as GaugeHandle;
  }

  histogram(name: string, help: string, labels: Labels = [], bounds = defaultBounds, dotted = ""): HistogramHandle {
    return this.#handle("histogram", name, help, labels, dotted, bounds) as HistogramHandle;
  }

  /**
   * All metrics of one thing, for a fraction of what its series would take one by one. Blocks are for what the configuration names, of which it says how
   * many there are: they do not count towards the limit.
   */
  block(shape: BlockShape, labels: Labels, prefix: string): MetricBlock {
    if (!this.#shapes.has(shape)) {
      for (const { family } of shape) this.#family(family.kind, family.name, family.help, family.bounds);
      this.#shapes.add(shape);
    }
    const key = seriesKey(shape[0]?.family.name ?? "", labels);
    let block = this.#blocks.get(key);
    if (block === undefined) {
      const offset = this.#reserve(shape.length);
      block = new MetricBlock(this.#chunk, offset);
      this.#blocks.set(key, block);
      this.#announce({ shape, labels, prefix, buffer: this.#chunk.buffer, offset });
    }
    return block;
  }

  /** @returns the offset of so many cells in the chunk of now */
  #reserve(cells: number): number {
    if (this.#used + cells > this.#chunk.length) {
      this.#chunk = new Float64Array(new SharedArrayBuffer(Math.max(chunkCells, cells) * 8));
      this.#used = 0;
    }
    const offset = this.#used;
    this.#used += cells;
    return offset;
  }

  #family(kind: MetricKind, name: string, help: string, bounds: readonly number[]): MetricFamily {
    const known = this.#families.get(name);
    if (known === undefined) {
      const family = { kind, name, help, bounds };
      this.#families.set(name, family);
      return family;
    }
    if (known.kind !== kind) throw new TypeError(`the metric ${name} is a ${known.kind}, not a ${kind}`);
    return known;
  }

  #handle(
    kind: MetricKind,
    name: string,
    help: string,
    labels: Labels,
    dotted: string,
    bounds: readonly number[],
  ): AnyHandle {
    const family = this.#family(kind, name, help, bounds);
    const known = this.#handles.get(seriesKey(name, labels));
    if (known !== undefined) return known;
    if (this.#handles.size >= this.#maxSeries && !isOverflow(labels)) {
      return this.#handle(kind, name, help, overflowLabels, "", bounds);
    }
    const offset = this.#reserve(cellsOf(family));
    const handle = makeHandle(family, this.#chunk, offset);
    this.#handles.set(seriesKey(name, labels), handle);
    this.#announce({ family, labels, dotted, buffer: this.#chunk.buffer, offset });
    return handle;
  }
}

const overflowLabels: Labels = [["overflow", "true"]];

function isOverflow(labels: Labels): boolean {
  return labels === overflowLabels;
}

function makeHandle(family: MetricFamily, cells: Float64Array, offset: number): AnyHandle {
  switch (family.kind) {
    case "counter":
      return new CounterHandle(cells, offset);
    case "gauge":
      return new GaugeHandle(cells, offset);
    case "histogram":
      return new HistogramHandle(cells, offset, family.bounds);
  }
}

/** One string for a name with its labels: NUL cannot stand in a label that came from a header or a resource. */
export function seriesKey(name: string, labels: Labels): string {
  let key = name;
  for (const [label, value] of labels) key += `\0${label}\0${value}`;
  return key;
}
