import { type LimitedResource, limitedResources, type SharedCounts } from "@heddle/engine";

const cellOf = Object.fromEntries(limitedResources.map((name, index) => [name, index])) as Record<
  LimitedResource,
  number
>;
const cellsOfWorker = limitedResources.length;

/** What the workers have in use of one cluster, in shared memory. Each writes cells of its own, so that what one that is lost held can be given back. */
export class SharedClusterCounts implements SharedCounts {
  readonly #cells: Int32Array;
  readonly #worker: number;

  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#cells = new Int32Array(buffer);
    this.#worker = worker;
  }

  static createBuffer(workers: number): SharedArrayBuffer {
    return new SharedArrayBuffer(workers * cellsOfWorker * Int32Array.BYTES_PER_ELEMENT);
  }

  add(resource: LimitedResource, count: number): void {
    Atomics.add(this.#cells, this.#worker * cellsOfWorker + cellOf[resource], count);
  }

  total(resource: LimitedResource): number {
    let sum = 0;
    for (let at = cellOf[resource]; at < this.#cells.length; at += cellsOfWorker) sum += Atomics.load(this.#cells, at);
    return sum;
  }

  /** The worker is gone, and all that it held. */
  clear(): void {
    for (let at = 0; at < cellsOfWorker; at += 1) Atomics.store(this.#cells, this.#worker * cellsOfWorker + at, 0);
  }
}
