import type { RandomSource } from "@heddle/core";

const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function word(random: RandomSource): number {
  return Math.floor(random() * 0x1_0000_0000);
}

function byte(value: number, shift: number): string {
  return hex[(value >>> shift) & 255] as string;
}

/**
 * A random UUID (RFC 9562 version 4), as Envoy's default request id. The ids name requests in logs; they are no secret,
 * so the injected random source is enough.
 */
export function newRequestId(random: RandomSource): string {
  const a = word(random);
  const b = (word(random) & 0xffff0fff) | 0x00004000;
  const c = (word(random) & 0x3fffffff) | 0x80000000;
  const d = word(random);
  return (
    `${byte(a, 24)}${byte(a, 16)}${byte(a, 8)}${byte(a, 0)}-${byte(b, 24)}${byte(b, 16)}-${byte(b, 8)}${byte(b, 0)}-` +
    `${byte(c, 24)}${byte(c, 16)}-${byte(c, 8)}${byte(c, 0)}${byte(d, 24)}${byte(d, 16)}${byte(d, 8)}${byte(d, 0)}`
  );
}
