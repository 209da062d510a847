// Writes made while the runtime is inside one of our callbacks are gathered and leave when the outermost callback returns: one system call for the
// head, the chunks and the trailer of a message, and none of the latency that waiting for the end of the loop's turn would add.

/** Something with output that waits for the end of the turn. */
export interface Flushable {
  flush(): void;
}

/** The first `dirtyCount` wait. The list keeps its length: cutting an array is a call into native code, and this happens with every message. */
const dirty: (Flushable | undefined)[] = [];
let dirtyCount = 0;
let depth = 0;
let isScheduled = false;
let isAwaitingMore = false;

/** Begins a callback. Every call is paired with {@link leaveTurn}, in a `finally`. */
export function enterTurn(): void {
  depth += 1;
}

export function leaveTurn(): void {
  depth -= 1;
  if (depth === 0 && dirtyCount > 0) flushDirty();
}

/**
 * Ends a callback that others of the same kind will follow at once: TLS hands over the records of one read one by one. What was written leaves with the
 * last of them, or at the end of the loop's turn.
 */
export function leaveTurnExpectingMore(): void {
  depth -= 1;
  if (depth > 0 || dirtyCount === 0 || isAwaitingMore) return;
  isAwaitingMore = true;
  setImmediate(flushAwaited);
}

/** Has `target` flushed at the end of this callback, or on the next tick outside of one. The caller sees to it that it is listed once. */
export function flushLater(target: Flushable): void {
  dirty[dirtyCount] = target;
  dirtyCount += 1;
  if (depth > 0 || isScheduled) return;
  isScheduled = true;
  process.nextTick(flushScheduled);
}

function flushScheduled(): void {
  isScheduled = false;
  flushDirty();
}

function flushAwaited(): void {
  isAwaitingMore = false;
  flushDirty();
}

function flushDirty(): void {
  // A flush may run handlers that write again: they append to the list that is being walked.
  depth += 1;
  try {
    for (let i = 0; i < dirtyCount; i += 1) {
      const target = dirty[i];
      dirty[i] = undefined;
      target?.flush();
    }
  } finally {
    dirtyCount = 0;
    depth -= 1;
  }
}
