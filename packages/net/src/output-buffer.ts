/**
 * Capacities: heads and small bodies, which is what a slow reader of small answers keeps occupied; what is gathered of many writes; a whole read of bulk
 * data with chunk framing or a head before it, so that one read becomes one write.
 */
const capacities = [16_384, 65_536 + 4_096, 262_144 + 4_096] as const;

/** Buffers kept for reuse per capacity. In steady state a thread needs one or two: most writes end before the next begins. */
const maxPooled = [64, 64, 32] as const;

/** Bytes on their way out, gathered from any number of writes. */
export interface OutputBuffer {
  readonly bytes: Buffer;
  used: number;
}

const pools: readonly [OutputBuffer[], OutputBuffer[], OutputBuffer[]] = [[], [], []];

/** The smallest capacity that holds so many bytes, or the largest. */
function classOf(bytes: number): 0 | 1 | 2 {
  if (bytes <= capacities[0]) return 0;
  return bytes <= capacities[1] ? 1 : 2;
}

/** An empty buffer that holds at least `wanted` bytes, or as many as one can hold. */
export function takeOutputBuffer(wanted: number): OutputBuffer {
  const size = classOf(wanted);
  return pools[size].pop() ?? { bytes: Buffer.allocUnsafeSlow(capacities[size]), used: 0 };
}

/** Gives back a buffer that nobody reads any more. */
export function releaseOutputBuffer(buffer: OutputBuffer): void {
  buffer.used = 0;
  const size = classOf(buffer.bytes.length);
  const pool = pools[size];
  if (pool.length < maxPooled[size]) pool.push(buffer);
}

/** The same content with room for `more` bytes behind it, or with as much as one can hold; the buffer itself when no larger one helps. */
export function growOutputBuffer(buffer: OutputBuffer, more: number): OutputBuffer {
  const wanted = buffer.used + more;
  if (classOf(wanted) <= classOf(buffer.bytes.length)) return buffer;
  const larger = takeOutputBuffer(wanted);
  buffer.bytes.copy(larger.bytes, 0, 0, buffer.used);
  larger.used = buffer.used;
  releaseOutputBuffer(buffer);
  return larger;
}
