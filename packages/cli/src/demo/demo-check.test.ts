import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { atEnd } from "../testing/at-end.ts";
import { HeddleProcess } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { checksOf } from "./check-names.ts";
import type { CheckReport } from "./demo.ts";

test("an intact bookshop passes every check, and nothing of it stays", { timeout: 115_000 }, async (context) => {
  const temporary = temporaryFolder(context);
  const heddle = new HeddleProcess(["demo", "--mode", "ports", "--check", "--port", "0", "--output", "json"], {
    env: { TMPDIR: temporary },
  });
  atEnd(context, () => heddle.dispose());
  const code = await heddle.end();
  const report = JSON.parse(heddle.stdout) as CheckReport;
  assert.deepEqual(
    report.checks.map(({ name, problems }) => [name, ...problems]),
    checksOf("ports").map((name) => [name]),
  );
  assert.deepEqual([code, report.ok, heddle.stderr], [0, true, ""]);
  assert.ok(report.readySeconds > 0, "how long it took until all were ready is told");
  for (const { name, evidence, sabotaged } of report.checks) assert.ok(evidence !== "" && !sabotaged, name);
  await heddle.nothingLeft();
  assert.deepEqual(readdirSync(temporary), []);
});
