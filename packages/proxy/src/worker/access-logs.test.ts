import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLogger } from "@heddle/core";
import { emptyAccessLogRecord, MetricWriter } from "@heddle/telemetry";
import { AccessLogs, type BoundAccessLog, maxWaitingBytes } from "./access-logs.ts";
import { WorkerMetrics } from "./metrics.ts";

const megabyte = 1024 * 1024;
const record = emptyAccessLogRecord();

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-log-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A log whose lines are one MiB long. */
function openLog(path: string): { log: BoundAccessLog; logs: AccessLogs; lost: () => number } {
  const { accessLogLinesLost } = new WorkerMetrics(new MetricWriter({ announce: () => undefined }));
  const logs = new AccessLogs(silentLogger, accessLogLinesLost);
  const format = { kind: "text" as const, text: `${"x".repeat(megabyte - 1)}\n` };
  const [log] = logs.bind([
    { name: "", sink: { kind: "file", path }, format, omitEmptyValues: false, filter: undefined },
  ]);
  assert.ok(log);
  return { log, logs, lost: () => accessLogLinesLost.value };
}

test("lines above the limit of what may wait are dropped and counted, and those below it are written", async (t) => {
  // Nothing is written until somebody opens the other end.
  const path = join(await folderOf(t), "pipe");
  execFileSync("mkfifo", [path]);
  const { log, logs, lost } = openLog(path);
  for (let bytes = 0; bytes < maxWaitingBytes + 2 * megabyte; bytes += megabyte) log.write(record);
  assert.equal(lost(), 2);
  let size = 0;
  const read = async (): Promise<void> => {
    for await (const chunk of createReadStream(path, { end: maxWaitingBytes - 1 })) size += (chunk as Buffer).length;
  };
  await Promise.all([read(), logs.flush()]);
  assert.equal(size, maxWaitingBytes);
  assert.equal(lost(), 2);
});

test("lines of a log that cannot be written are counted", async (t) => {
  const { log, logs, lost } = openLog(join(await folderOf(t), "missing", "access.log"));
  log.write(record);
  log.write(record);
  await logs.flush();
  assert.equal(lost(), 2);
});
