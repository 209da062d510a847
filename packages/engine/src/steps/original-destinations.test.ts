import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterSchema, type JsonObject } from "@heddle/xds/api";
import { applyDelta, emptySnapshot, type Snapshot } from "../bind/snapshot.ts";
import type { BoundCluster, BoundEndpoint } from "../bind/types.ts";
import { loadCluster } from "../load/cluster.ts";
import { connectionView, PlainHeaders } from "../testing/fixtures.ts";
import { configOf, fromEnvoyJson, problemsOf } from "../testing/harness.ts";
import { LiveState } from "./live-state.ts";
import { pickEndpoint } from "./load-balancer.ts";

const json = (own: JsonObject): JsonObject => ({
  name: "pass",
  type: "ORIGINAL_DST",
  lb_policy: "CLUSTER_PROVIDED",
  ...own,
});
const parse = (own: JsonObject) => loadCluster(fromEnvoyJson(ClusterSchema, json(own)));

function bound(own: JsonObject = {}): Snapshot {
  return applyDelta(emptySnapshot, { clusters: { set: [configOf(parse(own))], remove: [] } });
}

const restored = connectionView({ localAddress: { host: "10.0.0.9", port: 5432 }, isDestinationRestored: true });
const random = (): number => 0;

function pick(live: LiveState, cluster: BoundCluster, connection = restored): BoundEndpoint | undefined {
  return pickEndpoint(live, cluster, random, connection, undefined);
}

test("an ORIGINAL_DST cluster's endpoint is where the connection was meant to go, and the same while it is in use", () => {
  const cluster = bound().clusters.get("pass")!;
  const live = new LiveState();
  assert.ok(cluster.isReady);
  const first = pick(live, cluster);
  assert.deepEqual([first?.key, first?.addresses], ["10.0.0.9:5432", [{ host: "10.0.0.9", port: 5432 }]]);
  assert.equal(pick(live, cluster), first);
  // One that came here on purpose would be sent round in a circle.
  assert.equal(pick(live, cluster, connectionView()), undefined);
});

test("the header's address wins where use_http_header says so, and upstream_port_override changes the port", () => {
  const pickedKey = (own: JsonObject, headers: Record<string, string>) => {
    const list = new PlainHeaders();
    for (const [name, value] of Object.entries(headers)) list.append(name, value);
    const cluster = bound({ original_dst_lb_config: own }).clusters.get("pass")!;
    return pickEndpoint(new LiveState(), cluster, random, restored, list)?.key;
  };
  const header = { "x-envoy-original-dst-host": "10.0.0.7:81" };
  assert.equal(pickedKey({ use_http_header: true }, header), "10.0.0.7:81");
  assert.equal(pickedKey({ use_http_header: true }, { "x-envoy-original-dst-host": "[::0:1]:81" }), "[::1]:81");
  assert.equal(pickedKey({}, header), "10.0.0.9:5432");
  for (const bad of ["db.example:81", "10.0.0.7", "10.0.0.7:0", "10.0.0.7:99999", "::1:81"])
    assert.equal(pickedKey({ use_http_header: true }, { "x-envoy-original-dst-host": bad }), "10.0.0.9:5432");
  assert.equal(
    pickedKey({ use_http_header: true, http_header_name: "X-To" }, { ...header, "x-to": "10.0.0.8:82" }),
    "10.0.0.8:82",
  );
  assert.equal(pickedKey({ upstream_port_override: 99 }, {}), "10.0.0.9:99");
});

test("a destination that nobody asks for is forgotten after the cleanup interval, one in use is not", () => {
  const snapshot = bound({ cleanup_interval: "2s" });
  const cluster = snapshot.clusters.get("pass")!;
  const live = new LiveState();
  const endpoint = pick(live, cluster)!;
  live.endpoint(endpoint).activeRequests = 1;
  assert.equal(live.sweepDestinations(snapshot, 0), false);
  assert.equal(live.sweepDestinations(snapshot, 2000), false);
  live.endpoint(endpoint).activeRequests = 0;
  pick(live, cluster);
  assert.equal(live.sweepDestinations(snapshot, 3999), false);
  assert.equal(live.sweepDestinations(snapshot, 4000), false);
  assert.equal(live.sweepDestinations(snapshot, 6000), true);
  assert.deepEqual(live.destinations.of("pass"), []);
  pick(live, cluster);
  assert.equal(live.sweepDestinations(emptySnapshot, 6001), true);
  assert.deepEqual(live.destinations.of("pass"), []);
});

test("destinations are bounded in number", () => {
  const cluster = bound().clusters.get("pass")!;
  const live = new LiveState();
  const to = (port: number, host: string) =>
    pick(live, cluster, connectionView({ localAddress: { host, port }, isDestinationRestored: true }));
  for (let port = 1; port <= 16_384; port++) assert.ok(to(port, "10.0.0.1"));
  assert.equal(to(1, "10.0.0.2"), undefined);
  assert.ok(to(1, "10.0.0.1"));
});

test("ORIGINAL_DST goes with CLUSTER_PROVIDED alone, and its options with nothing else", () => {
  assert.deepEqual(problemsOf(parse({ lb_policy: "ROUND_ROBIN" })), [
    "lb_policy: the destination of each connection decides",
  ]);
  const assignment = { load_assignment: { cluster_name: "pass" } };
  assert.deepEqual(problemsOf(parse({ type: "STATIC", ...assignment })), [
    "lb_policy: the cluster's type is not ORIGINAL_DST",
  ]);
  assert.deepEqual(
    problemsOf(
      parse({ type: "STATIC", lb_policy: "RANDOM", ...assignment, original_dst_lb_config: {}, cleanup_interval: "1s" }),
    ),
    [
      "original_dst_lb_config: the cluster's type is not ORIGINAL_DST",
      "cleanup_interval: the cluster's type is not ORIGINAL_DST",
    ],
  );
  assert.deepEqual(problemsOf(parse({ original_dst_lb_config: { http_header_name: "x-to" } })), [
    "original_dst_lb_config.http_header_name: the header is not used",
  ]);
});
