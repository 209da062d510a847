/**
 * Capacities: a head; a small body, which is what a slow reader of small answers keeps occupied; what is gathered of many writes; a whole read of bulk
 * data with chunk framing or a head before it, so that one read becomes one write.
 */
const capacities = [2_048, 16_384, 65_536 + 4_096, 262_144 + 4_096] as const;
const largest = capacities[3];

/** Buffers kept for reuse per capacity. In steady state a thread needs as many as connections write in a turn of the loop at most. */
const maxPooled = [64, 64, 64, 32] as const;

/**
 * Bytes on their way out, gathered from any number of writes. Whoever encodes takes one and fills it, hands it to a socket, and the socket gives it back. The
 * memory lies outside of V8's heap: to allocate it anew for each write had V8 collect its whole heap hundreds of times a second.
 */
export interface OutputBuffer {
  readonly bytes: Buffer;
  used: number;
}

const pools: readonly [OutputBuffer[], OutputBuffer[], OutputBuffer[], OutputBuffer[]] = [[], [], [], []];

/** The smallest capacity that holds so many bytes, or the largest. */
function classOf(bytes: number): 0 | 1 | 2 | 3 {
  if (bytes <= capacities[0]) return 0;
  if (bytes <= capacities[1]) return 1;
  return bytes <= capacities[2] ? 2 : 3;
}

/** An empty buffer that holds at least `wanted` bytes, or as many as one of the pool can hold. */
export function takeOutputBuffer(wanted: number): OutputBuffer {
  const size = classOf(wanted);
  return pools[size].pop() ?? { bytes: Buffer.allocUnsafeSlow(capacities[size]), used: 0 };
}

/** Gives back a buffer that nobody reads any more. */
export function releaseOutputBuffer(buffer: OutputBuffer): void {
  buffer.used = 0;
  const size = classOf(buffer.bytes.length);
  const pool = pools[size];
  if (pool.length < maxPooled[size] && buffer.bytes.length === capacities[size]) pool.push(buffer);
}

/** The same content with room for `more` bytes behind it, or with as much as one of the pool can hold; the buffer itself when no larger one helps. */
export function growOutputBuffer(buffer: OutputBuffer, more: number): OutputBuffer {
  const wanted = buffer.used + more;
  if (classOf(wanted) <= classOf(buffer.bytes.length)) return buffer;
  return moveTo(takeOutputBuffer(wanted), buffer);
}

/** The same content with room for `more` bytes behind it, whatever it takes: what no buffer of the pool holds gets memory of its own. */
export function widenOutputBuffer(buffer: OutputBuffer, more: number): OutputBuffer {
  const wanted = buffer.used + more;
  if (wanted <= largest) return moveTo(takeOutputBuffer(wanted), buffer);
  // Half as much again: what grows piece by piece must not be copied at each piece.
  return moveTo({ bytes: Buffer.allocUnsafeSlow(wanted + (wanted >> 1)), used: 0 }, buffer);
}

function moveTo(larger: OutputBuffer, buffer: OutputBuffer): OutputBuffer {
  buffer.bytes.copy(larger.bytes, 0, 0, buffer.used);
  larger.used = buffer.used;
  releaseOutputBuffer(buffer);
  return larger;
}
