import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ClusterSchema, ListenerSchema, RouteConfigurationSchema } from "@heddle/xds/api";
import type { ClusterConfig } from "../config/cluster.ts";
import type { EndpointsConfig } from "../config/endpoints.ts";
import type { ListenerConfig } from "../config/listener.ts";
import type { RouteTableConfig } from "../config/route.ts";
import { loadCluster } from "../load/cluster.ts";
import { loadListener } from "../load/listener.ts";
import { loadRouteConfiguration } from "../load/route-table.ts";
import { configOf, fromEnvoyJson, listenerJson, routesJson, routeTo } from "../testing/harness.ts";
import { applyDelta, emptySnapshot, type Snapshot, SnapshotBinder } from "./snapshot.ts";

const names = ["a", "b", "c"] as const;

function cluster(name: string, timeout = "1s"): ClusterConfig {
  const json = {
    name,
    type: "EDS",
    connect_timeout: timeout,
    eds_cluster_config: { eds_config: { ads: {} }, service_name: `service-${name}` },
  };
  return configOf(loadCluster(fromEnvoyJson(ClusterSchema, json)));
}

function endpoints(name: string, ...hosts: string[]): EndpointsConfig {
  const members = hosts.map((host) => ({
    address: { host, port: 1 },
    hostname: "",
    weight: 1,
    additionalAddresses: [],
    identity: "",
    healthCheck: { port: 0, hostname: "", isDisabled: false },
    health: "healthy" as const,
    metadata: {},
  }));
  return {
    clusterName: `service-${name}`,
    overprovisioningFactor: 140,
    localities: [{ priority: 0, weight: 0, locality: { region: "", zone: "", subZone: "" }, endpoints: members }],
  };
}

function table(name: string, prefix = "/"): RouteTableConfig {
  return configOf(
    loadRouteConfiguration(
      fromEnvoyJson(RouteConfigurationSchema, { ...routesJson([routeTo("a", {}, { match: { prefix } })]), name }),
    ),
  );
}

function listener(name: string, port = 80): ListenerConfig {
  const json = listenerJson(
    { rds: { route_config_name: name, config_source: { ads: {} } } },
    { name, address: { socket_address: { address: "127.0.0.1", port_value: port } } },
  );
  return configOf(loadListener(fromEnvoyJson(ListenerSchema, json)));
}

test("what a delta does not touch stays the same object", () => {
  const first = applyDelta(emptySnapshot, {
    clusters: { set: names.map((name) => cluster(name)), remove: [] },
    endpoints: { set: [endpoints("a", "10.0.0.1", "10.0.0.2"), endpoints("b", "10.0.0.3")], remove: [] },
    routeTables: { set: names.map((name) => table(name)), remove: [] },
    listeners: { set: names.map((name) => listener(name)), remove: [] },
  });
  const second = applyDelta(first, {
    endpoints: { set: [endpoints("a", "10.0.0.2", "10.0.0.9")], remove: [] },
    routeTables: { set: [table("b", "/new")], remove: ["c"] },
    listeners: { set: [], remove: ["a"] },
  });
  assert.equal(second.version, first.version + 1);
  assert.equal(second.clusters.get("b"), first.clusters.get("b"));
  assert.notEqual(second.clusters.get("a"), first.clusters.get("a"));
  assert.equal(second.clusters.get("a")?.endpoints[0], first.clusters.get("a")?.endpoints[1]);
  assert.equal(second.routeTables.get("a"), first.routeTables.get("a"));
  assert.equal(second.routeTables.has("c"), false);
  assert.equal(second.listeners.get("b"), first.listeners.get("b"));
  assert.equal(second.listeners.has("a"), false);
  // The snapshot before is as it was: requests in flight go on with it.
  assert.equal(first.listeners.has("a"), true);
  assert.deepEqual(
    first.clusters.get("a")?.endpoints.map((endpoint) => endpoint.host),
    ["10.0.0.1", "10.0.0.2"],
  );
});

test("binding goes in steps of one resource, and is not to be read before its end", () => {
  const binder = new SnapshotBinder(emptySnapshot, {
    clusters: { set: names.map((name) => cluster(name)), remove: [] },
  });
  assert.throws(() => binder.snapshot, /not bound yet/);
  assert.deepEqual([binder.step(), binder.step(), binder.step(), binder.step()], [true, true, false, false]);
  assert.equal(binder.snapshot.clusters.size, 3);
  assert.equal(new SnapshotBinder(emptySnapshot, {}).step(), false);
});

/** Everything that a snapshot says, without functions. */
function content(snapshot: Snapshot): unknown {
  const sorted = <T>(map: ReadonlyMap<string, T>, of: (value: T) => unknown): unknown =>
    [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, of(value)]);
  return [
    sorted(snapshot.clusters, ({ config, endpoints: own, isReady, levels }) => [config, own, isReady, levels]),
    sorted(snapshot.routeTables, ({ config }) => config),
    sorted(snapshot.listeners, ({ config }) => config),
    sorted(snapshot.endpoints, (config) => config),
  ];
}

test("deltas one after the other give what one build from scratch gives", () => {
  const name = fc.constantFrom(...names);
  const set = <T>(make: (name: string, variant: number) => T) =>
    fc
      .tuple(name, fc.nat(3))
      .map(([own, variant]) => ({ name: own, value: variant === 3 ? undefined : make(own, variant) }));
  const delta = fc.record({
    clusters: fc.option(
      set((own, variant) => cluster(own, `${variant + 1}s`)),
      { nil: undefined },
    ),
    endpoints: fc.option(
      set((own, variant) => endpoints(own, ...["10.0.0.1", "10.0.0.2", "10.0.0.3"].slice(variant))),
      { nil: undefined },
    ),
    routeTables: fc.option(
      set((own, variant) => table(own, `/${variant}`)),
      { nil: undefined },
    ),
    listeners: fc.option(
      set((own, variant) => listener(own, 80 + variant)),
      { nil: undefined },
    ),
  });
  fc.assert(
    fc.property(fc.array(delta, { maxLength: 12 }), (deltas) => {
      let snapshot = emptySnapshot;
      const final = {
        clusters: new Map<string, ClusterConfig>(),
        endpoints: new Map<string, EndpointsConfig>(),
        routeTables: new Map<string, RouteTableConfig>(),
        listeners: new Map<string, ListenerConfig>(),
      };
      for (const own of deltas) {
        const change: Record<string, { set: unknown[]; remove: string[] }> = {};
        for (const kind of ["clusters", "endpoints", "routeTables", "listeners"] as const) {
          const edit = own[kind];
          if (edit === undefined) continue;
          const key = kind === "endpoints" ? `service-${edit.name}` : edit.name;
          change[kind] = edit.value === undefined ? { set: [], remove: [key] } : { set: [edit.value], remove: [] };
          if (edit.value === undefined) final[kind].delete(key);
          else (final[kind] as Map<string, unknown>).set(key, edit.value);
        }
        snapshot = applyDelta(snapshot, change);
      }
      const rebuilt = applyDelta(emptySnapshot, {
        clusters: { set: [...final.clusters.values()], remove: [] },
        endpoints: { set: [...final.endpoints.values()], remove: [] },
        routeTables: { set: [...final.routeTables.values()], remove: [] },
        listeners: { set: [...final.listeners.values()], remove: [] },
      });
      assert.deepEqual(content(snapshot), content(rebuilt));
    }),
    { numRuns: 60 },
  );
});
