import assert from "node:assert/strict";
import { test } from "node:test";
import { PlainHeaders } from "../testing/fixtures.ts";
import { clusterJson, Mesh, routesJson, routeTo } from "../testing/harness.ts";
import { finishRequest } from "./accounting.ts";
import { prepareMirror } from "./mirror.ts";
import { RequestRecord } from "./request-record.ts";

test("a mirrored request is one of its own, marked by its authority, and counted like any other", () => {
  const policies = [
    { cluster: "b" },
    { cluster: "b", disable_shadow_host_suffix_append: true },
    { cluster: "missing" },
  ];
  const mesh = new Mesh({
    routes: routesJson([routeTo("a", { prefix_rewrite: "/x", request_mirror_policies: policies })]),
    clusters: [clusterJson("a"), clusterJson("b")],
  });
  const req = mesh.decide({ method: "POST", path: "/p?q", authority: "shop:8080" });
  const mirrors = [...mesh.out.mirrors];
  const copies = mirrors.map((mirror) => {
    const copy = new RequestRecord();
    return { copy, isReady: prepareMirror(req, mirror, new PlainHeaders([["x-a", "1"]]), copy) };
  });
  assert.deepEqual(
    copies.map(({ isReady }) => isReady),
    [true, true, false],
  );
  const [marked, plain] = copies.map(({ copy }) => copy);
  assert.ok(marked !== undefined && plain !== undefined);
  assert.deepEqual(
    [marked.method, marked.path, marked.authority, plain.authority],
    ["POST", "/xp?q", "shop-shadow:8080", "shop:8080"],
  );
  mesh.choose(marked);
  assert.equal(marked.endpoint?.clusterName, "b");
  assert.equal(mesh.live.clusters.get("b")?.activeRequests, 1);
  finishRequest(mesh.live, marked, { status: 200, code: "" });
  assert.equal(mesh.live.clusters.get("b")?.activeRequests, 0);
  const bare = mesh.decide({ authority: "shop" });
  const shadow = new RequestRecord();
  prepareMirror(bare, mirrors[0] ?? assert.fail(), new PlainHeaders(), shadow);
  assert.equal(shadow.authority, "shop-shadow");
});
