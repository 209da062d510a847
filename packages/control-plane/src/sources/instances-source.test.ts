import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { WorkloadInstance } from "@heddle/compiler";
import { writeStateFile } from "@heddle/state";
import { EventWaiter } from "@heddle/testkit";
import { instances } from "../testing/mesh-files.ts";
import { RecordingLogger } from "../testing/recording-logger.ts";
import { ShiftedClock } from "../testing/shifted-clock.ts";
import { writeInstances } from "./instances-file.ts";
import { InstancesSource } from "./instances-source.ts";

interface Registry {
  readonly path: string;
  readonly folder: string;
  readonly logger: RecordingLogger;
  readonly lists: (readonly WorkloadInstance[])[];
  readonly start: () => Promise<void>;
  /** Waits for a list of these ids. */
  readonly ids: (...wanted: string[]) => Promise<void>;
}

async function registry(t: TestContext): Promise<Registry> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-instances-"));
  const path = join(folder, "instances.json");
  const logger = new RecordingLogger();
  const events = new EventWaiter();
  const lists: (readonly WorkloadInstance[])[] = [];
  const source = new InstancesSource({
    path,
    debounceMs: 10,
    clock: new ShiftedClock(),
    logger,
    onInstances: (list) => {
      lists.push(list);
      events.notify();
    },
  });
  t.after(async () => {
    source.close();
    await rm(folder, { recursive: true });
  });
  return {
    path,
    folder,
    logger,
    lists,
    start: () => source.start(),
    ids: (...wanted) =>
      events.until(
        wanted.join(),
        () =>
          lists
            .at(-1)
            ?.map(({ id }) => id)
            .join() === wanted.join(),
      ),
  };
}

const [web, reviews] = instances;
assert.ok(web !== undefined && reviews !== undefined);

test("no file means no instances, and one that appears is read", async (t) => {
  const { start, lists, path, ids } = await registry(t);
  await start();
  assert.deepEqual(lists, [[]]);
  await writeInstances(path, [web]);
  await ids("web-0");
  await writeInstances(path, [web, reviews]);
  await ids("web-0", "reviews-v1-0");
});

test("a file that is written again with the same list is no change", async (t) => {
  const { start, lists, path, ids } = await registry(t);
  await writeInstances(path, [web]);
  await start();
  await writeInstances(path, [web]);
  await writeInstances(path, [reviews]);
  await ids("reviews-v1-0");
  assert.equal(lists.length, 2);
});

test("a damaged file is moved aside and said, and the last list stays", async (t) => {
  const { start, lists, path, folder, logger, ids } = await registry(t);
  await writeInstances(path, [web]);
  await start();
  await writeFile(path, "rubbish");
  await logger.until(/the list of instances cannot be trusted; the last one stays/);
  assert.ok((await readdir(folder)).some((name) => name.startsWith("instances.json.corrupt-")));
  assert.equal(lists.length, 1);
  await writeInstances(path, [reviews]);
  await ids("reviews-v1-0");
});

for (const [title, payload] of [
  ["is not JSON", "web"],
  ["is no list", "{}"],
  ["lists something else", '[{"id":"web-0"}]'],
] as const) {
  test(`a file with a good checksum that ${title} is moved aside`, async (t) => {
    const { start, lists, path, logger } = await registry(t);
    await writeStateFile(path, "instances", 1, Buffer.from(payload));
    await start();
    assert.match(logger.text, /it is not a list of instances/);
    assert.deepEqual(lists, [[]]);
  });
}

test("a file of a newer Heddle is left alone, and the last list stays", async (t) => {
  const { start, lists, path, folder, logger } = await registry(t);
  await writeInstances(path, [web]);
  await start();
  await writeStateFile(path, "instances", 99, Buffer.from("[]"));
  await logger.until(/written by a newer Heddle; the last one stays.*"formatVersion":99/);
  assert.deepEqual(await readdir(folder), ["instances.json"]);
  assert.equal(lists.length, 1);
});
