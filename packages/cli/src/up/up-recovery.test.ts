import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { answers, edgeUrl, kill, startMesh } from "../testing/live-mesh.ts";
import { smallMesh } from "../testing/small-mesh.ts";
import { temporaryFolder } from "../testing/temporary-folder.ts";

test("what crashes is started again: application, proxy, control plane", { timeout: 110_000 }, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const heddle = startMesh(context, folder);
  const url = await edgeUrl(heddle);
  await answers(url, "hello from back-0");
  kill(heddle, /control-plane\/src\/entry/);
  await heddle.line(/the control plane ended \(SIGKILL\); traffic goes on; started again/);
  await heddle.line(/the control plane is back; proxies reconnect/);
  await answers(url, "hello from back-0");
  kill(heddle, /main\.ts proxy .*back-0/);
  await heddle.line(/the proxy ended \(SIGKILL\); started again/);
  await answers(url, "hello from back-0");
  kill(heddle, /^\/bin\/sh -c .*server\.cjs/s);
  await heddle.line(/the application ended \(SIGKILL\); started again/);
  await answers(url, "hello from back-0");
  heddle.kill("SIGTERM");
  assert.equal(await heddle.end(), 0);
  await heddle.nothingLeft();
});

test("a proxy that lost its certificate and its last configuration joins again", {
  timeout: 110_000,
}, async (context) => {
  const folder = temporaryFolder(context, smallMesh);
  const heddle = startMesh(context, folder);
  const url = await edgeUrl(heddle);
  await answers(url, "hello from back-0");
  const proxy = join(folder, ".heddle/proxies/back-0");
  const given = ["bootstrap.json", "join-token", "trust-bundle.pem"];
  for (const name of readdirSync(proxy)) if (!given.includes(name)) rmSync(join(proxy, name), { recursive: true });
  kill(heddle, /main\.ts proxy .*back-0/);
  await heddle.line(/the proxy ended \(SIGKILL\)/);
  // A worker may answer for a moment after its supervisor's end: only the new certificate says that the proxy has joined again.
  while (!existsSync(join(proxy, "identity.state"))) await delay(20);
  await answers(url, "hello from back-0");
});
