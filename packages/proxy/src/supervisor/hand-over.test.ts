// What becomes of two proxies, one of which takes the other's place.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { connectRaw, freePort, isRunning, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, dnsListener, httpListener, tcpListener } from "../testing/bootstrap-json.ts";
import { askUdp } from "../testing/dns-client.ts";
import {
  adminGet,
  childrenOf,
  listenerPort,
  type ProxyProcess,
  runProxy,
  startProxy,
} from "../testing/proxy-process.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };

/** The statistics by name, once there are these; until then it asks again, and the time-out of the test file is the cap. */
async function untilStats(admin: number, ...lines: readonly string[]): Promise<Map<string, string>> {
  for (;;) {
    const text = await adminGet(admin, "/stats");
    const present = text.split("\n");
    if (lines.every((line) => present.includes(line)))
      return new Map(present.map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("while an old proxy drains its connections count beside the new one's, its endpoints do not", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const clusters = [cluster("app", [upstream.port])];
  const { proxy, config } = await startProxy(t, bootstrap([tcpListener("tcp", "app")], clusters));
  const admin = await proxy.ready();
  const client = await connectRaw(await listenerPort(admin, "tcp"));
  t.after(() => client.socket.destroy());
  await client.send("x");
  await (await upstream.next()).until("x");
  await untilStats(admin, "cluster.app.membership_total: 1", "cluster.app.upstream_cx_active: 1");
  // One more, by which it can be told that the new proxy has counted its own.
  clusters.push(cluster("another", [upstream.port]));
  await writeFile(config, JSON.stringify(bootstrap([tcpListener("tcp", "app")], clusters)));
  proxy.kill("SIGHUP");
  await proxy.ready(2);
  const stats = await untilStats(admin, "cluster.another.membership_total: 1");
  assert.equal(stats.get("cluster.app.upstream_cx_active"), "1");
  assert.equal(stats.get("cluster.app.membership_total"), "1");
  assert.equal(stats.get("cluster.app.membership_healthy"), "1");
});

test("a proxy that drains answers no questions for names any more, which it would do from an old table", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const port = await freePort();
  const address = { socket_address: { address: "127.0.0.1", port_value: port, protocol: "UDP" } };
  const answering = (reviews: string): object =>
    bootstrap(
      [tcpListener("tcp", "app"), { ...dnsListener({ reviews: [reviews] }, undefined, "30s", ["127.0.0.1"]), address }],
      [cluster("app", [upstream.port])],
    );
  const { proxy, config } = await startProxy(t, answering("10.0.0.1"));
  const admin = await proxy.ready();
  const client = await connectRaw(await listenerPort(admin, "tcp"));
  t.after(() => client.socket.destroy());
  await client.send("x");
  await (await upstream.next()).until("x");
  await writeFile(config, JSON.stringify(answering("10.0.0.2")));
  proxy.kill("SIGHUP");
  await proxy.ready(2);
  // Not before the old one has closed its own admin port.
  while (!(await adminGet(admin, "/server_info")).includes('"restart_epoch": 1')) await proxy.logged(/ draining /);
  // The kernel chooses by the client's port among sockets of one address.
  const answers = await Promise.all(Array.from({ length: 32 }, () => askUdp({ host: "127.0.0.1", port }, "reviews")));
  assert.deepEqual(new Set(answers.flatMap(({ addresses }) => addresses)), new Set(["10.0.0.2"]));
});

/** The process that starts to take the place of another: its program runs, so that whoever has spawned it waits for it no longer. */
async function startingBeside({ process: { pid } }: ProxyProcess, old: number | undefined): Promise<number> {
  for (;;) {
    for (const child of await childrenOf(pid!)) {
      const command = await readFile(`/proc/${child}/cmdline`, "utf8");
      if (child !== old && command.includes("generation/entry.ts")) return child;
    }
  }
}

/** Asks for a hand-over, stops the new proxy before it is ready, and kills the old one. */
async function loseServing(
  proxy: ProxyProcess,
  stateDir: string,
): Promise<{ restart: ReturnType<typeof runProxy>; young: number }> {
  const [old] = await childrenOf(proxy.process.pid!);
  const restart = runProxy(["--restart", "--state-dir", stateDir]);
  const young = await startingBeside(proxy, old);
  process.kill(young, "SIGSTOP");
  process.kill(old!, "SIGKILL");
  return { restart, young };
}

test("when the old proxy dies while the new one starts, that one takes its place", async (t) => {
  const { proxy, stateDir } = await startProxy(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const { restart, young } = await loseServing(proxy, stateDir);
  await proxy.logged(/the proxy ended unexpectedly/);
  process.kill(young, "SIGCONT");
  const { exitCode, log } = await restart;
  assert.equal(exitCode, 0, log);
  assert.deepEqual(await childrenOf(proxy.process.pid!), [young]);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/direct`)).text(), "direct");
  assert.doesNotMatch(proxy.log, /the old one goes on/);
});

test("a new proxy that hangs while the old one dies is given up for another, which serves", async (t) => {
  const { proxy, stateDir } = await startProxy(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []), [
    "--start-time-s",
    "4",
  ]);
  const { restart, young } = await loseServing(proxy, stateDir);
  const admin = await proxy.ready(2);
  const { exitCode, log } = await restart;
  assert.equal(exitCode, 1, log);
  assert.match(log, /the proxy is started again: it was not ready after 4 s without the old one \(--start-time-s\)/);
  assert.ok(!isRunning(young));
  const port = await listenerPort(admin, "web");
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/direct`)).text(), "direct");
});

test("when both proxies of a hand-over die --restart says so, and what is started again serves", async (t) => {
  const { proxy, stateDir } = await startProxy(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const { restart, young } = await loseServing(proxy, stateDir);
  await proxy.logged(/the proxy ended unexpectedly/);
  process.kill(young, "SIGKILL");
  const { exitCode, log } = await restart;
  assert.equal(exitCode, 1, log);
  assert.match(log, /does not serve; the old one is gone, too, and the proxy is started again: .*SIGKILL/);
  await proxy.ready(2);
});
