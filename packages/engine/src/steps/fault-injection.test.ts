import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "@heddle/xds/api";
import { clusterJson, Mesh, numbers, routerFilter, routesJson, routeTo, seeded, typeUrls } from "../testing/harness.ts";
import { finishRequest } from "./accounting.ts";
import { afterDelay } from "./decide-request.ts";

const all = { percentage: { numerator: 100 } };

function faultMesh(fault: JsonObject): Mesh {
  return new Mesh({
    routes: routesJson([routeTo("b", {}, { match: { prefix: "/b" } }), routeTo("a")]),
    manager: { http_filters: [{ name: "fault", typed_config: { "@type": typeUrls.fault, ...fault } }, routerFilter] },
    clusters: [clusterJson("a"), clusterJson("b")],
  });
}

const kept = { headers: { "x-request-id": "kept" } };

test("delays and aborts hit their share of the requests that they concern", () => {
  const aborting = faultMesh({ abort: { http_status: 418, ...all } });
  const req = aborting.decide();
  assert.deepEqual(
    [aborting.out.kind, aborting.out.status, aborting.out.body, req.details],
    ["respond", 418, "fault filter abort", "fault_filter_abort"],
  );
  assert.deepEqual(req.flags, ["FI"]);

  const delaying = faultMesh({ delay: { fixed_delay: "1.5s", ...all } });
  const delayed = delaying.decide();
  assert.deepEqual([delaying.out.kind, delaying.out.delayMs, delayed.flags], ["delay", 1500, ["DI"]]);
  afterDelay(delaying.live, delayed, delaying.random, delaying.out);
  assert.equal(delaying.out.kind, "forward");

  // An abort follows the delay of the same fault.
  const both = faultMesh({ delay: { fixed_delay: "1s", ...all }, abort: { http_status: 503, ...all } });
  const second = both.decide();
  assert.equal(both.out.kind, "delay");
  afterDelay(both.live, second, both.random, both.out);
  assert.deepEqual([both.out.status, second.flags], [503, ["DI", "FI"]]);

  // Shares: none without a percentage, all at a hundred, a tenth at ten.
  const none = faultMesh({ abort: { http_status: 500 } });
  none.random = numbers(0);
  none.decide();
  assert.equal(none.out.kind, "forward");
  const tenth = faultMesh({ abort: { http_status: 500, percentage: { numerator: 100_000, denominator: "MILLION" } } });
  tenth.random = seeded(5);
  let hits = 0;
  for (let i = 0; i < 5000; i++) {
    const own = tenth.decide(kept);
    if (tenth.out.kind === "respond") hits++;
    finishRequest(tenth.live, own, { status: 0, code: "" });
  }
  assert.ok(Math.abs(hits - 500) < 5 * Math.sqrt(5000 * 0.1 * 0.9), String(hits));

  // Only requests with the headers, only for the cluster.
  const concerned = faultMesh({
    abort: { http_status: 500, ...all },
    headers: [{ name: "x-chaos", exact_match: "yes" }],
    upstream_cluster: "b",
  });
  const status = (path: string, headers: Record<string, string>): number => {
    concerned.decide({ path, headers });
    return concerned.out.status;
  };
  assert.equal(status("/b", { "x-chaos": "yes" }), 500);
  assert.equal(status("/b", {}), 0);
  assert.equal(status("/a", { "x-chaos": "yes" }), 0);
});

test("no more faults than allowed are active at once", () => {
  const mesh = faultMesh({ delay: { fixed_delay: "1s", ...all }, max_active_faults: 1 });
  const first = mesh.decide();
  assert.equal(mesh.out.kind, "delay");
  const second = mesh.decide();
  assert.equal(mesh.out.kind, "forward");
  assert.equal(mesh.live.activeFaults, 1);
  finishRequest(mesh.live, first, { status: 200, code: "" });
  finishRequest(mesh.live, first, { status: 200, code: "" });
  finishRequest(mesh.live, second, { status: 200, code: "" });
  assert.equal(mesh.live.activeFaults, 0);
  mesh.decide();
  assert.equal(mesh.out.kind, "delay");
  const never = faultMesh({ abort: { http_status: 500, ...all }, max_active_faults: 0 });
  never.decide();
  assert.equal(never.out.kind, "forward");
});
