/** Looks for byte sequences one after another in what comes in pieces; bytes between them do not matter (Envoy's PayloadMatcher). */
export class PayloadMatcher {
  readonly #blocks: readonly Buffer[];
  #next = 0;
  #held: Buffer = Buffer.alloc(0);

  constructor(blocks: readonly Uint8Array[]) {
    this.#blocks = blocks.map((block) => Buffer.from(block));
  }

  get isComplete(): boolean {
    return this.#next >= this.#blocks.length;
  }

  /** @returns whether everything has been found */
  push(bytes: Buffer, start: number, end: number): boolean {
    if (this.isComplete) return true;
    this.#held = Buffer.concat([this.#held, bytes.subarray(start, end)]);
    for (let block = this.#blocks[this.#next]; block !== undefined; block = this.#blocks[this.#next]) {
      const at = this.#held.indexOf(block);
      if (at < 0) {
        // What is longer than the sequence cannot be its beginning: nothing without end is kept.
        this.#held = this.#held.subarray(Math.max(0, this.#held.length - block.length + 1));
        return false;
      }
      this.#held = this.#held.subarray(at + block.length);
      this.#next += 1;
    }
    // Nothing more is looked for, and what comes is not kept.
    this.#held = Buffer.alloc(0);
    return true;
  }
}
