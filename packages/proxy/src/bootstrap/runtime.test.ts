import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrap } from "../testing/bootstrap-json.ts";
import { parseBootstrap } from "./parse.ts";

function parse(layers: readonly object[]): ReturnType<typeof parseBootstrap> {
  return parseBootstrap(JSON.stringify(bootstrap([], [], { layered_runtime: { layers } })));
}

test("a later layer of the runtime wins, and its keys become limits", () => {
  const { config, problems } = parse([
    {
      name: "base",
      static_layer: {
        overload: { global_downstream_max_connections: 10 },
        envoy: { resource_limits: { listener: { web: { connection_limit: 3 }, api: { connection_limit: 4 } } } },
      },
    },
    { name: "over", static_layer: { "envoy.resource_limits.listener.web.connection_limit": 5 } },
  ]);
  assert.deepEqual(problems, []);
  assert.equal(config?.runtime.maxConnections, 10);
  assert.deepEqual(Object.fromEntries(config?.runtime.listenerConnectionLimits ?? []), { web: 5, api: 4 });
  assert.deepEqual(
    config?.runtime.layers.map(({ name }) => name),
    ["base", "over"],
  );
});

const refused: [title: string, layer: object, path: RegExp, message: RegExp][] = [
  [
    "a key without effect",
    { static_layer: { health_check: { min_interval: 1 } } },
    /static_layer\.health_check\.min_interval$/,
    /no|not a runtime key/,
  ],
  [
    "a limit that is no number",
    { static_layer: { overload: { global_downstream_max_connections: "many" } } },
    /max_connections$/,
    /whole number/,
  ],
  ["another kind of layer", { admin_layer: {} }, /layers\[0\]/, /not supported|static_layer/],
];
for (const [title, layer, path, message] of refused) {
  test(`a runtime is refused by its path: ${title}`, () => {
    const [first] = parse([{ name: "l", ...layer }]).problems;
    assert.match(first?.path ?? "", path);
    assert.match(first?.message ?? "", message);
  });
}
