/** The first octets of a fuzzed input say where the rest is cut into pieces. @returns the rest, and the places */
export function withCuts(input: Buffer): { readonly bytes: Buffer; readonly cuts: readonly number[] } {
  const count = input.length === 0 ? 0 : (input[0] as number) % 8;
  const bytes = input.subarray(1 + count);
  const cuts = Array.from(input.subarray(1, 1 + count), (octet, at) => octet * (at + 1));
  return { bytes, cuts };
}

/** A seed whose pieces are cut at the given places. */
export function cutAt(cuts: readonly number[], text: string | Buffer): Buffer {
  const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  return Buffer.concat([Buffer.from([cuts.length, ...cuts]), bytes]);
}
