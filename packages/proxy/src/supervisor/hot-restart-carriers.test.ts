import assert from "node:assert/strict";
import { test } from "node:test";
import { restartBehindCarriers } from "../testing/restart-behind-carriers.ts";

test("no request that rides in carriers is lost while the proxy behind them is restarted, though none may be sent twice", async (t) => {
  const { answered, failures, served, metrics } = await restartBehindCarriers(t, 1, 100);
  assert.deepEqual(failures, []);
  assert.equal(served, answered, "the application saw each exactly once");
  assert.match(metrics, /envoy_http_downstream_cx_http2_total\{[^}]*"carriers"\} [1-9]/);
});
