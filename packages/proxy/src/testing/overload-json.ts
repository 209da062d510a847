// Overload managers of bootstraps for tests: what a test is about is given.

type Json = Record<string, unknown>;

const monitors = "type.googleapis.com/envoy.extensions.resource_monitors";
const heap = "envoy.resource_monitors.fixed_heap";
const crowd = "envoy.resource_monitors.global_downstream_max_connections";

/** A heap of which more is in use than it may have, whatever happens: each trigger is saturated. */
const monitor = {
  name: heap,
  typed_config: { "@type": `${monitors}.fixed_heap.v3.FixedHeapConfig`, max_heap_size_bytes: 1 },
};
const triggers = [{ name: heap, threshold: { value: 0.95 } }];

/** Overloaded from the start, for these actions; `more`: fields of the manager beside them. */
export function fullHeap(actions: readonly string[], more: Json = {}): Json {
  return {
    overload_manager: {
      refresh_interval: "0.01s",
      resource_monitors: [monitor],
      actions: actions.map((name) => ({ name: `envoy.overload_actions.${name}`, triggers })),
      ...more,
    },
  };
}

/** Overloaded from the start: these timers have only their minimum. */
export function fullHeapReducing(...timers: readonly Json[]): Json {
  const typed = {
    "@type": "type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig",
    timer_scale_factors: timers,
  };
  const action = { name: "envoy.overload_actions.reduce_timeouts", triggers, typed_config: typed };
  return fullHeap([], { actions: [action] });
}

/** Overloaded from the start, for these load shed points. */
export function fullHeapShedding(...points: readonly string[]): Json {
  return fullHeap([], { loadshed_points: shedding(points, triggers) });
}

/** Overloaded while so many clients are connected. */
export function crowdedShedding(clients: number, ...points: readonly string[]): Json {
  return {
    overload_manager: {
      refresh_interval: "0.01s",
      resource_monitors: [clientsOf(1000)],
      loadshed_points: shedding(points, [{ name: crowd, threshold: { value: clients / 1000 } }]),
    },
  };
}

function shedding(points: readonly string[], when: readonly Json[]): Json[] {
  return points.map((name) => ({ name: `envoy.load_shed_points.${name}`, triggers: when }));
}

/** Streams are reset that hold at least `2 ** power` bytes; the action is as active as the share that is connected of so many clients. */
export function crowdedResetting(clients: number, power: number): Json {
  const trigger = { name: crowd, scaled: { scaling_threshold: 0, saturation_threshold: 1 } };
  return {
    overload_manager: {
      refresh_interval: "0.01s",
      resource_monitors: [clientsOf(clients)],
      buffer_factory_config: { minimum_account_to_track_power_of_two: power },
      actions: [{ name: "envoy.overload_actions.reset_high_memory_stream", triggers: [trigger] }],
    },
  };
}

function clientsOf(max: number): Json {
  const type = `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`;
  return { name: crowd, typed_config: { "@type": type, max_active_downstream_connections: max } };
}
