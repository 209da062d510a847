import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { type Clock, type Logger, silentLogger } from "@heddle/core";
import { EventWaiter } from "@heddle/testkit";
import { systemClock } from "../system-clock.ts";
import { RecordingLogger } from "../testing/recording-logger.ts";
import type { UnreadablePath } from "./folder-scan.ts";
import { scanFolder } from "./folder-scan.ts";
import { FolderSource } from "./folder-source.ts";
import type { FolderSnapshot, FolderSourceOptions } from "./folder-source.ts";

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-folder-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Collects snapshots; `next` waits for the first one that satisfies the condition. */
function collector(): {
  onSnapshot: FolderSourceOptions["onSnapshot"];
  next: (fits: (snapshot: FolderSnapshot) => boolean) => Promise<FolderSnapshot>;
  seen: FolderSnapshot[];
  unreadable: (readonly UnreadablePath[])[];
} {
  const seen: FolderSnapshot[] = [];
  const unreadable: (readonly UnreadablePath[])[] = [];
  const events = new EventWaiter();
  return {
    seen,
    unreadable,
    onSnapshot: (snapshot, paths) => {
      seen.push(snapshot);
      unreadable.push(paths);
      events.notify();
    },
    next: async (fits) => {
      await events.until("a snapshot", () => seen.some(fits));
      return seen.find(fits)!;
    },
  };
}

async function started(
  t: TestContext,
  folder: string,
  {
    settleMs = 20,
    logger = silentLogger,
    clock = systemClock,
  }: { settleMs?: number; logger?: Logger; clock?: Clock } = {},
): Promise<ReturnType<typeof collector>> {
  const snapshots = collector();
  const { onSnapshot } = snapshots;
  const source = new FolderSource({ folder, debounceMs: 10, settleMs, clock, logger, onSnapshot });
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

/** Texts of one file over all snapshots so far, undefined where it was missing. */
const textsOf = (seen: readonly FolderSnapshot[], name: string): (string | undefined)[] =>
  seen.map(({ files }) => files.find(({ path }) => path === name)?.text);

const halves: readonly [title: string, leaves: RegExp, halve: (path: string) => Promise<void>][] = [
  ["emptied", /a\.yaml: 0/, (path) => writeFile(path, "")],
  ["written to its middle", /a\.yaml: 5/, (path) => writeFile(path, "first")],
  ["removed", /a\.yaml: gone/, (path) => rm(path)],
];
for (const [title, leaves, halve] of halves) {
  test(`a file that is ${title} and then written whole is never seen so`, async (t) => {
    const folder = await makeFolder(t);
    const path = join(folder, "a.yaml");
    await writeFile(path, "first and second");
    const logger = new RecordingLogger();
    let shiftMs = 0;
    const clock = { wallMs: Date.now, monotonicMs: () => performance.now() + shiftMs };
    const { next, seen } = await started(t, folder, { settleMs: 900_000, logger, clock });
    await halve(path);
    await logger.until(leaves);
    await writeFile(path, "first and changed");
    await logger.until(/a\.yaml: 17/);
    shiftMs = 1_000_000;
    await writeFile(join(folder, "notes.txt"), "wakes the reader");
    await next(({ files }) => files[0]?.text === "first and changed");
    assert.deepEqual(textsOf(seen, "a.yaml"), ["first and second", "first and changed"]);
  });
}

test("a file that stays shorter counts", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "a.yaml"), "first and second");
  const { next } = await started(t, folder);
  await writeFile(join(folder, "a.yaml"), "first");
  await next(({ files }) => files[0]?.text === "first");
});

const growing: readonly [title: string, before: string, pieces: readonly string[]][] = [
  ["grows past its old length", "old: 1\n", ["", "new: 1\n---\n", "new: 1\n---\nnew: 2\n"]],
  [
    "ends within a line at first",
    "old: 1\n",
    ["new: 1\n---\nne", "new: 1\n---\nnew: 2\n---\n", "new: 1\n---\nnew: 2\n---\nnew: 3\n"],
  ],
];

for (const [title, before, pieces] of growing) {
  test(`a file that is written in pieces and ${title} counts when it rests`, async (t) => {
    const folder = await makeFolder(t);
    const path = join(folder, "a.yaml");
    await writeFile(path, before);
    const logger = new RecordingLogger();
    let shiftMs = 0;
    const clock = { wallMs: Date.now, monotonicMs: () => performance.now() + shiftMs };
    // Longer than it waits for one file: only a rest ends the doubt here.
    const { next, seen } = await started(t, folder, { settleMs: 900_000, logger, clock });
    for (const piece of pieces) {
      await writeFile(path, piece);
      await logger.until(new RegExp(`a\\.yaml: ${piece.length}\\b`));
    }
    assert.deepEqual(textsOf(seen, "a.yaml"), [before]);
    shiftMs = 1_000_000;
    await writeFile(join(folder, "notes.txt"), "wakes the reader");
    await next(({ files }) => files[0]?.text === pieces.at(-1));
  });
}

test("a file that was written whole again is given as much time when it is emptied once more", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "a.yaml");
  await writeFile(path, "first and second");
  const logger = new RecordingLogger();
  const clock = { wallMs: Date.now, monotonicMs: () => performance.now() + shiftMs };
  let shiftMs = 0;
  const { onSnapshot, seen } = collector();
  const source = new FolderSource({ folder, debounceMs: 10, settleMs: 900_000, clock, logger, onSnapshot });
  t.after(() => source.close());
  await source.start();
  await writeFile(path, "");
  await logger.until(/a\.yaml: 0/);
  await writeFile(path, "first and second");
  await logger.until(/in doubt any more/);
  shiftMs = 1_000_000;
  logger.lines.length = 0;
  await writeFile(path, "");
  await logger.until(/a\.yaml: 0/);
  assert.deepEqual(textsOf(seen, "a.yaml"), ["first and second"]);
});

test("a file that is gone and in doubt keeps its place before the others", async (t) => {
  const folder = await makeFolder(t);
  for (const name of ["a.yaml", "b.yaml", "c.yaml"]) await writeFile(join(folder, name), "one");
  const logger = new RecordingLogger();
  let shiftMs = 0;
  const clock = { wallMs: Date.now, monotonicMs: () => performance.now() + shiftMs };
  const { onSnapshot, next } = collector();
  const source = new FolderSource({ folder, debounceMs: 10, settleMs: 3_600_000, clock, logger, onSnapshot });
  t.after(() => source.close());
  await source.start();
  await rm(join(folder, "a.yaml"));
  await logger.until(/a\.yaml: gone/);
  // Long enough for the others not to wait for it any more, too short for it to be believed.
  shiftMs = 60_000;
  await writeFile(join(folder, "b.yaml"), "two");
  const { files } = await next((snapshot) => snapshot.files.some(({ text }) => text === "two"));
  assert.deepEqual(
    files.map(({ path, text }) => `${path} ${text}`),
    ["a.yaml one", "b.yaml two", "c.yaml one"],
  );
});

test("a file that is written all the time does not hold up a change of another", async (t) => {
  const folder = await makeFolder(t);
  const [policy, counter] = [join(folder, "a.yaml"), join(folder, "counter.json")];
  await writeFile(policy, "one");
  await writeFile(counter, "x".repeat(100));
  const { next, seen } = await started(t, folder, { settleMs: 100 });
  let length = 0;
  const busy = setInterval(() => writeFileSync(counter, "x".repeat((length = (length + 1) % 90))), 50);
  t.after(() => clearInterval(busy));
  await writeFile(policy, "two, longer");
  await next(({ files }) => files.find(({ path }) => path === "a.yaml")?.text === "two, longer");
  assert.deepEqual(textsOf(seen, "counter.json"), ["x".repeat(100), "x".repeat(100)]);
  // Shorter, and at rest: the counter goes on.
  await writeFile(policy, "3");
  await next(({ files }) => files.find(({ path }) => path === "a.yaml")?.text === "3");
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

test("a folder behind a link that is swapped is watched from then on", async (t) => {
  const folder = await makeFolder(t);
  const outside = await makeFolder(t);
  for (const generation of ["v1", "v2"]) {
    await mkdir(join(outside, generation));
    await writeFile(join(outside, generation, "a.yaml"), generation);
  }
  await symlink(join(outside, "v1"), join(folder, "conf"));
  const snapshots = await started(t, folder);
  await symlink(join(outside, "v2"), join(folder, ".conf_tmp"));
  await rename(join(folder, ".conf_tmp"), join(folder, "conf"));
  await snapshots.next((snapshot) => snapshot.files[0]?.text === "v2");
  await writeFile(join(outside, "v2", "a.yaml"), "v2, edited");
  await snapshots.next((snapshot) => snapshot.files[0]?.text === "v2, edited");
});

test("a swapped link on the way to the folder, or to a file in it, is seen", async (t) => {
  const outside = await makeFolder(t);
  for (const generation of ["v1", "v2"]) {
    await mkdir(join(outside, generation));
    await writeFile(join(outside, generation, "a.yaml"), generation);
  }
  await symlink("v1", join(outside, "current"));
  const folder = await makeFolder(t);
  await symlink(join(outside, "current", "a.yaml"), join(folder, "a.yaml"));
  const [itself, holder] = [await started(t, join(outside, "current")), await started(t, folder)];
  await symlink("v2", join(outside, "next"));
  await rename(join(outside, "next"), join(outside, "current"));
  for (const { next } of [itself, holder]) await next((snapshot) => snapshot.files[0]?.text === "v2");
  await writeFile(join(outside, "v2", "a.yaml"), "v2, edited");
  for (const { next } of [itself, holder]) await next((snapshot) => snapshot.files[0]?.text === "v2, edited");
});

test("of a folder on the way that holds a link only the link is of interest", async (t) => {
  const outside = await realpath(await makeFolder(t));
  await mkdir(join(outside, "v1"));
  await symlink("v1", join(outside, "current"));
  const { links, folders } = await scanFolder(join(outside, "current"));
  assert.deepEqual([...(links.get(outside) ?? [])], ["current"]);
  assert.deepEqual([...folders], [join(outside, "v1")]);
});

test("a change of a file behind a link out of the folder is seen", async (t) => {
  const folder = await makeFolder(t);
  const outside = await makeFolder(t);
  await writeFile(join(outside, "a.yaml"), "one");
  await symlink(join(outside, "a.yaml"), join(folder, "a.yaml"));
  const snapshots = await started(t, folder);
  await writeFile(join(outside, "a.yaml"), "two");
  await snapshots.next((snapshot) => snapshot.files[0]?.text === "two");
});

test("a folder that is removed and made again at once is still watched", async (t) => {
  const folder = await makeFolder(t);
  const inner = join(folder, "inner");
  await mkdir(inner);
  await writeFile(join(inner, "a.yaml"), "one");
  const snapshots = await started(t, folder);
  await rm(inner, { recursive: true });
  await mkdir(inner);
  await writeFile(join(inner, "a.yaml"), "two");
  await snapshots.next((snapshot) => snapshot.files[0]?.text === "two");
  await writeFile(join(inner, "a.yaml"), "three");
  await snapshots.next((snapshot) => snapshot.files[0]?.text === "three");
});

test("a file that cannot be read from its first day is reported", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "a.yaml"), "one");
  const snapshots = await started(t, folder);
  // A link to itself cannot be read by anybody, root included.
  await symlink("loop.yaml", join(folder, "loop.yaml"));
  await snapshots.next(() => snapshots.unreadable.at(-1)?.[0]?.path === "loop.yaml");
});

test("a reader that fails is asked again at the next change", async (t) => {
  const folder = await makeFolder(t);
  await writeFile(join(folder, "a.yaml"), "one");
  const snapshots = collector();
  const logger = new RecordingLogger();
  const source = new FolderSource({
    folder,
    debounceMs: 10,
    logger,
    onSnapshot: (snapshot, unreadable) => {
      if (snapshot.files[0]?.text === "poison") throw new Error("not this one");
      snapshots.onSnapshot(snapshot, unreadable);
    },
  });
  t.after(() => source.close());
  await source.start();
  await writeFile(join(folder, "a.yaml"), "poison");
  await logger.until(/not this one/);
  await writeFile(join(folder, "a.yaml"), "two");
  await snapshots.next((snapshot) => snapshot.files[0]?.text === "two");
});

test("folders deeper than anybody means are named, not passed over in silence", async (t) => {
  const folder = await makeFolder(t);
  const deep = join(folder, ...Array.from({ length: 17 }, (_, index) => `d${index}`));
  await mkdir(deep, { recursive: true });
  await writeFile(join(deep, "a.yaml"), "x");
  const { files, unreadable } = await scanFolder(folder);
  assert.deepEqual(files, []);
  assert.match(unreadable[0]?.reason ?? "", /more than 16 folders deep/);
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
