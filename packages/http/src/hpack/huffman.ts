import type { ByteWriter } from "../byte-writer.ts";

/**
 * Bits per symbol (RFC 7541 Appendix B). The code is canonical: by length, then by symbol, each code is the one before it plus one; so the
 * lengths say all. Symbol 256 ends a string and is never sent.
 */
const codeLengths = Uint8Array.from([
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
]);

const codes = assignCodes();
const endOfString = 256;

function assignCodes(): Uint32Array {
  const assigned = new Uint32Array(codeLengths.length);
  let code = 0;
  for (let length = 1; length <= 30; length += 1) {
    for (let symbol = 0; symbol < codeLengths.length; symbol += 1) {
      if (codeLengths[symbol] === length) assigned[symbol] = code++;
    }
    code *= 2;
  }
  return assigned;
}

/** Bit 16 of a number in `steps`: it names a table and no symbol. */
const isTable = 0x10000;

/**
 * Tables of 256 numbers, indexed by the next eight bits. A leaf is symbol and length of the code's rest (`length << 17 | symbol`), an inner number
 * is `isTable` and the table to go on with; 0 is no code at all, or a prefix of the end symbol, which a sender must not use.
 */
const steps = buildSteps();

function buildSteps(): Int32Array {
  let tables = 1;
  let numbers = new Int32Array(256);
  for (let symbol = 0; symbol < endOfString; symbol += 1) {
    const code = codes[symbol] as number;
    let rest = codeLengths[symbol] as number;
    let table = 0;
    while (rest > 8) {
      rest -= 8;
      const at = table * 256 + ((code >>> rest) & 0xff);
      if (numbers[at] === 0) {
        const grown = new Int32Array(numbers.length + 256);
        grown.set(numbers);
        numbers = grown;
        numbers[at] = isTable | tables;
        tables += 1;
      }
      table = (numbers[at] as number) & 0xffff;
    }
    const first = table * 256 + ((code << (8 - rest)) & 0xff);
    numbers.fill((rest << 17) | symbol, first, first + (1 << (8 - rest)));
  }
  return numbers;
}

/** A code has at least five bits: so many bytes come of one at most. */
export function huffmanDecodedLimit(byteCount: number): number {
  return Math.floor((byteCount * 8) / 5);
}

/**
 * Decodes bytes [start, end) into `target`, which has room for `huffmanDecodedLimit` of them.
 *
 * @returns how many were written; -1 for the end symbol, and for padding of more than seven bits or of others than ones (RFC 7541 §5.2)
 */
export function decodeHuffman(bytes: Buffer, start: number, end: number, target: Buffer): number {
  const table = steps;
  let written = 0;
  let bits = 0;
  let bitCount = 0;
  let current = 0;
  for (let i = start; i < end; i += 1) {
    bits = ((bits << 8) | (bytes[i] as number)) & 0xffff;
    bitCount += 8;
    while (bitCount >= 8) {
      const step = table[current + ((bits >>> (bitCount - 8)) & 0xff)] as number;
      if (step === 0) return -1;
      if ((step & isTable) !== 0) {
        current = (step & 0xffff) << 8;
        bitCount -= 8;
      } else {
        target[written++] = step & 0xff;
        bitCount -= step >>> 17;
        current = 0;
      }
    }
  }
  // Fewer than eight bits are left: whole short codes, and then padding, the beginning of the end symbol.
  while (bitCount > 0) {
    const step = table[current + ((bits << (8 - bitCount)) & 0xff)] as number;
    if (step === 0 || (step & isTable) !== 0 || step >>> 17 > bitCount) break;
    target[written++] = step & 0xff;
    bitCount -= step >>> 17;
    current = 0;
  }
  const mask = (1 << bitCount) - 1;
  return current === 0 && (bits & mask) === mask ? written : -1;
}

/** Bytes that the text takes; characters are latin1. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let i = 0; i < text.length; i += 1) bits += codeLengths[text.charCodeAt(i)] as number;
  return (bits + 7) >>> 3;
}

/** Appends the text, padded with ones to the byte (RFC 7541 §5.2). The caller vouches that no character is above U+00FF. */
export function encodeHuffman(writer: ByteWriter, text: string): void {
  let bits = 0;
  let bitCount = 0;
  for (let i = 0; i < text.length; i += 1) {
    const symbol = text.charCodeAt(i);
    let length = codeLengths[symbol] as number;
    const code = codes[symbol] as number;
    // At most 7 bits wait: long codes go in two parts, so that all fits 32 bits.
    if (length > 16) {
      length -= 16;
      bits = (bits << length) | (code >>> 16);
      bitCount += length;
      while (bitCount >= 8) writer.byte((bits >>> (bitCount -= 8)) & 0xff);
      bits = (bits << 16) | (code & 0xffff);
      bitCount += 16;
    } else {
      bits = (bits << length) | code;
      bitCount += length;
    }
    while (bitCount >= 8) writer.byte((bits >>> (bitCount -= 8)) & 0xff);
  }
  if (bitCount > 0) writer.byte(((bits << (8 - bitCount)) | (0xff >>> bitCount)) & 0xff);
}
