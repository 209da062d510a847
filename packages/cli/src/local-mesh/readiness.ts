import { setTimeout as delay } from "node:timers/promises";

export type Readiness = { readonly ready: true } | { readonly ready: false; readonly missing: readonly string[] };

const pollMs = 50;

/**
 * Looks until nothing is missing, for `limitMs` at most or until it is told to stop. A look ends with the first that is missing: what is starting
 * should not be kept from it by questions. Only the look after `limitMs` goes to its end, and names all.
 */
export async function untilNothingMissing(
  limitMs: number,
  look: () => AsyncIterable<string>,
  isStopping: () => boolean,
): Promise<Readiness> {
  const end = performance.now() + limitMs;
  for (;;) {
    const isLast = performance.now() >= end;
    const missing: string[] = [];
    for await (const name of look()) {
      missing.push(name);
      if (!isLast) break;
    }
    if (missing.length === 0) return { ready: true };
    if (isLast || isStopping()) return { ready: false, missing };
    await delay(pollMs);
  }
}
