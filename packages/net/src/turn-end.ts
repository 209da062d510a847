/** Something that gathers output over a whole turn of the event loop, over the callbacks of many sockets. */
export interface TurnListener {
  onTurnEnd(): void;
}

let listed: TurnListener[] = [];
let isScheduled = false;

/**
 * Calls `onTurnEnd` when all callbacks of this turn of the event loop have run. Multiplexed connections write then: measured, 64 requests that came in one turn leave in
 * one TLS record instead of 64 (`reference/runtime.md`). The caller sees to it that it is listed once.
 */
export function afterTurn(listener: TurnListener): void {
  listed.push(listener);
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(endTurn);
}

function endTurn(): void {
  isScheduled = false;
  const listeners = listed;
  listed = [];
  for (const listener of listeners) listener.onTurnEnd();
}
