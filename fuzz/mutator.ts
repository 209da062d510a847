import type { Random } from "./random.ts";

/** Octets at which parsers change their minds. */
const interesting = [0, 1, 9, 10, 13, 32, 47, 58, 63, 64, 127, 128, 191, 192, 254, 255];
const maxInputBytes = 4096;

/** Makes new inputs of old ones: one to eight small changes, of the kinds that AFL and libFuzzer make. */
export class Mutator {
  readonly #random: Random;
  readonly #dictionary: readonly Buffer[];

  constructor(random: Random, dictionary: readonly Buffer[]) {
    this.#random = random;
    this.#dictionary = dictionary;
  }

  mutate(corpus: readonly Buffer[]): Buffer {
    const random = this.#random;
    // Every other time of the latest, which reached deepest.
    let bytes: Buffer = Buffer.from(random.pick(random.below(2) === 0 ? corpus : corpus.slice(-4)));
    for (let changes = 1 + random.below(8); changes > 0; changes -= 1) bytes = this.#change(bytes, corpus);
    return bytes.subarray(0, maxInputBytes);
  }

  #change(bytes: Buffer, corpus: readonly Buffer[]): Buffer {
    const random = this.#random;
    const at = random.below(bytes.length + 1);
    const length = 1 + random.below(Math.min(32, bytes.length));
    switch (random.below(10)) {
      case 0:
        return set(bytes, at, (octet) => octet ^ (1 << random.below(8)));
      case 1:
        return set(bytes, at, () => random.pick(interesting));
      case 2:
        return set(bytes, at, () => random.below(256));
      case 3:
        return set(bytes, at, (octet) => octet + random.below(9) - 4);
      case 4:
        return spliced(bytes, at, length, Buffer.alloc(0));
      case 5:
        // A piece once more, here or elsewhere.
        return spliced(bytes, at, 0, bytes.subarray(random.below(bytes.length), random.below(bytes.length) + length));
      case 6:
        return spliced(bytes, at, 0, Buffer.alloc(length, random.below(256)));
      case 7: {
        const other = random.pick(corpus);
        return spliced(bytes, at, bytes.length, other.subarray(random.below(other.length)));
      }
      default: {
        const word = this.#dictionary.length === 0 ? Buffer.alloc(1) : random.pick(this.#dictionary);
        return spliced(bytes, at, random.below(2) === 0 ? 0 : word.length, word);
      }
    }
  }
}

function set(bytes: Buffer, at: number, change: (octet: number) => number): Buffer {
  if (at < bytes.length) bytes[at] = change(bytes[at] as number) & 0xff;
  return bytes;
}

function spliced(bytes: Buffer, at: number, removed: number, inserted: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
}
