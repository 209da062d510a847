import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { SharedLoad } from "./shared-load.ts";

/** As in Envoy: a collection costs more the fuller the heap is. */
const everyMs = 10_000;

/** The action `shrink_heap`, for one thread: a full collection of garbage, at most every ten seconds. */
export class HeapShrinker {
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #collect: (() => void) | undefined;

  /** Collects when the action is active and it is time. */
  run(load: SharedLoad): void {
    if (load.activity("envoy.overload_actions.shrink_heap") < 1) return;
    const now = performance.now();
    if (now - this.#lastAtMs < everyMs) return;
    this.#lastAtMs = now;
    if (this.#collect === undefined) {
      setFlagsFromString("--expose-gc");
      this.#collect = runInNewContext("gc") as () => void;
    }
    this.#collect();
  }
}
