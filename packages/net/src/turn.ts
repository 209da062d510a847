// When output leaves. Writes made while the runtime is inside one of our callbacks are gathered: one system call for the head, the chunks and the trailer of
// a message. They leave when the outermost callback returns, or, in an event loop whose turns are crowded, when all callbacks of this turn have run: to
// read what came on 64 connections and then to write what goes out on them takes 0.7 times the CPU of doing both by turns, because each of the two
// ways through the kernel, the runtime and our code finds itself in the processor's caches (measured with HTTP/1.1 on 64 connections). Where a turn has
// one callback there would be nothing to wait for, and a wait costs half as much again as a whole request.

/** Something with output that waits to leave. */
export interface Flushable {
  flush(): void;
}

/** Callbacks in a turn, on average, from which on it is worth to wait for the others. */
const crowdedCallbacks = 2;
/** In turns that are not crowded, every so many callbacks that wrote one turn is counted, to see whether they still are not. */
const callbacksBetweenCounts = 16;
/** As many connections wait at most: what the first of them wrote should still be in the processor's caches. */
const mostWaiting = 64;
/** Of the averages of turns before, how much a turn counts. */
const newWeight = 1 / 8;

/** The first `soonCount` leave with the outermost callback. The lists keep their length: cutting an array is a call into native code. */
const soon: (Flushable | undefined)[] = [];
let soonCount = 0;
/** The first `waitingCount` leave with the turn. */
const waiting: (Flushable | undefined)[] = [];
let waitingCount = 0;

/** The first error of a flush: it is thrown when all the others have been flushed. */
let failure: { readonly error: unknown } | undefined;

let depth = 0;
let isTickScheduled = false;
let isEndScheduled = false;
let isFlushingWaiting = false;
let isCrowded = false;
let isCountDue = false;
let callbacks = 0;
let averageCallbacks = 1;
let untilCount = callbacksBetweenCounts;

/** Begins a callback. Every call is paired with {@link leaveTurn}, in a `finally`. */
export function enterTurn(): void {
  depth += 1;
}

export function leaveTurn(): void {
  depth -= 1;
  if (depth > 0) return;
  callbacks += 1;
  if (soonCount > 0) {
    flushSoon();
    if (!isCrowded && !isEndScheduled) {
      untilCount -= 1;
      if (untilCount === 0) setImmediate(countNextTurn);
      else if (isCountDue) awaitEnd();
    }
  }
  if (waitingCount >= mostWaiting) flushWaiting();
  if (failure !== undefined) throwFailure();
}

/**
 * Ends a callback that others of the same kind will follow at once: TLS hands over the records of one read one by one. What was written leaves with the
 * last of them, or at the end of the loop's turn.
 */
export function leaveTurnExpectingMore(): void {
  depth -= 1;
  if (depth === 0 && soonCount > 0 && !isEndScheduled) awaitEnd();
}

/** Has `target` flushed when its output should leave. To flush what has nothing more to send is harmless, and costs a call. */
export function flushLater(target: Flushable): void {
  if (isCrowded) flushWithTurn(target);
  else flushWithCallback(target);
}

/** Has `target` flushed at the end of this callback, or on the next tick outside of one, whatever else there is. */
export function flushWithCallback(target: Flushable): void {
  soon[soonCount] = target;
  soonCount += 1;
  if (depth > 0 || isTickScheduled) return;
  isTickScheduled = true;
  process.nextTick(flushOnTick);
}

/**
 * Has a connection that carries requests of its own flushed: alone with one request it would only wait; what 64 requests write in a turn leaves in one TLS
 * record and one system call. (Measured, CPU of two hops over mutual TLS: gathering over the turn takes 0.6 times the time at 64 requests at once, and 1.5
 * times at one.)
 */
export function flushShared(target: Flushable, requestsAtOnce: number): void {
  if (requestsAtOnce <= 1) flushLater(target);
  else flushWithTurn(target);
}

/** Has `target` flushed when all callbacks of this turn of the event loop have run. */
function flushWithTurn(target: Flushable): void {
  waiting[waitingCount] = target;
  waitingCount += 1;
  // What is listed while the list is walked is flushed with it: a turn for its sake would be one without a callback, and count as no crowd.
  if (!isEndScheduled && !isFlushingWaiting) awaitEnd();
}

/** The turn that is going on may have had callbacks already: one is counted whole. */
function countNextTurn(): void {
  isCountDue = true;
}

/** Counts from here: this callback is the first. */
function awaitEnd(): void {
  isEndScheduled = true;
  isCountDue = false;
  callbacks = depth > 0 ? 0 : 1;
  setImmediate(endTurn);
}

function endTurn(): void {
  isEndScheduled = false;
  averageCallbacks += (callbacks - averageCallbacks) * newWeight;
  isCrowded = averageCallbacks >= crowdedCallbacks;
  untilCount = callbacksBetweenCounts;
  if (soonCount > 0) flushSoon();
  flushWaiting();
  if (failure !== undefined) throwFailure();
}

function flushOnTick(): void {
  isTickScheduled = false;
  flushSoon();
  if (failure !== undefined) throwFailure();
}

function flushSoon(): void {
  // A flush may run handlers that write again: they append to the list that is being walked.
  depth += 1;
  for (let i = 0; i < soonCount; i += 1) {
    const target = soon[i];
    soon[i] = undefined;
    if (target !== undefined) flushOne(target);
  }
  soonCount = 0;
  depth -= 1;
}

function flushWaiting(): void {
  depth += 1;
  isFlushingWaiting = true;
  for (let i = 0; i < waitingCount; i += 1) {
    const target = waiting[i];
    waiting[i] = undefined;
    if (target !== undefined) flushOne(target);
  }
  waitingCount = 0;
  isFlushingWaiting = false;
  depth -= 1;
  if (soonCount > 0 && depth === 0) flushSoon();
}

function flushOne(target: Flushable): void {
  try {
    target.flush();
  } catch (error) {
    failure ??= { error };
  }
}

function throwFailure(): void {
  const first = failure;
  failure = undefined;
  if (first !== undefined) throw first.error;
}
