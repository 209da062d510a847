import { getHeapStatistics } from "node:v8";
import { type OverloadAction, overloadActions } from "./config.ts";

/** Looked up for each request. */
const cellOf = Object.fromEntries(overloadActions.map((action, index) => [action, index])) as Record<
  OverloadAction,
  number
>;
const headerCells = 8;
const maxConnectionsCell = 7;
const workerCells = 4;

/**
 * What the threads of a proxy tell each other about load, in shared memory: the main thread says how active each action is, each worker
 * how many connections it holds and how full its heap is. Each cell has one writer.
 */
export class SharedLoad {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new Float64Array(buffer);
  }

  static create(workers: number): SharedLoad {
    const cells = headerCells + workers * workerCells;
    return new SharedLoad(new SharedArrayBuffer(cells * Float64Array.BYTES_PER_ELEMENT));
  }

  // The main thread's side ------------------------------------------------------------------------

  setActivity(action: OverloadAction, activity: number): void {
    this.#cells[cellOf[action]] = activity;
  }

  setMaxConnections(max: number): void {
    this.#cells[maxConnectionsCell] = max;
  }

  heaps(): { usedBytes: number; limitBytes: number }[] {
    const heaps = [];
    for (let at = headerCells; at < this.#cells.length; at += workerCells)
      heaps.push({ usedBytes: this.#cells[at + 1]!, limitBytes: this.#cells[at + 2]! });
    return heaps;
  }

  externalBytes(): number {
    let sum = 0;
    for (let at = headerCells + 3; at < this.#cells.length; at += workerCells) sum += this.#cells[at]!;
    return sum;
  }

  /** A worker is gone, and all that it held. */
  clear(worker: number): void {
    const at = headerCells + worker * workerCells;
    this.#cells.fill(0, at, at + workerCells);
  }

  // A worker's side -------------------------------------------------------------------------------

  addConnections(worker: number, count: number): void {
    this.#cells[headerCells + worker * workerCells]! += count;
  }

  /** Takes note of how full the heap of this thread is. */
  sampleHeap(worker: number): void {
    const at = headerCells + worker * workerCells;
    const { used_heap_size, heap_size_limit, external_memory, malloced_memory } = getHeapStatistics();
    this.#cells[at + 1] = used_heap_size;
    this.#cells[at + 2] = heap_size_limit;
    this.#cells[at + 3] = external_memory + malloced_memory;
  }

  // For both --------------------------------------------------------------------------------------

  activity(action: OverloadAction): number {
    return this.#cells[cellOf[action]]!;
  }

  connectionsOf(worker: number): number {
    return this.#cells[headerCells + worker * workerCells]!;
  }

  /** Connections of all workers. */
  get connections(): number {
    let sum = 0;
    for (let at = headerCells; at < this.#cells.length; at += workerCells) sum += this.#cells[at]!;
    return sum;
  }

  get maxConnections(): number {
    return this.#cells[maxConnectionsCell]!;
  }
}

/** A number that all workers have a share in, for example the connections of one listener. Each writes its own cell. */
export class SharedCount {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new Float64Array(buffer);
  }

  static create(workers: number): SharedCount {
    return new SharedCount(new SharedArrayBuffer(workers * Float64Array.BYTES_PER_ELEMENT));
  }

  add(worker: number, count: number): void {
    this.#cells[worker]! += count;
  }

  clear(worker: number): void {
    this.#cells[worker] = 0;
  }

  get total(): number {
    let sum = 0;
    for (const cell of this.#cells) sum += cell;
    return sum;
  }
}
