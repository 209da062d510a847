/** Connections that may wait for one worker. */
const slots = 256;
const slotCells = 2;
const headerCells = 4;
const workerCells = headerCells + slots * slotCells;

// Cells of one worker's queue, before its slots.
const wakeCell = 0;
const waitingCell = 1;
const openCell = 2;
/** Milliseconds of the machine's clock, cut to 32 bits, at which the first of those that wait was put there. */
const sinceCell = 3;

const empty = 0;
const reserved = -1;

/** A queue that nobody has taken from for this long belongs to a worker that stalls. */
const stalledMs = 100;

/** One clock for all threads; `performance.now` has another zero in each. */
function nowMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n) | 0;
}

/**
 * Accepted connections on their way from one worker to another, as descriptors in shared memory: a queue for each worker. A slot goes from
 * empty to reserved to full by its one writer, and to empty by its one reader, so that a worker that dies in between
 * loses nothing: what waits is taken by the worker that replaces it.
 */
export class SharedQueues {
  readonly buffer: SharedArrayBuffer;
  readonly workers: number;
  readonly #cells: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
    this.workers = this.#cells.length / workerCells;
  }

  static create(workers: number): SharedQueues {
    return new SharedQueues(new SharedArrayBuffer(workers * workerCells * Int32Array.BYTES_PER_ELEMENT));
  }

  /** Connections that wait for a worker. */
  waiting(worker: number): number {
    return Atomics.load(this.#cells, worker * workerCells + waitingCell);
  }

  /** Whether a worker takes what is put into its queue. */
  isOpen(worker: number): boolean {
    const at = worker * workerCells;
    if (Atomics.load(this.#cells, at + openCell) === 0) return false;
    const count = Atomics.load(this.#cells, at + waitingCell);
    return count === 0 || (count < slots && nowMs() - Atomics.load(this.#cells, at + sinceCell) < stalledMs);
  }

  /**
   * Gives a connection away.
   *
   * @param listener the number of the listening socket that it came by, which means the same in every worker and is never used again
   * @returns false when the worker takes no more; the connection is still the caller's
   */
  put(worker: number, descriptor: number, listener: number): boolean {
    const cells = this.#cells;
    const at = worker * workerCells;
    for (let slot = at + headerCells; slot < at + workerCells; slot += slotCells) {
      if (Atomics.compareExchange(cells, slot, empty, reserved) !== empty) continue;
      // Looked at while the slot is reserved: who closes the queue waits for reserved slots.
      if (Atomics.load(cells, at + openCell) === 0) {
        Atomics.store(cells, slot, empty);
        return false;
      }
      if (Atomics.add(cells, at + waitingCell, 1) === 0) Atomics.store(cells, at + sinceCell, nowMs());
      Atomics.store(cells, slot + 1, listener);
      Atomics.store(cells, slot, descriptor + 1);
      Atomics.add(cells, at + wakeCell, 1);
      Atomics.notify(cells, at + wakeCell);
      return true;
    }
    return false;
  }

  open(worker: number): void {
    Atomics.store(this.#cells, worker * workerCells + openCell, 1);
  }

  /** From now on nothing is put into a queue; what is being put is there when this returns. */
  close(worker: number): void {
    const at = worker * workerCells;
    Atomics.store(this.#cells, at + openCell, 0);
    for (let slot = at + headerCells; slot < at + workerCells; slot += slotCells) {
      // Two instructions of another thread away; a thread that was ended between them leaves it so.
      for (let spins = 0; Atomics.load(this.#cells, slot) === reserved && spins < 1_000_000; spins++);
    }
  }

  /** Takes all that wait. */
  take(worker: number, onConnection: (descriptor: number, listener: number) => void): void {
    const cells = this.#cells;
    const at = worker * workerCells;
    for (let slot = at + headerCells; slot < at + workerCells; slot += slotCells) {
      if (Atomics.load(cells, slot) <= empty) continue;
      const listener = Atomics.load(cells, slot + 1);
      const descriptor = Atomics.exchange(cells, slot, empty) - 1;
      Atomics.sub(cells, at + waitingCell, 1);
      onConnection(descriptor, listener);
    }
  }

  /** Calls again and again when something has been put into a queue, and once at first. */
  watch(worker: number, onWoken: () => void): void {
    const at = worker * workerCells + wakeCell;
    const look = (): void => {
      const seen = Atomics.load(this.#cells, at);
      onWoken();
      const waiting = Atomics.waitAsync(this.#cells, at, seen);
      if (waiting.async) void waiting.value.then(look);
      else setImmediate(look);
    };
    look();
  }
}
