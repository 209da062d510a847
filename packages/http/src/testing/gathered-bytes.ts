import type { ByteSink } from "../http1/encoder.ts";

/** Keeps what is written to it, as a connection that never says stop would send it. */
export class GatheredBytes implements ByteSink {
  readonly #pieces: Buffer[] = [];

  write(bytes: Buffer, start: number, end: number): boolean {
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)));
    return true;
  }

  writeText(text: string): boolean {
    this.#pieces.push(Buffer.from(text, "latin1"));
    return true;
  }

  /** All of it. */
  get bytes(): Buffer {
    return Buffer.concat(this.#pieces);
  }
}
