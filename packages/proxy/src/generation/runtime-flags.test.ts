import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import { startFlags } from "./runtime-flags.ts";

const run = promisify(execFile);

test("a generation may use the runtime's own compiled modules", async () => {
  const tags = await Promise.all(
    [[], startFlags].map(async (flags) => {
      const { stdout } = await run(process.execPath, [...flags, "-p", "v8.cachedDataVersionTag()"]);
      return stdout.trim();
    }),
  );
  assert.match(tags[0] ?? "", /^\d+$/);
  assert.equal(tags[1], tags[0]);
});
