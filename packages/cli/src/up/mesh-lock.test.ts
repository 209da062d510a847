import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { MeshLock } from "./mesh-lock.ts";

const fileName = "runner.json";

test("a folder is held by one at a time, and free again afterwards", async (context) => {
  const stateDir = join(temporaryFolder(context), ".heddle");
  const first = await MeshLock.acquire(stateDir);
  assert.ok(first.kind === "held");
  assert.equal(first.reclaimedFrom, undefined);
  assert.deepEqual(await MeshLock.acquire(stateDir), { kind: "taken", pid: process.pid });
  await first.lock.release();
  const second = await MeshLock.acquire(stateDir);
  assert.ok(second.kind === "held");
  await second.lock.release();
  assert.deepEqual(readdirSync(stateDir), []);
});

test("a copy of a folder that is held knows which it was copied from, and a folder that was moved is still held", async (context) => {
  const folder = temporaryFolder(context);
  const [original, copy, moved] = ["original", "copy", "moved"].map((name) => join(folder, name));
  const first = await MeshLock.acquire(original!);
  assert.ok(first.kind === "held");
  cpSync(original!, copy!, { recursive: true });
  assert.deepEqual(await MeshLock.acquire(copy!), { kind: "copied", from: realpathSync(original!), pid: process.pid });
  renameSync(original!, moved!);
  assert.deepEqual(await MeshLock.acquire(moved!), { kind: "taken", pid: process.pid });
});

test("the lock of a process that is gone is taken over, and said", async (context) => {
  const stateDir = temporaryFolder(context);
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  writeFileSync(join(stateDir, fileName), JSON.stringify({ formatVersion: 1, pid: child.pid, startedAt: "1" }));
  const result = await MeshLock.acquire(stateDir);
  assert.deepEqual([result.kind, result.kind === "held" ? result.reclaimedFrom : 0], ["held", child.pid]);
});

test("a later process with the same id is not the owner", async (context) => {
  const stateDir = temporaryFolder(context);
  writeFileSync(join(stateDir, fileName), JSON.stringify({ formatVersion: 1, pid: process.pid, startedAt: "1" }));
  assert.equal((await MeshLock.acquire(stateDir)).kind, "held");
});

test("a lock file that was cut off holds nothing", async (context) => {
  const stateDir = temporaryFolder(context, { [fileName]: '{"formatVer' });
  assert.equal((await MeshLock.acquire(stateDir)).kind, "held");
  assert.equal((JSON.parse(readFileSync(join(stateDir, fileName), "utf8")) as { pid: number }).pid, process.pid);
});

test("the lock of a newer Heddle is left alone", async (context) => {
  const text = '{"formatVersion":2,"owner":"somebody"}';
  const stateDir = temporaryFolder(context, { [fileName]: text });
  const path = join(stateDir, fileName);
  await assert.rejects(
    MeshLock.acquire(stateDir),
    /runner\.json has format version 2, newer than this Heddle knows \(1\)/,
  );
  assert.equal(readFileSync(path, "utf8"), text);
});

test("of many who find a dead owner at once, one gets the folder", { timeout: 60_000 }, async (context) => {
  const stateDir = temporaryFolder(context, {
    [fileName]: JSON.stringify({ formatVersion: 1, pid: 2 ** 22 + 1, startedAt: "1" }),
  });
  const script = `
    import { MeshLock } from ${JSON.stringify(new URL("./mesh-lock.ts", import.meta.url).href)};
    const result = await MeshLock.acquire(${JSON.stringify(stateDir)});
    console.log(result.kind);
    process.stdin.resume();`;
  const children = Array.from({ length: 6 }, () =>
    spawn(process.execPath, ["--input-type=module-typescript", "-e", script]),
  );
  const answers = await Promise.all(
    children.map(async (child) => String((await once(child.stdout, "data"))[0]).trim()),
  );
  assert.deepEqual(answers.filter((answer) => answer === "held").length, 1);
  for (const child of children) {
    child.kill("SIGKILL");
    await once(child, "close");
  }
});
