import type { ResourceMonitor, Trigger } from "./config.ts";

/** Memory as it was looked at last. */
export interface MemorySample {
  /** Bytes in use in each heap, and the most that it may have. */
  readonly heaps: readonly { readonly usedBytes: number; readonly limitBytes: number }[];
  /** Bytes beside the heaps: buffers, and what the runtime itself allocated. */
  readonly externalBytes: number;
  readonly residentBytes: number;
  /** What the process may have: its control group's limit, else the machine's memory. */
  readonly availableBytes: number;
}

/** How much of what a monitor watches is used; 1: all. */
export function pressureOf(monitor: ResourceMonitor, memory: MemorySample, connections: number): number {
  switch (monitor.kind) {
    case "connections":
      return connections / monitor.max;
    case "fixed-heap": {
      const used = memory.heaps.reduce((sum, { usedBytes }) => sum + usedBytes, memory.externalBytes);
      return used / monitor.maxBytes;
    }
    case "memory":
      return Math.max(
        memory.residentBytes / memory.availableBytes,
        ...memory.heaps.map(({ usedBytes, limitBytes }) => (limitBytes > 0 ? usedBytes / limitBytes : 0)),
      );
  }
}

/** How active what has these triggers is, 0 to 1: as the most active of them. */
export function activityOf(triggers: readonly Trigger[], pressures: ReadonlyMap<string, number>): number {
  return triggers.reduce((most, trigger) => Math.max(most, activityOfTrigger(trigger, pressures)), 0);
}

/** Envoy's ThresholdTriggerImpl and ScaledTriggerImpl. */
function activityOfTrigger(trigger: Trigger, pressures: ReadonlyMap<string, number>): number {
  const pressure = pressures.get(trigger.monitor) ?? 0;
  if (trigger.kind === "threshold") return pressure >= trigger.value ? 1 : 0;
  const { scaling, saturation } = trigger;
  if (pressure <= scaling) return 0;
  return pressure >= saturation ? 1 : (pressure - scaling) / (saturation - scaling);
}
