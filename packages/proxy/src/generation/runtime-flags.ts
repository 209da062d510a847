import { setFlagsFromString } from "node:v8";

/**
 * What V8 is told when a generation starts. Collecting the young generation in one thread: next to nothing of a request survives, so there is
 * nothing to share out (measured: 8 % less CPU per request and 25 MB less). Memory before speed, and a small young generation for the main
 * thread: a configuration leaves more behind while it is loaded than it takes in the end (measured with 1,000 services: 90 MB less).
 */
export const startFlags: readonly string[] = [
  "--no-parallel-scavenge",
  "--optimize-for-size",
  "--max-semi-space-size=2",
];

/** The main thread, which only configures, keeps its small young generation; the threads that begin from here on serve. */
export function prepareForWorkers(): void {
  setFlagsFromString("--max-semi-space-size=16");
}

/**
 * The first configuration is loaded: from here on speed comes before memory, in all threads. What was loaded stays small (measured: 5 to 10 % less
 * CPU per request, and as much memory with 1,000 services as without this).
 */
export function prepareForTraffic(): void {
  setFlagsFromString("--no-optimize-for-size");
}
