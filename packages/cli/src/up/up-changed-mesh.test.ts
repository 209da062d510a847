import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { answers, edgeUrl, startMesh } from "../testing/live-mesh.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("a changed LocalMesh that cannot be carried out is tried again until it is", {
  timeout: 110_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const heddle = startMesh(context, folder);
  const url = await edgeUrl(heddle);
  await answers(url, "hello from back-0");
  const list = join(folder, ".heddle/instances.json");
  rmSync(list);
  mkdirSync(list);
  const changed = (smallMesh["mesh.yaml"] ?? "").replaceAll("calls: []", "calls: []\n      env: { GREETING: goodbye }");
  writeFileSync(join(folder, "mesh.yaml"), changed);
  await heddle.line(/the changed LocalMesh could not be carried out: EISDIR.*; tried again in \d+ ms/);
  await heddle.line(/the changed LocalMesh could not be carried out: .*; tried again in 1000 ms/);
  rmSync(list, { recursive: true });
  await heddle.line(/√ in force ~ LocalMesh default\/small/);
  await answers(url, "goodbye from back-0");
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 0);
  await heddle.nothingLeft();
});
