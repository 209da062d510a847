/** Small messages share one, and a stream with little to say keeps no more; the other holds what one frame may carry (RFC 9113 §4.2). */
const smallBytes = 4_096;
const largeBytes = 16_384;
/** Kept for reuse by all connections of the thread: 1 MiB and 4 MiB. New memory for what waits cost a stream of messages more than carrying them. */
const maxPooled = 256;

const small: Buffer[] = [];
const large: Buffer[] = [];

/** A buffer for up to `wanted` bytes, or for as many as one can hold. Its content is undefined. */
export function takeQueueBuffer(wanted: number): Buffer {
  const isSmall = wanted <= smallBytes;
  return (isSmall ? small : large).pop() ?? Buffer.allocUnsafeSlow(isSmall ? smallBytes : largeBytes);
}

/** Gives back a buffer that nobody reads any more. */
export function releaseQueueBuffer(buffer: Buffer): void {
  const pool = buffer.length === smallBytes ? small : large;
  if (pool.length < maxPooled) pool.push(buffer);
}
