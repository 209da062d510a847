/** Cuts a byte stream into DNS messages, each behind its length (RFC 1035 §4.2.2). Holds at most one message and what came with it. */
export class MessageStream {
  readonly #maxBytes: number;
  #held = Buffer.alloc(0);

  /** @param maxBytes longest message that is waited for */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#held, bytes]);
  }

  /** The next message, once it is whole. */
  next(): Buffer | undefined {
    if (this.#held.length < 2) return undefined;
    const end = 2 + this.#held.readUInt16BE(0);
    if (this.#held.length < end) return undefined;
    const message = this.#held.subarray(2, end);
    this.#held = this.#held.subarray(end);
    return message;
  }

  /** The peer announces a message that is longer than any that is waited for. */
  get isTooLong(): boolean {
    return this.#held.length >= 2 && this.#held.readUInt16BE(0) > this.#maxBytes;
  }
}
