import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import { scanFolder } from "./folder-scan.ts";
import { FolderSource } from "./folder-source.ts";
import type { FolderSnapshot } from "./folder-source.ts";

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-folder-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Collects snapshots; `next` waits for the first one that satisfies the condition. */
function collector(): {
  onSnapshot: (s: FolderSnapshot) => void;
  next: (f: (s: FolderSnapshot) => boolean) => Promise<FolderSnapshot>;
  seen: FolderSnapshot[];
} {
  const seen: FolderSnapshot[] = [];
  const waiting: { fits: (s: FolderSnapshot) => boolean; resolve: (s: FolderSnapshot) => void }[] = [];
  return {
    seen,
    onSnapshot: (snapshot) => {
      seen.push(snapshot);
      for (const entry of waiting.splice(0)) {
        if (entry.fits(snapshot)) entry.resolve(snapshot);
        else waiting.push(entry);
      }
    },
    next: (fits) => {
      const found = seen.find(fits);
      return found === undefined ? new Promise((resolve) => waiting.push({ fits, resolve })) : Promise.resolve(found);
    },
  };
}

async function started(t: TestContext, folder: string): Promise<ReturnType<typeof collector>> {
  const snapshots = collector();
  const source = new FolderSource({ folder, debounceMs: 10, logger: silentLogger, onSnapshot: snapshots.onSnapshot });
  t.after(() => source.close());
  await source.start();
  return snapshots;
}

test("resource files are found by their ending, in order, and hidden folders are passed over", async (t) => {
  const folder = await makeFolder(t);
  await mkdir(join(folder, "b", "deep"), { recursive: true });
  await mkdir(join(folder, ".heddle"));
  await mkdir(join(folder, "node_modules"));
  for (const path of [
    "z.yaml",
    "b/deep/a.yml",
    "b/c.json",
    "notes.txt",
    ".heddle/x.yaml",
    "node_modules/y.yaml",
    ".hidden.yaml",
  ]) {
    await writeFile(join(folder, path), path);
  }
  const { files, unreadable } = await scanFolder(folder);
  assert.deepEqual(
    files.map(({ path }) => path),
    ["b/c.json", "b/deep/a.yml", "z.yaml"],
  );
  assert.deepEqual(unreadable, []);
});

test("a changed file gives a new snapshot", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "a.yaml"), "one");
  const snapshots = await started(t, folder);
  await writeFile(join(folder, "a.yaml"), "two");
  const changed = await snapshots.next((snapshot) => snapshot.files[0]?.text === "two");
  assert.notEqual(changed.hash, snapshots.seen[0]?.hash);
});

test("a file in a folder that was made later is seen, and a deleted one leaves", async (t) => {
  const folder = await makeFolder(t);
  const snapshots = await started(t, folder);
  await mkdir(join(folder, "later"));
  await writeFile(join(folder, "later", "a.yaml"), "one");
  await snapshots.next((snapshot) => snapshot.files.length === 1);
  await rm(join(folder, "later"), { recursive: true });
  await snapshots.next((snapshot) => snapshot.files.length === 0 && snapshots.seen.length > 2);
});

test("an atomic swap of a linked folder is one change, as Kubernetes mounts a ConfigMap", async (t) => {
  const folder = await makeFolder(t);
  for (const generation of ["one", "two"]) {
    await mkdir(join(folder, `..${generation}`));
    await writeFile(join(folder, `..${generation}`, "a.yaml"), generation);
  }
  await symlink("..one", join(folder, "..data"));
  await symlink(join("..data", "a.yaml"), join(folder, "a.yaml"));
  const snapshots = await started(t, folder);
  assert.equal(snapshots.seen[0]?.files[0]?.text, "one");
  await symlink("..two", join(folder, "..data_tmp"));
  await rename(join(folder, "..data_tmp"), join(folder, "..data"));
  await snapshots.next((snapshot) => snapshot.files[0]?.text === "two");
  assert.deepEqual(
    snapshots.seen.map((snapshot) => snapshot.files.map(({ text }) => text)),
    [["one"], ["two"]],
  );
});

test("a file that is written again with the same content gives no snapshot", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "a.yaml"), "same");
  const snapshots = await started(t, folder);
  await writeFile(join(folder, "a.yaml"), "same");
  await writeFile(join(folder, "b.yaml"), "other");
  await snapshots.next((snapshot) => snapshot.files.length === 2);
  assert.equal(snapshots.seen.length, 2);
});

test("a link to a parent folder does not go round for ever", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "a.yaml"), "x");
  await symlink(folder, join(folder, "again"));
  assert.equal((await scanFolder(folder)).files.length, 1);
});

test("a file too large to be a resource is named and the others are read", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "big.yaml"), Buffer.alloc(5 * 1024 * 1024, 0x20));
  await writeFile(join(folder, "small.yaml"), "x");
  const { files, unreadable } = await scanFolder(folder);
  assert.deepEqual(
    files.map(({ path }) => path),
    ["small.yaml"],
  );
  assert.match(unreadable[0]?.reason ?? "", /at most 4194304 are read/);
});

test("a folder that does not exist is refused at the start", async (t) => {
  const folder = join(await makeFolder(t), "missing");
  const source = new FolderSource({
    folder,
    debounceMs: 10,
    logger: silentLogger,
    onSnapshot: () => assert.fail("no snapshot"),
  });
  await assert.rejects(source.start(), /ENOENT/);
});
