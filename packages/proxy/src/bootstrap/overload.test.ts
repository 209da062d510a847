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
  });
});

test("without an overload manager the defaults of an edge hold; one without an interval looks once a second", () => {
  assert.equal(parseBootstrap(JSON.stringify(bootstrap([], []))).config?.overload, defaultOverload);
  assert.equal(parse({ resource_monitors: [heap] }).config?.overload.refreshMs, 1000);
});

const stop = "envoy.overload_actions.stop_accepting_requests";
const refused: [title: string, manager: object, path: RegExp, message: RegExp][] = [
  [
    "an action that is not carried out",
    {
      resource_monitors: [heap],
      actions: [
        { name: "envoy.overload_actions.reset_high_memory_stream", triggers: [{ name: heap.name, threshold: {} }] },
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
  ["a resource twice", { resource_monitors: [heap, heap] }, /resource_monitors\[1\]\.name$/, /used twice/],
  [
    "a load shed point",
    { resource_monitors: [heap], loadshed_points: [{ name: "x", triggers: [] }] },
    /loadshed_points/,
    /not supported/,
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
