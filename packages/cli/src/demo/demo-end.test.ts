import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { HeddleProcess, runHeddle } from "../testing/heddle-process.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

interface LiveDemo {
  readonly heddle: HeddleProcess;
  readonly temporary: string;
  readonly url: string;
}

async function open(context: TestContext): Promise<LiveDemo> {
  const temporary = temporaryFolder(context);
  const heddle = new HeddleProcess(["demo", "--port", "0"], { env: { TMPDIR: temporary } });
  context.after(() => heddle.dispose());
  const url = /http:\S+/.exec(await heddle.line(/The bookshop is open after [\d.]+ s: http/))?.[0] ?? "";
  return { heddle, temporary, url };
}

/** No process, no listening port, no temporary file. */
async function nothingStays({ heddle, temporary, url }: LiveDemo): Promise<void> {
  await heddle.nothingLeft();
  await assert.rejects(fetch(url));
  assert.deepEqual(readdirSync(temporary), []);
}

test("the demo shows its page and a table of traffic, and Ctrl-C leaves nothing", {
  timeout: 115_000,
}, async (context) => {
  const live = await open(context);
  const { heddle, url } = live;
  const page = await fetch(url);
  assert.deepEqual([page.status, page.headers.get("content-type")], [200, "text/html; charset=utf-8"]);
  assert.match(await page.text(), /<h1>Bookshop<\/h1>/);
  await heddle.line(/^SERVICE +SUCCESS +RPS +P50 MS +P95 MS +P99 MS$/);
  for (const service of ["authors", "books", "ratings", "reviews", "web"])
    await heddle.line(new RegExp(`^${service} .* %  +[\\d.]+`));
  assert.ok(!heddle.stdout.includes("\u001b"), "in a pipe nothing is drawn over, and nothing has colour");
  heddle.kill("SIGINT");
  assert.equal(await heddle.end(), 0);
  await nothingStays(live);
});

test("SIGKILL of the demo leaves nothing", { timeout: 115_000 }, async (context) => {
  const live = await open(context);
  live.heddle.kill("SIGKILL");
  await live.heddle.end();
  await nothingStays(live);
});

test("told to stop in the middle of a check, it ends with 1 and leaves nothing", {
  timeout: 115_000,
}, async (context) => {
  const temporary = temporaryFolder(context);
  const heddle = new HeddleProcess(["demo", "--check", "--port", "0"], { env: { TMPDIR: temporary } });
  context.after(() => heddle.dispose());
  await heddle.line(/^√ mtls: /);
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 1);
  await heddle.nothingLeft();
  assert.deepEqual(readdirSync(temporary), []);
});

test("a port in use is named with the remedy, and nothing was started", { timeout: 30_000 }, async (context) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const temporary = temporaryFolder(context);
  const { code, stderr } = await runHeddle(["demo", "--port", String(port)], { env: { TMPDIR: temporary } });
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^heddle: port ${port} on 127\\.0\\.0\\.1 is in use: .*\n→ Choose another with --port`),
  );
  assert.deepEqual(readdirSync(temporary), []);
});
