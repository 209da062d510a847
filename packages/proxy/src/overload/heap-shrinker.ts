import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { SharedLoad } from "./shared-load.ts";

/** The action `shrink_heap`, for one thread: a full collection of garbage, at most as often as the configuration says. */
export class HeapShrinker {
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #collect: (() => void) | undefined;

  /** Collects when the action is active and it is time. @returns whether it did */
  run(load: SharedLoad, nowMs: number): boolean {
    if (load.activity("envoy.overload_actions.shrink_heap") < 1) return false;
    if (nowMs - this.#lastAtMs < load.shrinkIntervalMs) return false;
    this.#lastAtMs = nowMs;
    if (this.#collect === undefined) {
      setFlagsFromString("--expose-gc");
      this.#collect = runInNewContext("gc") as () => void;
    }
    this.#collect();
    return true;
  }
}
