/** Room for heads and small bodies; what a slow reader of small answers keeps occupied. */
const smallBytes = 16_384;

/** A whole 64 KiB read with chunk framing or a head before it, so that one read becomes one write. */
const largeBytes = 65_536 + 4_096;

/** Buffers kept for reuse per size. In steady state a thread needs one or two: most writes end before the next begins. */
const maxPooled = 64;

/** Bytes on their way out, gathered from any number of writes. */
export interface OutputBuffer {
  readonly bytes: Buffer;
  used: number;
}

const small: OutputBuffer[] = [];
const large: OutputBuffer[] = [];

/** An empty buffer that holds at least `wanted` bytes, or as many as one can hold. */
export function takeOutputBuffer(wanted: number): OutputBuffer {
  const isSmall = wanted <= smallBytes;
  const pooled = (isSmall ? small : large).pop();
  if (pooled !== undefined) return pooled;
  return { bytes: Buffer.allocUnsafeSlow(isSmall ? smallBytes : largeBytes), used: 0 };
}

/** Gives back a buffer that nobody reads any more. */
export function releaseOutputBuffer(buffer: OutputBuffer): void {
  buffer.used = 0;
  const pool = buffer.bytes.length === smallBytes ? small : large;
  if (pool.length < maxPooled) pool.push(buffer);
}

/** The same content with more room: the larger size, or the buffer itself when it is of that size already. */
export function growOutputBuffer(buffer: OutputBuffer): OutputBuffer {
  if (buffer.bytes.length !== smallBytes) return buffer;
  const larger = takeOutputBuffer(largeBytes);
  buffer.bytes.copy(larger.bytes, 0, 0, buffer.used);
  larger.used = buffer.used;
  releaseOutputBuffer(buffer);
  return larger;
}
