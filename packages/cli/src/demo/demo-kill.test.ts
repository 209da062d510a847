import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { atEnd } from "../testing/at-end.ts";
import { HeddleProcess } from "../testing/heddle-process.ts";
import { nothingStays, openDemo } from "../testing/live-demo.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("SIGKILL of the demo leaves nothing", { timeout: 115_000 }, async (context) => {
  const live = await openDemo(context);
  live.heddle.kill("SIGKILL");
  await live.heddle.end();
  await nothingStays(live);
});

test("told to stop in the middle of a check, it ends with 1 and leaves nothing", {
  timeout: 115_000,
}, async (context) => {
  const temporary = temporaryFolder(context);
  const heddle = new HeddleProcess(["demo", "--mode", "ports", "--check", "--port", "0"], {
    env: { TMPDIR: temporary },
  });
  atEnd(context, () => heddle.dispose());
  await heddle.line(/^√ mtls: /);
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 1);
  await heddle.nothingLeft();
  assert.deepEqual(readdirSync(temporary), []);
});
