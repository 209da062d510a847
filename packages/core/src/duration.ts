/** Nanoseconds per unit, as Go's time.ParseDuration knows them ("µ" in both of its code points). */
const unitNanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  "\u00b5s": 1e3,
  "\u03bcs": 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

const part = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)/y;

/** No duration in any supported API is longer; protobuf's Duration ends at about 10,000 years (google.protobuf.Duration). */
const longestMs = 315_576_000_000_000;

/**
 * Reads a duration as Istio ("1h2m", Go's time.ParseDuration), protobuf JSON ("1.5s") or Gateway API (GEP-2257, "10ms")
 * write it. Units are mandatory except for "0". Nanoseconds are the finest grain, as in all three.
 *
 * @returns milliseconds, fractional; undefined when the text is no duration, is negative, or is longer than protobuf allows
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length === 0 || text.length > 64) return undefined;
  let nanoseconds = 0;
  part.lastIndex = text.charCodeAt(0) === 0x2b ? 1 : 0;
  while (part.lastIndex < text.length) {
    const match = part.exec(text);
    if (match === null) return undefined;
    nanoseconds += Number(match[1]) * (unitNanoseconds[match[2] ?? ""] ?? Number.NaN);
  }
  const ms = Math.round(nanoseconds) / 1e6;
  // A lone sign has length 1 and no part: nothing was read.
  if (text === "+" || !(ms <= longestMs)) return undefined;
  return ms;
}

/**
 * Writes a duration so that Go, protobuf-free readers and `parseDuration` take it back: "1h2m3.5s", "250ms", "0s".
 *
 * @param ms milliseconds, not negative; rounded to nanoseconds
 */
export function formatDuration(ms: number): string {
  if (ms <= 0) return "0s";
  const nanoseconds = Math.round(ms * 1e6);
  if (nanoseconds < 1e3) return `${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${nanoseconds / 1e3}us`;
  if (nanoseconds < 1e9) return `${nanoseconds / 1e6}ms`;
  const hours = Math.floor(nanoseconds / 3600e9);
  const minutes = Math.floor((nanoseconds - hours * 3600e9) / 60e9);
  const secondNanoseconds = nanoseconds - hours * 3600e9 - minutes * 60e9;
  return `${hours > 0 ? `${hours}h` : ""}${minutes > 0 ? `${minutes}m` : ""}${secondNanoseconds > 0 ? `${secondNanoseconds / 1e9}s` : ""}`;
}
