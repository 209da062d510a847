import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "@heddle/testkit";
import { buildDistribution, ensureDistribution } from "./distribution.ts";

// Outside the repository: nothing of its sources and packages is found from there.
const folder = mkdtempSync(join(tmpdir(), "heddle-distribution-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const bundled = await buildDistribution(join(folder, "heddle"));

function heddle(t: TestContext, ...args: string[]): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [join(folder, "heddle/bin/heddle.js"), ...args], {
    cwd: folder,
    env: { ...process.env, XDG_CACHE_HOME: join(folder, "cache") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
  t.after(() => child.kill("SIGKILL"));
  return { child, output: () => output };
}

test("what is installed is bundled JavaScript that says its version and completes its own command line", async (t) => {
  assert.ok(bundled.every(({ path }) => /\.(js|txt)$/.test(path)));
  assert.deepEqual(
    readdirSync(join(folder, "heddle"), { recursive: true, encoding: "utf8" }).filter((path) =>
      /^(?!examples).*\.ts$/.test(path),
    ),
    [],
  );
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const { child, output } = heddle(t, "version");
  assert.deepEqual([await once(child, "close"), output()], [[0, null], `${version}\n`]);
  const completion = heddle(t, "completion", "bash");
  assert.deepEqual(await once(completion.child, "close"), [0, null]);
  assert.match(completion.output(), /proxy-status/);
});

test("its proxy serves a bootstrap, with compiled code kept for the next start", { timeout: 60_000 }, async (t) => {
  const [port, admin] = [await freePort(), await freePort()];
  const socket = (port_value: number) => ({ socket_address: { address: "127.0.0.1", port_value } });
  const route = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "bundled" } } };
  const manager = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    stat_prefix: "web",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] },
    http_filters: [
      {
        name: "envoy.filters.http.router",
        typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
      },
    ],
  };
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }];
  const bootstrap = {
    admin: { address: socket(admin) },
    static_resources: { listeners: [{ name: "web", address: socket(port), filter_chains: [{ filters }] }] },
  };
  writeFileSync(join(folder, "envoy.json"), JSON.stringify(bootstrap));
  const { child, output } = heddle(t, "proxy", "-c", "envoy.json");
  for (;;) {
    assert.equal(child.exitCode, null, output());
    const status = await fetch(`http://127.0.0.1:${admin}/ready`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) break;
    await delay(20);
  }
  const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  assert.equal(await answer.text(), "bundled");
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "close"), [0, null]);
  assert.ok(readdirSync(join(folder, "cache/heddle"), { recursive: true }).length > 2);
});

test("its demo passes a check: control plane, proxies, applications and edge are all what was built", {
  timeout: 110_000,
}, async (t) => {
  const { child, output } = heddle(t, "demo", "--check", "--only", "mtls", "--only", "reload", "--port", "0");
  assert.deepEqual(await once(child, "close"), [0, null], output());
  assert.match(output(), /√/);
});

test("a build is made once for the same sources, also by two at once, and one that nobody starts from any more goes", async () => {
  const cache = join(folder, "builds");
  const [one, other] = await Promise.all([ensureDistribution(cache), ensureDistribution(cache)]);
  assert.equal(one, other);
  const { ino } = statSync(join(one, "bin/heddle.js"));
  const [old, recent] = [join(cache, "old"), join(cache, "recent")];
  for (const path of [old, recent]) mkdirSync(path);
  utimesSync(old, 0, 0);
  assert.equal(await ensureDistribution(cache), one);
  assert.equal(statSync(join(one, "bin/heddle.js")).ino, ino);
  // Another is made: as if the sources had changed.
  renameSync(one, join(cache, "before"));
  await ensureDistribution(cache);
  assert.deepEqual(readdirSync(cache).sort(), [basename(one), "before", "recent"].sort());
});
