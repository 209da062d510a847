import type { RandomSource } from "@heddle/core";

/** Character codes of the hexadecimal digits. */
const digits = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const hyphen = 0x2d;

function word(random: RandomSource): number {
  return Math.floor(random() * 0x1_0000_0000);
}

function digit(value: number, shift: number): number {
  return digits[(value >>> shift) & 15] as number;
}

/**
 * A random UUID (RFC 9562 version 4), as Envoy's default request id. The ids name requests in logs; they are no secret,
 * so the injected random source is enough.
 *
 * Made of its characters in one call: put together of pieces it would be a tree of strings, which costs three times as much (Node 26,
 * 156 ns against 484).
 */
export function newRequestId(random: RandomSource): string {
  const a = word(random);
  const b = (word(random) & 0xffff0fff) | 0x00004000;
  const c = (word(random) & 0x3fffffff) | 0x80000000;
  const d = word(random);
  // biome-ignore format: a line for each group
  return String.fromCharCode(
    digit(a, 28), digit(a, 24), digit(a, 20), digit(a, 16), digit(a, 12), digit(a, 8), digit(a, 4), digit(a, 0), hyphen,
    digit(b, 28), digit(b, 24), digit(b, 20), digit(b, 16), hyphen,
    digit(b, 12), digit(b, 8), digit(b, 4), digit(b, 0), hyphen,
    digit(c, 28), digit(c, 24), digit(c, 20), digit(c, 16), hyphen,
    digit(c, 12), digit(c, 8), digit(c, 4), digit(c, 0),
    digit(d, 28), digit(d, 24), digit(d, 20), digit(d, 16), digit(d, 12), digit(d, 8), digit(d, 4), digit(d, 0),
  );
}
