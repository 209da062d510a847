import { parentPort, workerData } from "node:worker_threads";
import type { FuzzTarget } from "@heddle/testkit";
import { Coverage } from "./coverage.ts";
import type { FuzzOrder, FuzzReport } from "./messages.ts";
import { Mutator } from "./mutator.ts";
import { Random } from "./random.ts";
import { loadTarget } from "./targets.ts";

/** Inputs between two looks at the coverage. */
const batchInputs = 50;

/** The loop: mutate, run, and keep what ran a block that nothing ran before. */
class Fuzzer {
  readonly #target: FuzzTarget;
  readonly #order: FuzzOrder;
  readonly #mutator: Mutator;
  readonly #coverage = new Coverage();
  readonly #corpus: Buffer[];
  readonly #head: Int32Array;
  readonly #current: Buffer;
  #inputs = 0;
  #hasCrashed = false;

  constructor(target: FuzzTarget, order: FuzzOrder) {
    this.#target = target;
    this.#order = order;
    this.#head = new Int32Array(order.current, 0, 2);
    this.#current = Buffer.from(order.current, 8);
    const random = new Random(order.seed);
    this.#mutator = new Mutator(random, target.dictionary.map(bytesOf));
    this.#corpus = [...target.seeds.map(bytesOf), ...order.corpus.map((bytes) => Buffer.from(bytes))];
    if (this.#corpus.length === 0) this.#corpus.push(Buffer.alloc(0));
  }

  /** Until time is up, inputs are used up, or one crashes. */
  run(): void {
    for (const input of this.#corpus) if (!this.#try(input)) return;
    this.#coverage.hasNew();
    let toldAtMs = Date.now();
    while (Date.now() < this.#order.endsAtMs && this.#inputs < this.#order.maxInputs) {
      const batch = Array.from({ length: batchInputs }, () => this.#mutator.mutate(this.#corpus));
      for (const input of batch) if (!this.#try(input)) return;
      if (this.#coverage.hasNew(true)) this.#keepNew(batch);
      if (this.#hasCrashed) return;
      if (Date.now() - toldAtMs < 1000) continue;
      toldAtMs = Date.now();
      this.#report({ type: "progress", ...this.#state() });
    }
    this.#report({ type: "done", ...this.#state() });
    this.#coverage.stop();
  }

  /** Finds what was new by halves. Counts of a few inputs differ from those of all: what only all together reached is not worth keeping. */
  #keepNew(inputs: readonly Buffer[]): void {
    for (const half of [inputs.slice(0, inputs.length >> 1), inputs.slice(inputs.length >> 1)]) {
      for (const input of half) if (!this.#try(input)) return;
      if (half.length > 1) {
        if (this.#coverage.hasNew(true)) this.#keepNew(half);
        if (this.#hasCrashed) return;
      } else if (half[0] !== undefined && this.#coverage.hasNew()) {
        this.#corpus.push(half[0]);
        this.#report({ type: "found", input: half[0] });
      }
    }
  }

  /** @returns false when it crashed, after which nothing more is tried */
  #try(input: Buffer): boolean {
    this.#inputs += 1;
    const kept = input.subarray(0, this.#current.length);
    this.#current.set(kept);
    Atomics.store(this.#head, 0, kept.length);
    Atomics.store(this.#head, 1, this.#inputs);
    try {
      // A copy: whoever keeps or changes it harms no corpus.
      this.#target.run(Buffer.from(input));
      return true;
    } catch (error) {
      this.#report({
        type: "crash",
        input,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      this.#coverage.stop();
      this.#hasCrashed = true;
      return false;
    }
  }

  #state(): { inputs: number; blocks: number; corpus: number } {
    return { inputs: this.#inputs, blocks: this.#coverage.size, corpus: this.#corpus.length };
  }

  #report(report: FuzzReport): void {
    parentPort?.postMessage(report);
  }
}

function bytesOf(text: Buffer | string): Buffer {
  return typeof text === "string" ? Buffer.from(text, "latin1") : text;
}

const order = workerData as FuzzOrder;
new Fuzzer(await loadTarget(order.file), order).run();
