import assert from "node:assert/strict";
import { test } from "node:test";
import { restartBehindCarriers } from "../testing/restart-behind-carriers.ts";

// Needs nothing but time, which `npm test` shall not take: see hot-restart-carriers.test.ts for one restart.
test("no request that rides in carriers is lost over 20 restarts of the proxy behind them, though none may be sent twice", async (t) => {
  const { answered, failures, served, metrics } = await restartBehindCarriers(t, 20, 500);
  t.diagnostic(`${answered} requests`);
  assert.deepEqual(failures, []);
  assert.equal(served, answered, "the application saw each exactly once");
  assert.match(metrics, /envoy_http_downstream_cx_http2_total\{[^}]*"carriers"\} [1-9]/);
});
