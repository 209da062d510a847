import { getHeapStatistics } from "node:v8";
import {
  type LoadShedPoint,
  loadShedPoints,
  type OverloadAction,
  overloadActions,
  type ScaledTimer,
  scaledTimers,
  type TimerMinimum,
} from "./config.ts";

/** What triggers make more or less active. */
type Triggered = OverloadAction | LoadShedPoint;

const triggered: readonly Triggered[] = [...overloadActions, ...loadShedPoints];
/** Looked up for each request. */
const cellOf = cells(triggered, 0, 1);
const maxConnectionsCell = triggered.length;
const timerCells = 3;
const minTrackedPowerCell = maxConnectionsCell + 1;
const shrinkIntervalCell = minTrackedPowerCell + 1;
/** Of each timer the least that it keeps in milliseconds, and as a share of its time; and how much it is reduced, less than 0: as the action says. */
const timerCellOf = cells(scaledTimers, shrinkIntervalCell + 1, timerCells);
const headerCells = shrinkIntervalCell + 1 + scaledTimers.length * timerCells;
const asActionSays = -1;
const workerCells = 4;

function cells<Name extends string>(names: readonly Name[], first: number, each: number): Record<Name, number> {
  return Object.fromEntries(names.map((name, index) => [name, first + index * each])) as Record<Name, number>;
}

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
    const count = headerCells + workers * workerCells;
    const load = new SharedLoad(new SharedArrayBuffer(count * Float64Array.BYTES_PER_ELEMENT));
    for (const timer of scaledTimers) {
      load.setTimerMinimum({ timer, minMs: 0, minShare: 1 });
      load.setTimerActivity(timer, asActionSays);
    }
    return load;
  }

  // The main thread's side ------------------------------------------------------------------------

  setActivity(name: Triggered, activity: number): void {
    this.#cells[cellOf[name]] = activity;
  }

  setMaxConnections(max: number): void {
    this.#cells[maxConnectionsCell] = max;
  }

  setMinTrackedPower(power: number): void {
    this.#cells[minTrackedPowerCell] = power;
  }

  setShrinkInterval(ms: number): void {
    this.#cells[shrinkIntervalCell] = ms;
  }

  /** Of a timer with triggers of its own. */
  setTimerActivity(timer: ScaledTimer, activity: number): void {
    this.#cells[timerCellOf[timer] + 2] = activity;
  }

  setTimerMinimum({ timer, minMs, minShare }: Omit<TimerMinimum, "triggers">): void {
    const at = timerCellOf[timer];
    this.#cells[at] = minMs;
    this.#cells[at + 1] = minShare;
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

  activity(name: Triggered): number {
    return this.#cells[cellOf[name]]!;
  }

  /**
   * What `reduce_timeouts` takes away now of a timer that has `fullMs`. As Envoy's ScaledRangeTimer: between the whole of it and its minimum, by how
   * active the action is, or the timer's own triggers say.
   */
  reductionMs(timer: ScaledTimer, fullMs: number): number {
    const at = timerCellOf[timer];
    const minMs = Math.min(fullMs, this.#cells[at]! + this.#cells[at + 1]! * fullMs);
    return this.#timerActivity(timer) * (fullMs - minMs);
  }

  /** Whether any timer is reduced. */
  get reducesTimeouts(): boolean {
    return scaledTimers.some((timer) => this.#timerActivity(timer) > 0);
  }

  #timerActivity(timer: ScaledTimer): number {
    const own = this.#cells[timerCellOf[timer] + 2]!;
    return own < 0 ? this.activity("envoy.overload_actions.reduce_timeouts") : own;
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

  get shrinkIntervalMs(): number {
    return this.#cells[shrinkIntervalCell]!;
  }

  get minTrackedPower(): number {
    return this.#cells[minTrackedPowerCell]!;
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
