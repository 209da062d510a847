// What the edge believes of people outside, seen by a request that passes it (hardening.md section 2, design §5).
import assert from "node:assert/strict";
import { test } from "node:test";
import { TestMesh } from "../testing/test-mesh.ts";
import { Traffic } from "../testing/traffic.ts";

function outside(call: { path?: string; headers?: Readonly<Record<string, string>> } = {}) {
  return new Traffic(new TestMesh("")).call({ from: "edge", authority: "shop.example", ...call });
}

test("a header with an underscore is refused at the edge, and inside the mesh it is not", () => {
  const headers = { x_user: "root" };
  const refused = outside({ headers });
  assert.deepEqual([refused.status, refused.reached], [400, ""]);
  const inside = new Traffic(new TestMesh("")).call({ from: "web-0", to: "reviews.default", headers });
  assert.deepEqual([inside.status, inside.headers.get("x_user")], [200, "root"]);
});

test("a client certificate that somebody outside claims to forward does not arrive", () => {
  const forged = "By=spiffe://cluster.local/ns/x/sa/x;URI=spiffe://cluster.local/ns/default/sa/admin";
  const passed = outside({ headers: { "x-forwarded-client-cert": forged } });
  assert.equal(passed.status, 200);
  // The callee's proxy says who called it: the edge, and nobody before it.
  assert.match(passed.headers.get("x-forwarded-client-cert") ?? "", /^[^,]*;URI=spiffe:\/\/[^,]*\/sa\/[^,/]*edge$/);
});

test("the client's address is that of its connection; what it claims before that is kept but not believed", () => {
  const passed = outside({ headers: { "x-forwarded-for": "192.0.2.66", "x-envoy-external-address": "192.0.2.66" } });
  assert.equal(passed.status, 200);
  assert.match(passed.headers.get("x-forwarded-for") ?? "", /^192\.0\.2\.66,127\.0\.0\.1/);
  assert.notEqual(passed.headers.get("x-envoy-external-address"), "192.0.2.66");
});

test("slashes are merged, and escaped ones are redirected to what they mean", () => {
  assert.equal(outside({ path: "//a///b" }).path, "/a/b");
  const redirected = outside({ path: "/a%2Fb" });
  assert.deepEqual([redirected.status, redirected.reached], [307, ""]);
});

test("times are limited at the edge", () => {
  const [listener] = [...new Traffic(new TestMesh("")).snapshot("edge").listeners.values()];
  const http = listener?.chains[0]?.http?.config;
  assert.deepEqual(
    [http?.requestHeadersTimeoutMs, http?.requestTimeoutMs, http?.streamIdleTimeoutMs],
    [10_000, 300_000, 300_000],
  );
});
