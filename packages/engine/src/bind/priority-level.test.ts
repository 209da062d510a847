import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ClusterSchema, type JsonObject } from "@heddle/xds/api";
import { loadCluster } from "../load/cluster.ts";
import { configOf, fromEnvoyJson } from "../testing/harness.ts";
import { bindCluster } from "./cluster.ts";
import type { PriorityLevel } from "./types.ts";

/** Levels from strings of h(ealthy), d(egraded), u(nhealthy) and x (draining). */
function levelsOf(
  members: readonly string[],
  cluster: JsonObject = {},
  policy: JsonObject = {},
): readonly PriorityLevel[] {
  const health: Readonly<Record<string, string>> = {
    h: "HEALTHY",
    d: "DEGRADED",
    u: "UNHEALTHY",
    x: "DRAINING",
    t: "TIMEOUT",
    n: "UNKNOWN",
  };
  const endpoints = members.map((states, priority) => ({
    priority,
    lb_endpoints: states.split("").map((state, index) => ({
      endpoint: { address: { socket_address: { address: `10.${priority}.0.${index + 1}`, port_value: 1 } } },
      health_status: health[state] ?? "UNKNOWN",
    })),
  }));
  const json = { name: "c", type: "STATIC", load_assignment: { cluster_name: "c", endpoints, policy }, ...cluster };
  return bindCluster(configOf(loadCluster(fromEnvoyJson(ClusterSchema, json))), undefined, undefined).levels;
}

function loads(levels: readonly PriorityLevel[]): [number, number, boolean][] {
  return levels.map(({ healthyLoad, degradedLoad, isPanicking }) => [healthyLoad, degradedLoad, isPanicking]);
}

const noPanic = { common_lb_config: { healthy_panic_threshold: { value: 0 } } };

test("traffic goes to the first level as far as its health reaches", () => {
  const table: [string[], [number, number, boolean][]][] = [
    [["hhhh"], [[100, 0, false]]],
    [
      ["hhhh", "hhhh"],
      [
        [100, 0, false],
        [0, 0, false],
      ],
    ],
    // 3 of 4 healthy, times 1.4, is more than all; 2 of 4 is 70 %.
    [
      ["hhhu", "hhhh"],
      [
        [100, 0, false],
        [0, 0, false],
      ],
    ],
    [
      ["hhuu", "hhhh"],
      [
        [70, 0, false],
        [30, 0, false],
      ],
    ],
    [
      ["huuu", "huuu", "hhhh"],
      [
        [35, 0, false],
        [35, 0, false],
        [30, 0, false],
      ],
    ],
    [
      ["uuuu", "hhhh"],
      [
        [0, 0, false],
        [100, 0, false],
      ],
    ],
    // Degraded endpoints are used for what the healthy ones of all levels leave.
    [["hddd"], [[35, 65, false]]],
    [
      ["uuuu", "hddd"],
      [
        [0, 0, false],
        [35, 65, false],
      ],
    ],
    // Draining endpoints take no part.
    [
      ["hhxx", "hhhh"],
      [
        [100, 0, false],
        [0, 0, false],
      ],
    ],
    [
      ["xx", "h"],
      [
        [0, 0, false],
        [100, 0, false],
      ],
    ],
  ];
  for (const [members, expected] of table)
    assert.deepEqual(loads(levelsOf(members, noPanic)), expected, members.join(" "));
  assert.deepEqual(loads(levelsOf(["hhuu", "hhhh"], noPanic, { overprovisioning_factor: 100 })), [
    [50, 0, false],
    [50, 0, false],
  ]);
});

test("a level with too few healthy endpoints is used whole, unless the levels together can take everything", () => {
  assert.deepEqual(loads(levelsOf(["huuu"])), [[100, 0, true]]);
  assert.deepEqual(loads(levelsOf(["huuu"], noPanic)), [[100, 0, false]]);
  assert.deepEqual(loads(levelsOf(["huuu"], { common_lb_config: { healthy_panic_threshold: { value: 20 } } })), [
    [100, 0, false],
  ]);
  assert.deepEqual(loads(levelsOf(["huuu", "hhhh"])), [
    [35, 0, false],
    [65, 0, false],
  ]);
  // Every level panics: by their sizes.
  assert.deepEqual(loads(levelsOf(["uuuu", "u"])), [
    [80, 0, true],
    [20, 0, true],
  ]);
  assert.deepEqual(levelsOf(["uux"])[0]?.all.endpoints.length, 2);
});

test("health is Envoy's: unknown counts as healthy, a timeout as unhealthy", () => {
  const level = levelsOf(["nthdux"])[0];
  assert.deepEqual(
    [level?.healthy.endpoints.length, level?.degraded.endpoints.length, level?.all.endpoints.length],
    [2, 1, 5],
  );
});

test("the loads of all levels add up to a hundred when there is an endpoint to use", () => {
  const states = fc
    .array(fc.constantFrom("h", "d", "u", "x"), { minLength: 1, maxLength: 6 })
    .map((list) => list.join(""));
  fc.assert(
    fc.property(fc.array(states, { minLength: 1, maxLength: 4 }), fc.constantFrom(0, 50, 100), (members, threshold) => {
      const isUsable = members.some((own) => /[hdu]/.test(own));
      const levels = levelsOf(members, { common_lb_config: { healthy_panic_threshold: { value: threshold } } });
      assert.ok(levels.every(({ healthyLoad, degradedLoad }) => healthyLoad >= 0 && degradedLoad >= 0));
      assert.equal(
        levels.reduce((sum, { healthyLoad, degradedLoad }) => sum + healthyLoad + degradedLoad, 0),
        isUsable || threshold === 0 ? 100 : 0,
      );
    }),
    { numRuns: 200 },
  );
});
