import assert from "node:assert/strict";
import { test } from "node:test";
import { restartUnderLoad } from "../testing/restart-under-load.ts";

// Needs nothing but time, which `npm test` shall not take: see hot-restart-load.test.ts for three restarts.
test("nothing is lost in 100,000 requests and messages of every protocol over 20 restarts, and no counter goes backwards", async (t) => {
  const result = await restartUnderLoad(t, 20, 100_000);
  t.diagnostic(JSON.stringify({ ...result.answered, reads: result.reads }));
  assert.deepEqual(result.failures, []);
  assert.deepEqual(result.stepsBack, []);
  assert.deepEqual(result.counted, result.requests);
});
