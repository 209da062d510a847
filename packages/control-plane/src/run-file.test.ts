import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { findRun, readRunFile, type RunFile, requireAlone, writeRunFile } from "./run-file.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "heddle-run-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

const run: RunFile = {
  formatVersion: 1,
  pid: 7,
  startTimeMs: 1_700_000_000_000,
  adminAddress: "127.0.0.1:1",
  xdsAddress: "127.0.0.1:2",
  token: "secret",
};

test("a run is found from its folder and from any folder below it, the nearest first", async (t) => {
  const top = await folder(t);
  const below = join(top, "services/web");
  await mkdir(below, { recursive: true });
  await writeRunFile(join(top, ".heddle"), run);
  const path = join(top, ".heddle/run.json");
  assert.deepEqual(await findRun(top), { kind: "found", path, run });
  assert.deepEqual(await findRun(below), { kind: "found", path, run });
  await writeRunFile(join(top, "services/.heddle"), { ...run, pid: 8 });
  const nearest = await findRun(below);
  assert.equal(nearest.kind === "found" && nearest.run.pid, 8);
});

test("without one there is none", async (t) => {
  assert.deepEqual(await findRun(await folder(t)), { kind: "absent" });
});

test("one that cannot be understood is told with its file and reason, and does not hide behind one above", async (t) => {
  const top = await folder(t);
  await writeRunFile(join(top, ".heddle"), run);
  const inner = join(top, "inner");
  await mkdir(join(inner, ".heddle"), { recursive: true });
  const path = join(inner, ".heddle/run.json");
  for (const [text, reason] of [
    ["{", "it is not JSON"],
    ["{}", "it has no format version"],
    ['{"formatVersion":1}', "adminAddress, token or pid is missing"],
  ] as const) {
    await writeFile(path, text);
    assert.deepEqual(await findRun(inner), { kind: "unreadable", path, reason });
  }
});

test("one of a newer Heddle stops a control plane and is left alone; one whose process is gone stops nobody", async (t) => {
  const stateDir = await folder(t);
  const path = join(stateDir, "run.json");
  await writeFile(path, '{"formatVersion":2,"where":"elsewhere"}');
  await assert.rejects(requireAlone(stateDir), /run\.json has format version 2, newer than this Heddle knows \(1\)/);
  assert.deepEqual(await readRunFile(stateDir), { kind: "newer", path, formatVersion: 2 });
  await writeRunFile(stateDir, run);
  await requireAlone(stateDir);
});
