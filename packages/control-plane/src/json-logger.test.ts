import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

test("a process whose reader is gone logs on into nothing, and ends", { timeout: 20_000 }, async (context) => {
  const script = `import { JsonLogger } from ${JSON.stringify(new URL("./json-logger.ts", import.meta.url).href)};
const logger = new JsonLogger("info");
logger.info("up");
process.stdin.on("end", () => {
  logger.info("the parent is gone");
  logger.info("stopping");
  setImmediate(() => {
    logger.info("stopped");
    process.exit(0);
  });
}).resume();`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script]);
  context.after(() => child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const { level, msg, time } = JSON.parse(line.toString()) as Record<string, unknown>;
  assert.deepEqual([level, msg, typeof time], ["info", "up", "number"]);
  child.stdout.destroy();
  await once(child.stdout, "close");
  child.stdin.end();
  assert.deepEqual(await once(child, "exit"), [0, null]);
});
