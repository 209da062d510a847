// Overload managers of bootstraps for tests: what a test is about is given.

type Json = Record<string, unknown>;

const monitors = "type.googleapis.com/envoy.extensions.resource_monitors";
const heap = "envoy.resource_monitors.fixed_heap";

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
  const name = "envoy.resource_monitors.global_downstream_max_connections";
  const type = `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`;
  return {
    overload_manager: {
      refresh_interval: "0.01s",
      resource_monitors: [{ name, typed_config: { "@type": type, max_active_downstream_connections: 1000 } }],
      loadshed_points: shedding(points, [{ name, threshold: { value: clients / 1000 } }]),
    },
  };
}

function shedding(points: readonly string[], when: readonly Json[]): Json[] {
  return points.map((name) => ({ name: `envoy.load_shed_points.${name}`, triggers: when }));
}
