let count = 0;

/** Position of a connection among all that the worker has accepted, from 1. */
export function nextConnectionId(): number {
  count += 1;
  return count;
}
