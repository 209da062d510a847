import { type Flushable, flushLater } from "./turn.ts";

let listed: Flushable[] = [];
let isScheduled = false;

/**
 * Has `target` flushed when its output should leave: at the end of this callback for a connection that is alone with one request, which would only wait; for
 * one that carries several, when all callbacks of this turn of the event loop have run, so that what 64 requests write in it leaves in one TLS record
 * and one system call. (Measured, CPU of two hops over mutual TLS: gathering over the turn takes 0.6 times the time at 64 requests at once, and 1.5 times
 * at one.) The caller sees to it that it is listed once.
 */
export function flushGathered(target: Flushable, requestsAtOnce: number): void {
  if (requestsAtOnce <= 1) {
    flushLater(target);
    return;
  }
  listed.push(target);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(endTurn);
}

function endTurn(): void {
  isScheduled = false;
  const targets = listed;
  listed = [];
  for (const target of targets) target.flush();
}
