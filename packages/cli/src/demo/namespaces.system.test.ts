// Needs root and Linux: network namespaces with redirection.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import { atEnd } from "../testing/at-end.ts";
import { HeddleProcess } from "../testing/heddle-process.ts";
import { playSabotage } from "../testing/sabotage-round.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("a demo in namespaces that is killed leaves no process, no namespace, no interface and no file", {
  timeout: 180_000,
}, async (context) => {
  const before = Object.keys(networkInterfaces());
  const temporary = temporaryFolder(context);
  const heddle = new HeddleProcess(["demo", "--mode", "namespaces", "--port", "0"], { env: { TMPDIR: temporary } });
  atEnd(context, () => heddle.dispose());
  await heddle.line(/The bookshop is open after/);
  assert.ok(Object.keys(networkInterfaces()).some((name) => name.startsWith("heddle") && !before.includes(name)));
  heddle.kill("SIGKILL");
  // Holders of namespaces carry the mark, too.
  await heddle.nothingLeft();
  assert.deepEqual(Object.keys(networkInterfaces()), before);
  assert.deepEqual(readdirSync(temporary), []);
});

// No other check can be asked in this mode alone; what each of them does to the others is shown in ports mode.
test("in namespaces, sabotaging interception turns exactly its line", { timeout: 240_000 }, () =>
  playSabotage("namespaces", ["interception"]),
);
