import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrap } from "../testing/bootstrap-json.ts";
import { defaultOverload } from "../overload/config.ts";
import { parseBootstrap } from "./parse.ts";

const monitors = "type.googleapis.com/envoy.extensions.resource_monitors";
const heap = {
  name: "envoy.resource_monitors.fixed_heap",
  typed_config: { "@type": `${monitors}.fixed_heap.v3.FixedHeapConfig`, max_heap_size_bytes: 1024 },
};
const connections = {
  name: "envoy.resource_monitors.global_downstream_max_connections",
  typed_config: {
    "@type": `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`,
    max_active_downstream_connections: 7,
  },
};

function parse(manager: object): ReturnType<typeof parseBootstrap> {
  return parseBootstrap(JSON.stringify(bootstrap([], [], { overload_manager: manager })));
}

test("an overload manager's monitors, actions and triggers are read", () => {
  const { config, problems } = parse({
    refresh_interval: "0.5s",
    resource_monitors: [heap, connections],
    actions: [
      {
        name: "envoy.overload_actions.stop_accepting_requests",
        triggers: [{ name: heap.name, threshold: { value: 0.9 } }],
      },
      {
        name: "envoy.overload_actions.disable_http_keepalive",
        triggers: [{ name: connections.name, scaled: { scaling_threshold: 0.5, saturation_threshold: 0.75 } }],
      },
    ],
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(config?.overload, {
    refreshMs: 500,
    monitors: [
      { kind: "fixed-heap", name: heap.name, maxBytes: 1024 },
      { kind: "connections", name: connections.name, max: 7 },
    ],
    actions: [
      {
        action: "envoy.overload_actions.stop_accepting_requests",
        triggers: [{ monitor: heap.name, kind: "threshold", value: 0.9 }],
      },
      {
        action: "envoy.overload_actions.disable_http_keepalive",
        triggers: [{ monitor: connections.name, kind: "scaled", scaling: 0.5, saturation: 0.75 }],
      },
    ],
    loadShedPoints: [],
    timerMinimums: [],
    shrinkIntervalMs: 10_000,
    minTrackedPower: undefined,
  });
});

const reduce = "envoy.overload_actions.reduce_timeouts";
const triggers = [{ name: heap.name, scaled: { scaling_threshold: 0.85, saturation_threshold: 0.95 } }];

function reducing(...timers: readonly object[]): object {
  const type = "type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig";
  const action = { name: reduce, triggers, typed_config: { "@type": type, timer_scale_factors: timers } };
  return { resource_monitors: [heap], actions: [action] };
}

test("reduce_timeouts has its timers, each with its minimum", () => {
  const { config, problems } = parse(
    reducing(
      { timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE", min_timeout: "2s" },
      { timer: "HTTP_DOWNSTREAM_STREAM_IDLE", min_scale: { value: 10 } },
      { timer: "TRANSPORT_SOCKET_CONNECT", min_timeout: "0.5s" },
      {
        timer: "HTTP_DOWNSTREAM_CONNECTION_MAX",
        min_scale: { value: 50 },
        triggers: [{ name: heap.name, threshold: { value: 0.7 } }],
      },
    ),
  );
  assert.deepEqual(problems, []);
  const own = { monitor: heap.name, kind: "threshold", value: 0.7 };
  assert.deepEqual(
    config?.overload.actions.map(({ action }) => action),
    [reduce],
  );
  assert.deepEqual(config.overload.timerMinimums, [
    { timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE", minMs: 2000, minShare: 0, triggers: [] },
    { timer: "HTTP_DOWNSTREAM_STREAM_IDLE", minMs: 0, minShare: 0.1, triggers: [] },
    { timer: "TRANSPORT_SOCKET_CONNECT", minMs: 500, minShare: 0, triggers: [] },
    { timer: "HTTP_DOWNSTREAM_CONNECTION_MAX", minMs: 0, minShare: 0.5, triggers: [own] },
  ]);
});

const shrink = "envoy.overload_actions.shrink_heap";

function shrinking(config: object): object {
  const type = "type.googleapis.com/envoy.config.overload.v3.ShrinkHeapConfig";
  return {
    resource_monitors: [heap],
    actions: [{ name: shrink, triggers, typed_config: { "@type": type, ...config } }],
  };
}

test("shrink_heap has the interval at which the heap is collected", () => {
  const intervalOf = (config: object) => {
    const { config: read, problems } = parse(shrinking(config));
    assert.deepEqual(problems, []);
    return read?.overload.shrinkIntervalMs;
  };
  assert.deepEqual([intervalOf({ timer_interval: "30s" }), intervalOf({})], [30_000, 10_000]);
});

test("without an overload manager the defaults of an edge hold; one without an interval looks once a second", () => {
  assert.equal(parseBootstrap(JSON.stringify(bootstrap([], []))).config?.overload, defaultOverload);
  assert.equal(parse({ resource_monitors: [heap] }).config?.overload.refreshMs, 1000);
});

test("load shed points have their triggers", () => {
  const accept = "envoy.load_shed_points.tcp_listener_accept";
  const heads = "envoy.load_shed_points.http_connection_manager_decode_headers";
  const { config, problems } = parse({
    resource_monitors: [heap],
    loadshed_points: [
      { name: accept, triggers },
      { name: heads, triggers: [{ name: heap.name, threshold: { value: 0.9 } }] },
    ],
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(config?.overload.loadShedPoints, [
    { point: accept, triggers: [{ monitor: heap.name, kind: "scaled", scaling: 0.85, saturation: 0.95 }] },
    { point: heads, triggers: [{ monitor: heap.name, kind: "threshold", value: 0.9 }] },
  ]);
});

const reset = "envoy.overload_actions.reset_high_memory_stream";

function resetting(power: number): object {
  return {
    resource_monitors: [heap],
    buffer_factory_config: { minimum_account_to_track_power_of_two: power },
    actions: [{ name: reset, triggers }],
  };
}

test("reset_high_memory_stream has the power of two from which streams are tracked", () => {
  const { config, problems } = parse(resetting(20));
  assert.deepEqual(problems, []);
  assert.equal(config?.overload.minTrackedPower, 20);
});

const stop = "envoy.overload_actions.stop_accepting_requests";
const refused: [title: string, manager: object, path: RegExp, message: RegExp][] = [
  [
    "an action that is not carried out",
    {
      resource_monitors: [heap],
      actions: [
        { name: "envoy.overload_actions.close_idle_http_connections", triggers: [{ name: heap.name, threshold: {} }] },
      ],
    },
    /actions\[0\]\.name$/,
    /is not supported/,
  ],
  [
    "a trigger of a monitor that is not there",
    { resource_monitors: [heap], actions: [{ name: stop, triggers: [{ name: "other", threshold: { value: 1 } }] }] },
    /triggers\[0\]\.name$/,
    /no resource monitor/,
  ],
  [
    "a share above 1",
    { resource_monitors: [heap], actions: [{ name: stop, triggers: [{ name: heap.name, threshold: { value: 95 } }] }] },
    /threshold\.value$/,
    /from 0 to 1/,
  ],
  [
    "a scaled trigger upside down",
    {
      resource_monitors: [heap],
      actions: [
        { name: stop, triggers: [{ name: heap.name, scaled: { scaling_threshold: 0.9, saturation_threshold: 0.8 } }] },
      ],
    },
    /scaled$/,
    /less than/,
  ],
  [
    "an action twice",
    {
      resource_monitors: [heap],
      actions: [
        { name: stop, triggers },
        { name: stop, triggers },
      ],
    },
    /actions\[1\]\.name$/,
    /used twice/,
  ],
  [
    "two triggers of one resource",
    { resource_monitors: [heap], actions: [{ name: stop, triggers: [...triggers, ...triggers] }] },
    /triggers\[1\]\.name$/,
    /used twice/,
  ],
  [
    "a configuration of an action that has none",
    {
      ...reducing({ timer: "TRANSPORT_SOCKET_CONNECT", min_timeout: "1s" }),
      actions: [{ name: stop, triggers, typed_config: { "@type": `${monitors}.fixed_heap.v3.FixedHeapConfig` } }],
    },
    /actions\[0\]\.typed_config$/,
    /is not what this action is configured with/,
  ],
  [
    "an interval of shrink_heap below a second",
    shrinking({ timer_interval: "0.5s" }),
    /timer_interval$/,
    /at least 1 s/,
  ],
  [
    "memory that shrink_heap would leave to the allocator",
    shrinking({ max_unfreed_memory_bytes: "1" }),
    /typed_config\.max_unfreed_memory_bytes$/,
    /is not a field/,
  ],
  [
    "reduce_timeouts without timers",
    { resource_monitors: [heap], actions: [{ name: reduce, triggers }] },
    /actions\[0\]\.typed_config$/,
    /is missing/,
  ],
  ["an empty list of timers", reducing(), /timer_scale_factors$/, /is empty/],
  ["a minimum of no timer", reducing({ min_timeout: "1s" }), /timer_scale_factors\[0\]\.timer$/, /no timer is named/],
  [
    "a timer that is not reduced here",
    reducing({ timer: "HTTP_DOWNSTREAM_STREAM_FLUSH", min_timeout: "1s" }),
    /timer_scale_factors\[0\]\.timer$/,
    /HTTP_DOWNSTREAM_STREAM_FLUSH/,
  ],
  [
    "a timer twice",
    reducing(
      { timer: "TRANSPORT_SOCKET_CONNECT", min_timeout: "1s" },
      { timer: "TRANSPORT_SOCKET_CONNECT", min_scale: { value: 1 } },
    ),
    /timer_scale_factors\[1\]\.timer$/,
    /used twice/,
  ],
  [
    "a timer without a minimum",
    reducing({ timer: "TRANSPORT_SOCKET_CONNECT" }),
    /timer_scale_factors\[0\]$/,
    /min_timeout or min_scale/,
  ],
  [
    "a minimum of more than all",
    reducing({ timer: "TRANSPORT_SOCKET_CONNECT", min_scale: { value: 101 } }),
    /min_scale\.value$/,
    /from 0 to 100/,
  ],
  [
    "triggers of one timer of an unknown resource",
    reducing({
      timer: "TRANSPORT_SOCKET_CONNECT",
      min_timeout: "1s",
      triggers: [{ name: "absent", threshold: { value: 0.5 } }],
    }),
    /timer_scale_factors\[0\]\.triggers\[0\]\.name$/,
    /no resource monitor/,
  ],
  [
    "reset_high_memory_stream without a power of two",
    { resource_monitors: [heap], actions: [{ name: reset, triggers }] },
    /buffer_factory_config$/,
    /is missing/,
  ],
  ["streams tracked from too few bytes on", resetting(9), /minimum_account_to_track_power_of_two$/, /from 10 to 56/],
  ["a resource twice", { resource_monitors: [heap, heap] }, /resource_monitors\[1\]\.name$/, /used twice/],
  [
    "a load shed point that is not looked at",
    {
      resource_monitors: [heap],
      loadshed_points: [{ name: "envoy.load_shed_points.http3_server_go_away_on_dispatch", triggers }],
    },
    /loadshed_points\[0\]\.name$/,
    /not supported/,
  ],
  [
    "a load shed point without triggers",
    { resource_monitors: [heap], loadshed_points: [{ name: "envoy.load_shed_points.tcp_listener_accept" }] },
    /loadshed_points\[0\]\.triggers$/,
    /is empty/,
  ],
  [
    "a load shed point twice",
    {
      resource_monitors: [heap],
      loadshed_points: [
        { name: "envoy.load_shed_points.tcp_listener_accept", triggers },
        { name: "envoy.load_shed_points.tcp_listener_accept", triggers },
      ],
    },
    /loadshed_points\[1\]\.name$/,
    /used twice/,
  ],
];
for (const [title, manager, path, message] of refused) {
  test(`an overload manager is refused by its path: ${title}`, () => {
    const { problems } = parse(manager);
    const [first] = problems;
    assert.match(first?.path ?? "", path);
    assert.match(first?.message ?? "", message);
  });
}
