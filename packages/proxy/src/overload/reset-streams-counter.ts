import type { CounterHandle, MetricWriter } from "@heddle/telemetry";

/** Envoy's `envoy.overload_actions.reset_high_memory_stream.count`. Each thread counts its own; the main thread's is there from the start. */
export function resetStreamsCounter(writer: MetricWriter): CounterHandle {
  return writer.counter(
    "envoy_envoy_overload_actions_reset_high_memory_stream_count",
    "Streams reset because they held too much.",
    [],
    "envoy.overload_actions.reset_high_memory_stream.count",
  );
}
