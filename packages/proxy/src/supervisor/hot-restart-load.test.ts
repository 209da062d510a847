import assert from "node:assert/strict";
import { test } from "node:test";
import { restartUnderLoad } from "../testing/restart-under-load.ts";

test("nothing is lost, and no counter goes backwards, while a proxy under load of every protocol is restarted", async (t) => {
  const { failures, stepsBack, answered, reads, requests, counted } = await restartUnderLoad(t, 3, 2_000);
  assert.deepEqual(failures, []);
  assert.deepEqual(stepsBack, []);
  assert.deepEqual(counted, requests);
  for (const [kind, count] of Object.entries(answered)) assert.ok(count > 0, `${kind}: ${count}`);
  assert.ok(reads > 3);
});
