import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { ParsedResource } from "@heddle/api";
import { parseFile, serializeAccepted } from "@heddle/api";
import { writeStateFile } from "@heddle/state";
import { meshFile, timeoutFile } from "../testing/mesh-files.ts";
import { ShiftedClock } from "../testing/shifted-clock.ts";
import { AcceptedStore } from "./accepted-store.ts";

async function open(t: TestContext): Promise<{ store: AcceptedStore; directory: string; path: string }> {
  const directory = await mkdtemp(join(tmpdir(), "heddle-accepted-"));
  t.after(() => rm(directory, { recursive: true }));
  return {
    store: new AcceptedStore(directory, new ShiftedClock()),
    directory,
    path: join(directory, "resources.state"),
  };
}

function resources(...texts: string[]): readonly ParsedResource[] {
  return texts.flatMap((text, index) => parseFile(text, `${index}.yaml`).resources);
}

function names(list: readonly ParsedResource[]): string[] {
  return list.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
}

test("what was written is read back, with its place", async (t) => {
  const { store } = await open(t);
  assert.deepEqual(await store.read(), { resources: [], problem: undefined });
  await store.write(resources(meshFile, timeoutFile("3s")));
  const restored = await store.read();
  assert.equal(restored.problem, undefined);
  assert.deepEqual(names(restored.resources), ["LocalMesh test", "VirtualService reviews"]);
  assert.deepEqual(restored.resources[1]?.source, { file: "1.yaml", line: 1 });
});

test("of writes at the same time the last one is what stays", async (t) => {
  const { store } = await open(t);
  await Promise.all([3, 4, 5].map((seconds) => store.write(resources(timeoutFile(`${seconds}s`)))));
  assert.match(JSON.stringify((await store.read()).resources[0]?.spec), /"5s"/);
});

test("the end waits for what is still being written", async (t) => {
  const { store } = await open(t);
  void store.write(resources(meshFile));
  await store.flush();
  assert.equal((await store.read()).resources.length, 1);
});

const damaged: readonly [title: string, spoil: (path: string) => Promise<void>, problem: RegExp][] = [
  ["is damaged", (path) => writeFile(path, "rubbish"), /no state file header; moved to .*, resources are read afresh/],
  [
    "has a good checksum and another content",
    (path) => writeStateFile(path, "accepted-resources", 1, Buffer.from("[]")),
    /its content is not understood; moved to .*, resources are read afresh/,
  ],
];
for (const [title, spoil, problem] of damaged) {
  test(`a file that ${title} is moved aside and said`, async (t) => {
    const { store, directory, path } = await open(t);
    await spoil(path);
    const restored = await store.read();
    assert.deepEqual(restored.resources, []);
    assert.match(restored.problem ?? "", problem);
    const [left, ...others] = await readdir(directory);
    assert.match(left ?? "", /^resources\.state\.corrupt-/);
    assert.deepEqual(others, []);
  });
}

test("a file of a newer Heddle is refused and left alone", async (t) => {
  const { store, directory, path } = await open(t);
  await writeStateFile(path, "accepted-resources", 2, Buffer.from("{}"));
  await assert.rejects(
    store.read(),
    /format version 2, newer than this Heddle knows \(1\). Run the version that wrote it/,
  );
  assert.deepEqual(await readdir(directory), ["resources.state"]);
});

test("what this version does not accept any more is named, and the rest is in force", async (t) => {
  const { store, path } = await open(t);
  const stored = serializeAccepted(resources(meshFile, timeoutFile("3s"))).replace('"timeout":"3s"', '"patience":"3s"');
  await writeStateFile(path, "accepted-resources", 1, Buffer.from(stored));
  const restored = await store.read();
  assert.deepEqual(names(restored.resources), ["LocalMesh test"]);
  assert.match(
    restored.problem ?? "",
    /does not accept what another version accepted: VirtualService default\/reviews/,
  );
});
