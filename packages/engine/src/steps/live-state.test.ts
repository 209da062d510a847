import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "@heddle/core";
import fc from "fast-check";
import { PlainHeaders } from "../testing/fixtures.ts";
import { clusterJson, Mesh, routesJson, routeTo, seeded, typeUrls, routerFilter } from "../testing/harness.ts";
import { finishRequest } from "./accounting.ts";
import { afterFailure, afterResponseHead, afterTimeout } from "./after-attempt.ts";
import { afterDelay } from "./decide-request.ts";
import type { RequestRecord } from "./request-record.ts";

function busyMesh(): Mesh {
  const fault = {
    "@type": typeUrls.fault,
    delay: { fixed_delay: "1s", percentage: { numerator: 30 } },
    abort: { http_status: 500, percentage: { numerator: 10 } },
  };
  return new Mesh({
    routes: routesJson([routeTo("a", { retry_policy: { retry_on: "5xx,reset", num_retries: 2 } })]),
    manager: { http_filters: [{ name: "fault", typed_config: fault }, routerFilter] },
    clusters: [
      clusterJson("a", [{}, {}, {}], {
        lb_policy: "LEAST_REQUEST",
        circuit_breakers: { thresholds: [{ max_requests: 4, max_retries: 2 }] },
      }),
    ],
  });
}

function checkCounts(mesh: Mesh): void {
  const { live } = mesh;
  assert.ok(live.activeFaults >= 0);
  for (const cluster of live.clusters.values()) {
    const endpoints = [...cluster.endpoints.values()];
    for (const number of [
      cluster.activeRequests,
      cluster.activeRetries,
      ...endpoints.map((endpoint) => endpoint.activeRequests),
    ])
      assert.ok(number >= 0);
    assert.equal(
      cluster.activeRequests,
      endpoints.reduce((sum, endpoint) => sum + endpoint.activeRequests, 0),
    );
    assert.ok(cluster.activeRequests <= 4 && cluster.activeRetries <= 2);
  }
}

/** What may happen to a request, by the state that it is in; the proxy does nothing else. */
function advance(mesh: Mesh, req: RequestRecord, event: number, kinds: Map<RequestRecord, string>): void {
  const kind = kinds.get(req);
  if (kind === "delay") afterDelay(mesh.live, req, mesh.random, mesh.out);
  else if (kind === "forward" || kind === "retry") mesh.choose(req);
  else if (kind !== "connect") return;
  else if (event < 3)
    afterFailure(
      mesh.live,
      req,
      {
        code: event === 0 ? "upstream_reset" : "upstream_connect_failed",
        bytesWritten: event,
        reusedConnection: false,
        responseStarted: false,
        isCountedElsewhere: false,
        transportFailure: "",
      },
      mesh.random,
      mesh.out,
    );
  else if (event < 6)
    afterResponseHead(mesh.live, req, event === 3 ? 200 : 503, new PlainHeaders(), 1, mesh.random, mesh.out);
  else afterTimeout(mesh.live, req, event === 6 ? "per-try" : "request", mesh.random, mesh.out);
  kinds.set(req, mesh.out.kind);
}

test("whatever happens in whatever order, nothing is counted below zero and everything is given back once", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(7)), { maxLength: 120 }), fc.integer(), (events, seed) => {
      const mesh = busyMesh();
      mesh.random = seeded(seed);
      const kinds = new Map<RequestRecord, string>();
      const slots: (RequestRecord | undefined)[] = [];
      for (const [slot, event] of events) {
        let req = slots[slot];
        if (req === undefined) {
          req = mesh.decide({ headers: { "x-request-id": "kept" } });
          kinds.set(req, mesh.out.kind);
          slots[slot] = req;
        } else if (event === 7) {
          finishRequest(mesh.live, req, { status: 200, code: "" });
          finishRequest(mesh.live, req, { status: 200, code: "" });
          slots[slot] = undefined;
        } else {
          advance(mesh, req, event, kinds);
        }
        checkCounts(mesh);
      }
      for (const req of slots)
        if (req !== undefined) finishRequest(mesh.live, req, { status: 0, code: "downstream_closed" });
      checkCounts(mesh);
      assert.equal(mesh.live.activeFaults, 0);
      for (const cluster of mesh.live.clusters.values()) assert.equal(cluster.isIdle, true);
    }),
    { numRuns: 150 },
  );
});

test("a finished request cannot be counted again", () => {
  const mesh = busyMesh();
  mesh.random = () => 0.99;
  const req = mesh.forward();
  finishRequest(mesh.live, req, { status: 200, code: "" });
  assert.throws(() => mesh.choose(req), /after finishRequest/);
  assert.equal(mesh.live.clusters.get("a")?.activeRequests, 0);
});

test("a gRPC call that fails on the server's side counts as an error of its endpoint, a refusal does not", () => {
  const failed = (grpcStatus: number): boolean => {
    const mesh = busyMesh();
    mesh.random = () => 0.99;
    const req = mesh.forward();
    const key = req.endpoint?.key ?? "";
    finishRequest(mesh.live, req, { status: 200, grpcStatus, code: "" });
    const state = mesh.live.clusters.get("a")?.endpoints.get(key);
    assert.equal((state?.errors ?? 0) + (state?.successes ?? 0), 1);
    return state?.errors === 1;
  };
  const failures = Array.from({ length: 18 }, (_, status) => status).filter(failed);
  assert.deepEqual(failures, [2, 4, 12, 13, 14, 15, 17]);
  assert.equal(failed(-1), false);
});

test("what the client or this proxy ends counts for the endpoint only by the answer that had begun", () => {
  const counted = (code: ErrorCode, answeredWith = 0): [errors: number, successes: number] => {
    const mesh = busyMesh();
    mesh.random = () => 0.99;
    const req = mesh.forward();
    if (answeredWith !== 0)
      afterResponseHead(mesh.live, req, answeredWith, new PlainHeaders(), 0, mesh.random, mesh.out);
    const endpoint = mesh.live.clusters.get("a")?.endpoints.get(req.endpoint?.key ?? "");
    finishRequest(mesh.live, req, { status: answeredWith, code });
    return [endpoint?.errors ?? 0, endpoint?.successes ?? 0];
  };
  const codes = ["downstream_closed", "request_body_timeout", "stream_duration", "draining", "overloaded"] as const;
  for (const code of codes) {
    assert.deepEqual(counted(code), [0, 0], code);
    assert.deepEqual(counted(code, 200), [0, 1], code);
  }
  assert.deepEqual(counted("downstream_closed", 501), [1, 0]);
  assert.deepEqual(counted("upstream_reset"), [1, 0]);
});

test("numbers survive a change of configuration, and are forgotten when nothing refers to them", () => {
  const mesh = busyMesh();
  mesh.random = () => 0.99;
  const req = mesh.forward();
  const key = req.endpoint?.key ?? "";
  const other = new Mesh({ routes: routesJson([]), clusters: [clusterJson("a", [{}], { connect_timeout: "1s" })] });
  const state = mesh.live.clusters.get("a");
  mesh.live.prune(other.snapshot);
  assert.equal(state?.endpoints.get(key)?.activeRequests, 1);
  const rebound = other.snapshot.clusters.get("a");
  assert.ok(rebound !== undefined);
  assert.equal(mesh.live.cluster(rebound), state);
  finishRequest(mesh.live, req, { status: 200, code: "" });
  assert.deepEqual([state?.activeRequests, state?.endpoints.get(key)?.successes], [0, 1]);
  mesh.live.prune(other.snapshot);
  assert.equal(state?.endpoints.has("10.1.0.3:80"), false);
  mesh.live.prune(new Mesh({ routes: routesJson([]) }).snapshot);
  assert.equal(mesh.live.clusters.size, 0);
});
