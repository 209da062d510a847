import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { prepareStateDirectory, readStateFile, replaceFile, writeStateFile } from "./state-file.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "heddle-state-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test("a state file is read back as it was written and only its owner may read it", async (t) => {
  const path = join(await folder(t), "resources.state");
  await writeStateFile(path, "resources", 1, Buffer.from("first"));
  await writeStateFile(path, "resources", 1, Buffer.from("second\nline"));
  const content = await readStateFile(path, "resources", 1, 0);
  assert.equal(content.kind === "read" && content.payload.toString(), "second\nline");
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("writing a state file leaves no temporary file behind", async (t) => {
  const directory = await folder(t);
  await writeStateFile(join(directory, "a"), "a", 1, Buffer.from("x"));
  await assert.rejects(writeStateFile(join(directory, "missing", "a"), "a", 1, Buffer.from("x")));
  assert.deepEqual(await readdir(directory), ["a"]);
});

test("writers of one path at once do not write into each other's file", async (t) => {
  const directory = await folder(t);
  const path = join(directory, "a");
  // Of different lengths: a shared file would hold the end of a longer one, or be gone when the second is renamed.
  const texts = Array.from({ length: 20 }, (_, index) => String(index).repeat(200_000 - 5000 * index));
  await Promise.all(texts.map((text) => replaceFile(path, text)));
  assert.ok(texts.includes(await readFile(path, "utf8")));
  assert.deepEqual(await readdir(directory), ["a"]);
});

test("what a killed writer left is removed at the next start, and that of a living one is not", async (t) => {
  const directory = await folder(t);
  const { pid: dead } = spawnSync(process.execPath, ["--version"]);
  const names = [`a.${dead}-0123456789ab.tmp`, `a.${process.pid}-0123456789ab.tmp`, "b.tmp"];
  for (const name of names) await writeFile(join(directory, name), "half");
  prepareStateDirectory(directory);
  assert.deepEqual((await readdir(directory)).sort(), names.slice(1));
});

test("a state file that is not there is absent", async (t) => {
  assert.deepEqual(await readStateFile(join(await folder(t), "a"), "a", 1, 0), { kind: "absent" });
});

const corruptions: [title: string, change: (content: Buffer) => Buffer, reason: RegExp][] = [
  ["has a flipped byte", (content) => Buffer.from(content.toString().replace("payload", "pAyload")), /checksum/],
  ["is cut short", (content) => content.subarray(0, content.length - 1), /checksum/],
  ["is empty", () => Buffer.alloc(0), /header/],
  ["is not a state file", () => Buffer.from("hello\nworld"), /header/],
  [
    "holds something else",
    (content) => Buffer.from(content.toString().replace('"thing"', '"other"')),
    /holds other, not thing/,
  ],
];
for (const [title, change, reason] of corruptions) {
  test(`a state file that ${title} is moved aside with its reason`, async (t) => {
    const directory = await folder(t);
    const path = join(directory, "thing.state");
    await writeStateFile(path, "thing", 1, Buffer.from("payload"));
    const changed = change(await readFile(path));
    await writeFile(path, changed);
    const content = await readStateFile(path, "thing", 1, 1_700_000_000_000);
    assert.equal(content.kind, "corrupt");
    assert.match(content.kind === "corrupt" ? content.reason : "", reason);
    assert.deepEqual(await readdir(directory), ["thing.state.corrupt-2023-11-14T22-13-20.000Z"]);
  });
}

test("a state file of a newer format is refused and left where it is", async (t) => {
  const directory = await folder(t);
  const path = join(directory, "thing.state");
  await writeStateFile(path, "thing", 2, Buffer.from("payload"));
  assert.deepEqual(await readStateFile(path, "thing", 1, 0), { kind: "newer", formatVersion: 2 });
  assert.deepEqual(await readdir(directory), ["thing.state"]);
});

test("a state directory that others could read is tightened", async (t) => {
  const path = join(await folder(t), "state");
  prepareStateDirectory(path);
  assert.equal((await stat(path)).mode & 0o777, 0o700);
});
