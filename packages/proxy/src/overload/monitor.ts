import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import type { CounterHandle, GaugeHandle, MetricWriter } from "@heddle/telemetry";
import { defaultMaxConnections, type LoadShedPoint, type OverloadAction, type OverloadConfig } from "./config.ts";
import { HeapShrinker } from "./heap-shrinker.ts";
import { activityOf, type MemorySample, pressureOf } from "./pressure.ts";
import { resetStreamsCounter } from "./reset-streams-counter.ts";
import type { SharedLoad } from "./shared-load.ts";
import { shedLoadCounter } from "./shed-load-counter.ts";

/** Envoy's statistics `overload.<name>.*`. */
interface ActionStats {
  readonly active: GaugeHandle;
  readonly percent: GaugeHandle;
}

/**
 * The overload manager: looks at the resources again and again, and tells the workers how active each action is. It runs on the main
 * thread, as Envoy's does.
 */
export class OverloadMonitor {
  readonly #config: OverloadConfig;
  readonly #load: SharedLoad;
  readonly #pressures = new Map<string, number>();
  readonly #monitorStats: ReadonlyMap<string, GaugeHandle>;
  readonly #actionStats: ReadonlyMap<OverloadAction, ActionStats>;
  readonly #pointStats: ReadonlyMap<LoadShedPoint, GaugeHandle>;
  readonly #refreshes: CounterHandle;
  readonly #shrinker: HeapShrinker;
  readonly #timer: NodeJS.Timeout;

  /** @param maxConnections of the runtime, which wins over what a monitor says */
  constructor(config: OverloadConfig, load: SharedLoad, writer: MetricWriter, maxConnections: number | undefined) {
    this.#config = config;
    this.#load = load;
    const gauge = (
      name: string,
      kind: "monitor" | "action" | "load_shed_point",
      stat: string,
      help: string,
    ): GaugeHandle =>
      writer.gauge(`envoy_overload_${kind}_${stat}`, help, [["name", name]], `overload.${name}.${stat}`);
    this.#monitorStats = new Map(
      config.monitors.map(({ name }) => [
        name,
        gauge(name, "monitor", "pressure", "How much of it is used, in percent."),
      ]),
    );
    this.#actionStats = new Map(
      config.actions.map(({ action }) => [
        action,
        {
          active: gauge(action, "action", "active", "1 while it is fully active."),
          percent: gauge(action, "action", "scale_percent", "How active it is, in percent."),
        },
      ]),
    );
    this.#pointStats = new Map(
      config.loadShedPoints.map(({ point }) => [
        point,
        gauge(point, "load_shed_point", "scale_percent", "Which share is shed, in percent."),
      ]),
    );
    if (config.minTrackedPower !== undefined) {
      load.setMinTrackedPower(config.minTrackedPower);
      resetStreamsCounter(writer);
    }
    for (const { point } of config.loadShedPoints) shedLoadCounter(writer, point);
    this.#shrinker = new HeapShrinker(writer);
    this.#refreshes = writer.counter("heddle_overload_refreshes_total", "Times that the resources were looked at.");
    for (const minimum of config.timerMinimums) load.setTimerMinimum(minimum);
    load.setShrinkInterval(config.shrinkIntervalMs);
    load.setMaxConnections(maxConnections ?? connectionLimit(config));
    this.refresh();
    this.#timer = setInterval(() => this.refresh(), config.refreshMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Looks at all resources now. */
  refresh(): void {
    const memory = sampleMemory(this.#load);
    for (const monitor of this.#config.monitors) {
      const pressure = pressureOf(monitor, memory, this.#load.connections);
      this.#pressures.set(monitor.name, pressure);
      this.#monitorStats.get(monitor.name)?.set(Math.round(pressure * 100));
    }
    for (const { action, triggers } of this.#config.actions) {
      const activity = activityOf(triggers, this.#pressures);
      this.#load.setActivity(action, activity);
      const stats = this.#actionStats.get(action);
      stats?.active.set(activity >= 1 ? 1 : 0);
      stats?.percent.set(Math.round(activity * 100));
    }
    for (const { point, triggers } of this.#config.loadShedPoints) {
      const share = activityOf(triggers, this.#pressures);
      this.#load.setActivity(point, share);
      this.#pointStats.get(point)?.set(Math.round(share * 100));
    }
    for (const { timer, triggers } of this.#config.timerMinimums)
      if (triggers.length > 0) this.#load.setTimerActivity(timer, activityOf(triggers, this.#pressures));
    this.#shrinker.run(this.#load, performance.now());
    this.#refreshes.add(1);
  }
}

/** The smallest that a monitor names; the default where none does. */
function connectionLimit({ monitors }: OverloadConfig): number {
  const limits = monitors.flatMap((monitor) => (monitor.kind === "connections" ? [monitor.max] : []));
  return limits.length === 0 ? defaultMaxConnections : Math.min(...limits);
}

/** Memory as it is now; the last heap is this thread's. */
export function sampleMemory(load: SharedLoad): MemorySample {
  const { used_heap_size, heap_size_limit, malloced_memory, external_memory } = getHeapStatistics();
  return {
    heaps: [...load.heaps(), { usedBytes: used_heap_size, limitBytes: heap_size_limit }],
    externalBytes: load.externalBytes() + external_memory + malloced_memory,
    residentBytes: residentBytes(),
    availableBytes: availableBytes(),
  };
}

/** The runtime reads a file for it. A proxy without a descriptor left is no reason to end: then the most that it ever had, which the kernel counts. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return process.resourceUsage().maxRSS * 1024;
  }
}

let lastLimitBytes = 0;

function availableBytes(): number {
  // More than there is: no limit. 0: it could not be read, and is what it was.
  lastLimitBytes = process.constrainedMemory() || lastLimitBytes;
  return lastLimitBytes > 0 ? Math.min(lastLimitBytes, totalmem()) : totalmem();
}
