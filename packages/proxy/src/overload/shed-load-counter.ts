import type { CounterHandle, MetricWriter } from "@heddle/telemetry";
import type { LoadShedPoint } from "./config.ts";

/** Envoy's `overload.<point>.shed_load_count`. Each thread counts its own; the main thread's is there from the start. */
export function shedLoadCounter(writer: MetricWriter, point: LoadShedPoint): CounterHandle {
  const help = "Times that load was shed.";
  const labels = [["name", point]] as const;
  return writer.counter(
    "envoy_overload_load_shed_point_shed_load_count",
    help,
    labels,
    `overload.${point}.shed_load_count`,
  );
}
