import type { WorkerLoad } from "./worker-load.ts";

/** A client's stream, with the bytes of its request and response that the proxy held when it was looked at. */
export interface HeldStream {
  readonly heldBytes: number;
  reset(): void;
}

/** Of streams, by what they hold (Envoy, BufferMemoryAccountImpl). */
const memoryClasses = 8;
/** At once, in one worker (Envoy, WatermarkBufferFactory). */
const mostResets = 50;

/**
 * The fewest bytes that a stream must hold for `reset_high_memory_stream` to end it. There are eight classes, each of streams that hold up to twice
 * as much as the one below, the first from 2 to the power of `minTrackedPower` on: the last class goes first, and with each eighth of the action's
 * activity another one.
 */
export function leastResetBytes(activity: number, minTrackedPower: number): number {
  const cleared = Math.min(memoryClasses, Math.floor(activity * memoryClasses) + 1);
  return 2 ** (minTrackedPower + memoryClasses - cleared);
}

/** Resets those that hold most, and no more than fifty. @returns how many */
export function resetHeaviest(streams: readonly HeldStream[]): number {
  const heaviest = [...streams].sort((one, other) => other.heldBytes - one.heldBytes).slice(0, mostResets);
  for (const stream of heaviest) stream.reset();
  return heaviest.length;
}

/** The action `reset_high_memory_stream`, with one pulse of a worker: `find` lists the streams that hold so much. */
export function resetHeldStreams({ shared }: WorkerLoad, find: (leastBytes: number) => readonly HeldStream[]): number {
  const activity = shared.activity("envoy.overload_actions.reset_high_memory_stream");
  return activity > 0 ? resetHeaviest(find(leastResetBytes(activity, shared.minTrackedPower))) : 0;
}
