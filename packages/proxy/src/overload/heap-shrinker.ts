import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { CounterHandle, MetricWriter } from "@heddle/telemetry";
import type { SharedLoad } from "./shared-load.ts";

const action = "envoy.overload_actions.shrink_heap";

/** The action `shrink_heap`, for one thread: a full collection of garbage, at most as often as the configuration says. */
export class HeapShrinker {
  readonly #shrinks: CounterHandle;
  #lastAtMs = Number.NEGATIVE_INFINITY;
  #collect: (() => void) | undefined;

  constructor(writer: MetricWriter) {
    this.#shrinks = writer.counter(
      "envoy_overload_action_shrink_count",
      "Collections of garbage, of all threads.",
      [["name", action]],
      `overload.${action}.shrink_count`,
    );
  }

  /** Collects when the action is active and it is time. @returns whether it did */
  run(load: SharedLoad, nowMs: number): boolean {
    if (load.activity(action) < 1) return false;
    if (nowMs - this.#lastAtMs < load.shrinkIntervalMs) return false;
    this.#lastAtMs = nowMs;
    if (this.#collect === undefined) {
      setFlagsFromString("--expose-gc");
      this.#collect = runInNewContext("gc") as () => void;
    }
    this.#collect();
    this.#shrinks.add(1);
    return true;
  }
}
