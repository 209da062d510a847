import assert from "node:assert/strict";
import { join } from "node:path";
import { readdirSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { readRunFile, stateFolderName } from "@heddle/control-plane";
import { AdminClient } from "../local-mesh/admin-client.ts";
import { openDemo } from "../testing/live-demo.ts";
import { BookshopFiles } from "./bookshop-files.ts";
import { describeOutcome, EdgeClient } from "./edge-client.ts";
import { until } from "./running-demo.ts";

/** A running demo with its files, and a way to wait until an edit of them holds everywhere. */
async function openShop(context: TestContext) {
  const { heddle, temporary, url } = await openDemo(context);
  const [workspace = ""] = readdirSync(temporary);
  const folder = join(temporary, workspace, "bookshop");
  const run = await readRunFile(join(folder, stateFolderName));
  assert.ok(run.kind === "found");
  const admin = new AdminClient(run.run.adminAddress, run.run.token);
  const client = new EdgeClient(new URL(url).host);
  context.after(() => client.close());
  const files = new BookshopFiles(folder);
  const edit = async (file: string, change: (text: string) => string): Promise<void> => {
    const { configVersion } = await admin.proxies();
    await files.edit(file, change);
    const isInForce = async (): Promise<boolean> => {
      const now = await admin.proxies();
      return now.configVersion > configVersion && now.proxies.every(({ isSynced }) => isSynced);
    };
    assert.ok(await until(isInForce, 30_000), `the edit of ${file} is in force`);
  };
  return { heddle, client, edit };
}

/** How many of 200 additions succeed, some at a time, as a few customers would make them. */
async function additions(client: EdgeClient): Promise<number> {
  let succeeded = 0;
  for (let index = 0; index < 200; index += 10) {
    const body = JSON.stringify({ title: `Book ${index}`, author: "a1" });
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => client.send("/api/books", { method: "POST", body })),
    );
    for (const outcome of outcomes) {
      const { status, error } = outcome;
      assert.ok(error === "" && (status === 201 || status === 500), describeOutcome(outcome));
      if (status === 201) succeeded += 1;
    }
  }
  return succeeded;
}

test("the retry makes additions succeed, and the fault that can be switched on fails every caller, and the timeout holds", {
  timeout: 115_000,
}, async (context) => {
  const { heddle, client, edit } = await openShop(context);
  // Each try fails with one half: of 200, 187.5 succeed with four of them (six deviations are 21), 100 with one (six are 42).
  const withRetry = await additions(client);
  assert.ok(withRetry >= 166, `${withRetry} of 200 succeed with the retry`);
  await edit("mesh/books.yaml", (text) => text.replace(/ +retries:\n(?: {8}.*\n)+/, ""));
  const without = await additions(client);
  assert.ok(without >= 58 && without <= 142, `${without} of 200 succeed without it`);

  assert.equal((await client.send("/api/authors")).status, 200);
  await edit("mesh/authors.yaml", (text) => text.replace("value: 0", "value: 100"));
  assert.equal((await client.send("/api/authors")).status, 503);
  await edit("mesh/authors.yaml", (text) => text.replace("value: 100", "value: 0"));
  assert.equal((await client.send("/api/authors")).status, 200);

  await edit("mesh/reviews.yaml", (text) => text.replace("timeout: 10s", "timeout: 0.3s"));
  const reviews = heddle.family().filter(({ command }) => command.endsWith("services/reviews.ts"));
  for (const { pid } of reviews) process.kill(pid, "SIGSTOP");
  const late = await client.send("/api/reviews/1");
  for (const { pid } of reviews) process.kill(pid, "SIGCONT");
  assert.deepEqual([late.status, late.body], [504, "upstream request timeout"]);
});
