import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@heddle/xds/api";
import { applyDelta } from "../bind/snapshot.ts";
import { connectionView } from "../testing/fixtures.ts";
import { clusterJson, Mesh, numbers, routesJson, routeTo, seeded } from "../testing/harness.ts";
import { finishRequest } from "./accounting.ts";
import { pickEndpoint } from "./load-balancer.ts";

function balanced(members: readonly JsonObject[], cluster: JsonObject): Mesh {
  const mesh = new Mesh({ routes: routesJson([routeTo("a")]), clusters: [clusterJson("a", members, cluster)] });
  mesh.random = seeded(42);
  return mesh;
}

function picks(mesh: Mesh, count: number): Record<string, number> {
  const cluster = mesh.snapshot.clusters.get("a");
  assert.ok(cluster !== undefined);
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const key = pickEndpoint(mesh.live, cluster, mesh.random, connectionView(), undefined)?.host ?? "none";
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

const weights = (...values: number[]): JsonObject[] => values.map((weight) => ({ load_balancing_weight: weight }));

test("round robin takes turns, in proportion to the weights", () => {
  assert.deepEqual(picks(balanced([{}, {}, {}], { lb_policy: "ROUND_ROBIN" }), 300), {
    "10.1.0.1": 100,
    "10.1.0.2": 100,
    "10.1.0.3": 100,
  });
  const weighted = picks(balanced(weights(1, 2, 5), { lb_policy: "ROUND_ROBIN" }), 800);
  assert.deepEqual(weighted, { "10.1.0.1": 100, "10.1.0.2": 200, "10.1.0.3": 500 });
});

test("round robin begins at a random endpoint", () => {
  const first = (random: number): string | undefined => {
    const mesh = balanced([{}, {}, {}], { lb_policy: "ROUND_ROBIN" });
    mesh.random = numbers(random);
    return mesh.forward({ headers: { "x-request-id": "kept" } }).endpoint?.host;
  };
  assert.deepEqual([first(0), first(0.4), first(0.9)], ["10.1.0.1", "10.1.0.2", "10.1.0.3"]);
});

test("a locality's weight means nothing unless the cluster balances by localities, as in Envoy", () => {
  const locality = (zone: string, weight: number, address: string): JsonObject => ({
    locality: { zone },
    load_balancing_weight: weight,
    lb_endpoints: [{ endpoint: { address: { socket_address: { address, port_value: 80 } } } }],
  });
  const endpoints = [locality("a", 1, "10.1.0.1"), locality("b", 100, "10.1.0.2")];
  const cluster = { lb_policy: "ROUND_ROBIN", load_assignment: { cluster_name: "a", endpoints } };
  assert.deepEqual(picks(balanced([], cluster), 200), { "10.1.0.1": 100, "10.1.0.2": 100 });
});

test("random is fair and ignores weights", () => {
  const counts = picks(balanced(weights(1, 100), { lb_policy: "RANDOM" }), 10_000);
  assert.ok(Math.abs((counts["10.1.0.1"] ?? 0) - 5000) < 250, JSON.stringify(counts));
});

test("least request prefers the endpoint with fewer active requests", () => {
  const mesh = balanced([{}, {}, {}], { lb_policy: "LEAST_REQUEST", least_request_lb_config: { choice_count: 20 } });
  const busy = [mesh.forward(), mesh.forward()];
  assert.notEqual(busy[0]?.endpoint, busy[1]?.endpoint);
  const taken = new Set(busy.map((req) => req.endpoint?.host));
  assert.equal(taken.has(mesh.forward().endpoint?.host), false);
  // With two choices the load stays close together, far closer than at random.
  const two = balanced(
    Array.from({ length: 10 }, () => ({})),
    { lb_policy: "LEAST_REQUEST", circuit_breakers: { thresholds: [{ max_requests: 10_000 }] } },
  );
  for (let i = 0; i < 1000; i++) two.forward({ headers: { "x-request-id": "kept" } });
  const active = [...(two.live.clusters.get("a")?.endpoints.values() ?? [])].map((state) => state.activeRequests);
  assert.equal(active.length, 10);
  assert.ok(Math.max(...active) - Math.min(...active) <= 6, active.join(" "));
});

test("least request weighs weights against active requests when they differ", () => {
  const idle = picks(balanced(weights(1, 3), { lb_policy: "LEAST_REQUEST" }), 400);
  assert.deepEqual(idle, { "10.1.0.1": 100, "10.1.0.2": 300 });
  const share = (bias: number): number => {
    const mesh = balanced(weights(1, 3), {
      lb_policy: "LEAST_REQUEST",
      least_request_lb_config: { active_request_bias: { default_value: bias, runtime_key: "" } },
    });
    const cluster = mesh.snapshot.clusters.get("a");
    const heavy = cluster?.endpoints[1];
    assert.ok(heavy !== undefined);
    mesh.live.endpoint(heavy).activeRequests = 2;
    return picks(mesh, 1000)["10.1.0.2"] ?? 0;
  };
  assert.equal(Math.round(share(1) / 10), 50); // 3 / (2 + 1) against 1 / 1
  assert.equal(Math.round(share(0) / 10), 75);
  assert.equal(Math.round(share(2) / 10), 25); // 3 / 9 against 1
});

test("requests above the limit of the cluster overflow", () => {
  const mesh = balanced([{}], {
    circuit_breakers: {
      thresholds: [{ priority: "DEFAULT", max_requests: 2, max_pending_requests: 1, max_connections: 1 }],
    },
  });
  const first = mesh.forward();
  mesh.forward();
  const third = mesh.decide();
  mesh.choose(third);
  assert.deepEqual(
    [mesh.out.kind, mesh.out.code, third.flags, third.details],
    ["respond", "overflow", ["UO"], "upstream_reset_before_response_started{overflow}"],
  );
  finishRequest(mesh.live, third, { status: 503, code: "overflow" });
  finishRequest(mesh.live, first, { status: 200, code: "" });
  mesh.forward();
  const cluster = mesh.snapshot.clusters.get("a");
  const endpoint = cluster?.endpoints[0];
  assert.ok(cluster !== undefined && endpoint !== undefined);
  assert.equal(mesh.live.cluster(cluster).requestOverflows, 1);
  assert.deepEqual([mesh.live.tryAcquirePending(cluster), mesh.live.tryAcquirePending(cluster)], [true, false]);
  mesh.live.releasePending(cluster);
  assert.equal(mesh.live.tryAcquirePending(cluster), true);
  mesh.live.releasePending(cluster);
  assert.deepEqual([mesh.live.mayAwaitConnection(cluster), mesh.live.mayConnect(cluster)], [true, true]);
  mesh.live.acquireConnection(cluster, endpoint);
  assert.deepEqual([mesh.live.mayAwaitConnection(cluster), mesh.live.mayConnect(cluster)], [false, false]);
  assert.equal(mesh.live.cluster(cluster).connectionOverflows, 1);
  mesh.live.releaseConnection(cluster, endpoint);
  assert.equal(mesh.live.mayConnect(cluster), true);
  assert.throws(() => mesh.live.releaseConnection(cluster, endpoint), RangeError);
});

test("without a usable endpoint the answer is 503 with the flag UH", () => {
  for (const mesh of [
    balanced([], {}),
    balanced([{ health_status: "UNHEALTHY" }], { common_lb_config: { healthy_panic_threshold: { value: 0 } } }),
    balanced([{ health_status: "DRAINING" }], {}),
  ]) {
    const req = mesh.decide();
    mesh.choose(req);
    assert.deepEqual(
      [mesh.out.status, mesh.out.body, req.details, req.flags],
      [503, "no healthy upstream", "no_healthy_upstream", ["UH"]],
    );
  }
});

test("an EDS cluster has no endpoints until they are given", () => {
  const eds = { name: "a", type: "EDS", eds_cluster_config: { eds_config: { ads: {} }, service_name: "service" } };
  const mesh = new Mesh({ routes: routesJson([routeTo("a")]), clusters: [eds] });
  const req = mesh.decide();
  assert.equal(req.cluster?.isReady, false);
  mesh.choose(req);
  assert.equal(mesh.out.code, "no_healthy_upstream");
  const endpoint = {
    address: { host: "10.9.9.9", port: 1 },
    hostname: "",
    weight: 1,
    additionalAddresses: [],
    identity: "",
    healthCheck: { port: 0, hostname: "", isDisabled: false },
    health: "healthy" as const,
    metadata: {},
  };
  mesh.snapshot = applyDelta(mesh.snapshot, {
    endpoints: {
      set: [
        {
          clusterName: "service",
          overprovisioningFactor: 140,
          localities: [
            { priority: 0, weight: 0, locality: { region: "", zone: "", subZone: "" }, endpoints: [endpoint] },
          ],
        },
      ],
      remove: [],
    },
  });
  assert.equal(mesh.forward().endpoint?.key, "10.9.9.9:1");
});
