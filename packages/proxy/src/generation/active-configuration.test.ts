import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "@heddle/core";
import type { ClusterConfig, EndpointsConfig, ListenerConfig, RouteTableConfig, SecretRef } from "@heddle/engine";
import { ActiveConfiguration, type ResourceChange } from "./active-configuration.ts";

// Only what decides about warming; the rest of a configuration plays no part here.
function listener(name: string, routeTableName: string, certificate?: SecretRef): ListenerConfig {
  const tls = certificate === undefined ? undefined : { common: { certificate } };
  return {
    name,
    filterChains: [{ terminal: { kind: "http", http: { routeTableName } }, tls }],
  } as unknown as ListenerConfig;
}
function cluster(name: string, edsServiceName: string): ClusterConfig {
  return {
    name,
    type: "eds",
    edsServiceName,
    transport: { default: undefined, proxyProtocol: undefined, matches: [] },
  } as unknown as ClusterConfig;
}
const routes = (name: string): RouteTableConfig => ({ name }) as RouteTableConfig;
const endpoints = (clusterName: string): EndpointsConfig => ({ clusterName }) as EndpointsConfig;
const set = <T>(...items: T[]): { set: T[]; remove: string[] } => ({ set: items, remove: [] });

function names(configuration: ActiveConfiguration): string {
  return [...configuration.listeners.keys(), ...configuration.clusters.keys()].join(" ");
}

test("a cluster serves when its endpoints have come", () => {
  const configuration = new ActiveConfiguration();
  assert.deepEqual(configuration.apply({ clusters: set(cluster("a", "a-eds")) }).delta, {});
  assert.deepEqual(configuration.warming.clusters, ["a"]);
  const { delta } = configuration.apply({ endpoints: set(endpoints("a-eds")) });
  assert.deepEqual(
    delta.clusters?.set.map((config) => config.name),
    ["a"],
  );
  assert.equal(names(configuration), "a");
});

test("a changed cluster goes on serving as it was until the endpoints of its new version have come", () => {
  const configuration = new ActiveConfiguration();
  const before = cluster("a", "old");
  configuration.apply({ clusters: set(before), endpoints: set(endpoints("old")) });
  configuration.apply({ clusters: set(cluster("a", "new")) });
  assert.equal(configuration.clusters.get("a"), before);
  configuration.apply({ endpoints: set(endpoints("new")) });
  assert.equal(configuration.clusters.get("a")?.edsServiceName, "new");
});

test("a listener serves when its routes and its certificate have come", () => {
  const configuration = new ActiveConfiguration();
  const certificate: SecretRef = { name: "default", source: "local" };
  configuration.apply({ listeners: set(listener("l", "r", certificate)) });
  configuration.apply({ routeTables: set(routes("r")) });
  assert.equal(names(configuration), "");
  const secret = { kind: "certificate" as const, name: "default", certificateChainPem: "", privateKey: new Secret("") };
  configuration.apply({ secrets: { set: [{ source: "ads", secret }], remove: [] } });
  assert.equal(names(configuration), "", "a secret of the same name from elsewhere is another secret");
  configuration.apply({ secrets: { set: [{ source: "local", secret }], remove: [] } });
  assert.equal(names(configuration), "l");
});

test("what is removed no longer serves, also while a newer version of it warms", () => {
  const configuration = new ActiveConfiguration();
  configuration.apply({ clusters: set(cluster("a", "x")), endpoints: set(endpoints("x")) });
  configuration.apply({ clusters: set(cluster("a", "y")) });
  const change: ResourceChange = { clusters: { set: [], remove: ["a"] } };
  assert.deepEqual(configuration.apply(change).delta.clusters, { set: [], remove: ["a"] });
  assert.equal(names(configuration), "");
  assert.deepEqual(configuration.warming, { listeners: [], clusters: [] });
});

test("a new worker is told everything that serves and nothing that warms", () => {
  const configuration = new ActiveConfiguration();
  configuration.apply({ clusters: set(cluster("a", "x"), cluster("b", "y")), endpoints: set(endpoints("x")) });
  const { delta } = configuration.everything();
  assert.deepEqual(
    delta.clusters?.set.map((config) => config.name),
    ["a"],
  );
  assert.deepEqual(
    delta.endpoints?.set.map((config) => config.clusterName),
    ["x"],
  );
});
