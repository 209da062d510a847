/** Characters of events that may be on their way from the workers to the reader of one tap. */
export const maxWaitingCharacters = 1_048_576;

const secondCell = 0;
const waitingCell = 1;
const omittedEventsCell = 2;
const omittedRequestsCell = 3;
const cellCount = 4;

/** Of the cell of the current second: its low bits count, its high ones say which second. */
const countBits = 14;
const countMask = (1 << countBits) - 1;

/** What the workers and the main thread say to each other of one tap, beside its events. */
export class SharedTap {
  readonly buffer: SharedArrayBuffer;
  readonly #cells: Uint32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new Uint32Array(buffer);
  }

  static create(): SharedTap {
    return new SharedTap(new SharedArrayBuffer(cellCount * Uint32Array.BYTES_PER_ELEMENT));
  }

  /** Takes one of the requests that may be shown in this second; false: there were enough, and it is counted as omitted. */
  takeRequest(maxRps: number, wallMs: number): boolean {
    const second = (Math.floor(wallMs / 1000) << countBits) >>> 0;
    for (;;) {
      const cell = Atomics.load(this.#cells, secondCell);
      const count = cell - (cell & countMask) === second ? cell & countMask : 0;
      if (count >= maxRps) {
        Atomics.add(this.#cells, omittedRequestsCell, 1);
        return false;
      }
      if (Atomics.compareExchange(this.#cells, secondCell, cell, second + count + 1) === cell) return true;
    }
  }

  /** Room for an event on its way; false: there is none, and it is counted as omitted. */
  reserve(characters: number): boolean {
    const before = Atomics.add(this.#cells, waitingCell, characters);
    if (before + characters <= maxWaitingCharacters) return true;
    Atomics.sub(this.#cells, waitingCell, characters);
    Atomics.add(this.#cells, omittedEventsCell, 1);
    return false;
  }

  /** What was reserved has reached its reader. */
  release(characters: number): void {
    Atomics.sub(this.#cells, waitingCell, characters);
  }

  get omittedEvents(): number {
    return Atomics.load(this.#cells, omittedEventsCell);
  }

  get omittedRequests(): number {
    return Atomics.load(this.#cells, omittedRequestsCell);
  }
}
