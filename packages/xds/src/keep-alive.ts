/** A connection that carries nothing is asked for a sign of life this often … */
export const pingIntervalMs = 30_000;
/** … and is dead when it gives none for so long. */
export const pingTimeoutMs = 10_000;

/** What setTimeout and clearTimeout of `node:timers` are; a test brings its own. */
export interface Timers<Handle> {
  setTimeout(callback: () => void, delayMs: number): Handle;
  clearTimeout(handle: Handle): void;
}
