import { type Profiler, Session } from "node:inspector";

/**
 * Which blocks of our own sources ran, by V8's precise coverage. Asking costs a millisecond, whatever ran: ask after many inputs, and again after each of
 * them when there was something new.
 */
export class Coverage {
  readonly #session = new Session();
  readonly #seen = new Set<string>();
  readonly #blocks = new Map<string, Map<string, Block>>();

  constructor() {
    this.#session.connect();
    this.#post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  /** Blocks seen so far. */
  get size(): number {
    return this.#seen.size;
  }

  /** Counts begin anew. @returns whether a block ran that never ran before; it is seen from now on unless `isPeek` */
  hasNew(isPeek = false): boolean {
    let hasNew = false;
    this.#session.post("Profiler.takePreciseCoverage", (error, answer) => {
      if (error !== null) throw new Error("V8 gives no coverage", { cause: error });
      for (const script of answer.result) if (isOwn(script.url)) hasNew = this.#note(script, isPeek) || hasNew;
    });
    return hasNew;
  }

  stop(): void {
    this.#session.disconnect();
  }

  #note({ url, functions }: Profiler.ScriptCoverage, isPeek: boolean): boolean {
    let hasNew = false;
    for (const { ranges } of functions) {
      const [whole] = ranges;
      if (whole === undefined || whole.count === 0) continue;
      const name = `${url}:${whole.startOffset}:${whole.endOffset}`;
      const blocks = this.#blocksOf(name, ranges);
      for (const [block, start, end] of blocks.values()) {
        const count = countOf(ranges, start, end);
        if (count === 0) continue;
        // How often, in powers of four: once round a loop is not what a thousand times are.
        const key = `${name}:${block}:${Math.floor(Math.log2(count) / 2)}`;
        if (this.#seen.has(key)) continue;
        hasNew = true;
        if (!isPeek) this.#seen.add(key);
      }
    }
    return hasNew;
  }

  /** V8 names a block only when it ran more or less often than what is around it, so blocks are remembered once they have been named. */
  #blocksOf(name: string, ranges: readonly Profiler.CoverageRange[]): Map<string, Block> {
    let blocks = this.#blocks.get(name);
    if (blocks === undefined) this.#blocks.set(name, (blocks = new Map()));
    for (const { startOffset, endOffset } of ranges) {
      const block = `${startOffset}:${endOffset}`;
      if (!blocks.has(block)) blocks.set(block, [block, startOffset, endOffset]);
    }
    return blocks;
  }

  #post(method: "Profiler.enable"): void {
    this.#session.post(method);
  }
}

type Block = readonly [name: string, start: number, end: number];

/** Of the innermost range around a block; ranges come from outside to inside. */
function countOf(ranges: readonly Profiler.CoverageRange[], start: number, end: number): number {
  let found = 0;
  for (const { startOffset, endOffset, count } of ranges) if (startOffset <= start && endOffset >= end) found = count;
  return found;
}

/** What is under test, and not what tests it. */
function isOwn(url: string): boolean {
  return url.startsWith("file:") && !url.includes("/node_modules/") && !/\/testing\/|\/fuzz\/|\/testkit\//.test(url);
}
