import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../testing/temporary-folder.ts";
import { LogFiles } from "./log-files.ts";

test("each process has a file, the files of an earlier run are gone, and nobody else may read them", async (context) => {
  const folder = join(temporaryFolder(context, { "logs/old.log": "old" }), "logs");
  const logs = new LogFiles(folder, assert.fail);
  logs.write("api-0", "before it is open");
  logs.open();
  logs.write("api-0", "one");
  logs.write("api-0/proxy", "two");
  logs.write("api-0", "three");
  await logs.close();
  assert.equal(readFileSync(join(folder, "api-0.log"), "utf8"), "one\nthree\n");
  assert.equal(readFileSync(join(folder, "api-0.proxy.log"), "utf8"), "two\n");
  assert.equal(existsSync(join(folder, "old.log")), false);
  assert.deepEqual([statSync(folder).mode & 0o777, statSync(join(folder, "api-0.log")).mode & 0o777], [0o700, 0o600]);
});

test("a log that has grown big is moved aside once", async (context) => {
  const folder = temporaryFolder(context);
  const logs = new LogFiles(folder, assert.fail, { maxFileBytes: 100 });
  logs.open();
  for (let line = 0; line < 30; line += 1) logs.write("api-0", `line ${line} ${"x".repeat(10)}`);
  await logs.close();
  const [before = "", now = ""] = ["api-0.log.1", "api-0.log"].map((name) => readFileSync(join(folder, name), "utf8"));
  const numbers = [...(before + now).matchAll(/line (\d+)/g)].map((match) => Number(match[1]));
  assert.deepEqual(
    numbers,
    Array.from({ length: numbers.length }, (_, index) => 30 - numbers.length + index),
  );
  assert.ok(numbers.length > 3 && before.length <= 130 && now.length <= 130);
});

test("a folder that cannot be written is said once", async (context) => {
  const folder = join(temporaryFolder(context), "logs");
  const problems: string[] = [];
  let said: () => void;
  const isSaid = new Promise<void>((resolve) => (said = resolve));
  const logs = new LogFiles(folder, (message) => {
    problems.push(message);
    said();
  });
  logs.open();
  // No name may be this long (NAME_MAX).
  logs.write("x".repeat(300), "one");
  logs.write("y".repeat(300), "two");
  await isSaid;
  await logs.close();
  assert.equal(problems.length, 1);
  assert.match(problems[0] ?? "", /logs are no longer written/);
});
