import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connectRaw, freePort, type RawPeer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, dnsListener, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { askUdp } from "../testing/dns-client.ts";
import { adminGet, listenerPort, ProxyProcess, temporaryFolder } from "../testing/proxy-process.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };

interface Command {
  readonly exitCode: number | null;
  readonly log: string;
}

/** `heddle proxy` with these words, until it ends. */
async function run(args: readonly string[]): Promise<Command> {
  const proxy = new ProxyProcess(args);
  return { exitCode: await proxy.exited(), log: proxy.log };
}

async function started(
  t: TestContext,
  content: object,
  args: readonly string[] = [],
): Promise<{ proxy: ProxyProcess; folder: string; config: string; stateDir: string }> {
  const folder = await temporaryFolder(t);
  const config = join(folder, "envoy.json");
  const stateDir = join(folder, "state");
  await writeFile(config, JSON.stringify(content));
  const proxy = new ProxyProcess(["-c", config, "--state-dir", stateDir, ...args]);
  t.after(() => proxy[Symbol.asyncDispose]());
  await proxy.ready();
  return { proxy, folder, config, stateDir };
}

test("--restart puts a changed bootstrap in force, and answers when it is", async (t) => {
  const { proxy, config, stateDir } = await started(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], []),
  );
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const changed = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "changed" } } };
  await writeFile(config, JSON.stringify(bootstrap([httpListener({ name: "web", routes: [changed] })], [])));
  const { exitCode, log } = await run(["--restart", "--state-dir", stateDir]);
  assert.equal(exitCode, 0, log);
  assert.match(log, /a new proxy serves/);
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await client.response()).body, "changed");
});

test("a bootstrap that is refused changes nothing: the old proxy goes on, and --restart says why", async (t) => {
  const good = bootstrap([httpListener({ name: "web", routes: [direct] })], []);
  const { proxy, config, stateDir } = await started(t, good);
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  await writeFile(config, JSON.stringify({ ...good, flags_path: "/x" }));
  const refused = await run(["--restart", "--state-dir", stateDir]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.log, /the old one goes on: .*envoy\.json:1: flags_path: /);
  await proxy.logged(/the new generation does not serve; the old one goes on/);
  assert.equal(await adminGet(admin, "/ready"), "LIVE\n");
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/direct`)).text(), "direct");
  await writeFile(config, JSON.stringify(good));
  assert.equal((await run(["--restart", "--state-dir", stateDir])).exitCode, 0);
});

test("a new proxy that is not ready in time is given up, and the old one goes on", async (t) => {
  const { proxy, config, stateDir } = await started(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], []),
    ["--start-time-s", "1"],
  );
  const admin = await proxy.ready();
  const silent = await startRawServer();
  t.after(() => silent[Symbol.asyncDispose]());
  // A control plane that never answers.
  const dynamic = {
    lds_config: { ads: {} },
    ads_config: {
      api_type: "GRPC",
      transport_api_version: "V3",
      grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
    },
  };
  await writeFile(
    config,
    JSON.stringify(bootstrap([], [cluster("xds", [silent.port])], { dynamic_resources: dynamic })),
  );
  const { exitCode, log } = await run(["--restart", "--state-dir", stateDir]);
  assert.equal(exitCode, 1);
  assert.match(log, /not ready after 1 s/);
  assert.equal(await adminGet(admin, "/ready"), "LIVE\n");
});

test("--restart says that no proxy runs, also beside the file of one that was killed", async (t) => {
  const { proxy, folder, stateDir } = await started(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], []),
  );
  assert.equal((await run(["--restart", "--state-dir", join(folder, "nowhere")])).exitCode, 4);
  proxy.kill("SIGKILL");
  await proxy.exited();
  const { exitCode, log } = await run(["--restart", "--state-dir", stateDir]);
  assert.equal(exitCode, 4);
  assert.match(log, /no proxy runs with the state directory/);
});

test("a process that has the number of a proxy that is gone is not told anything", async (t) => {
  const { stateDir } = await started(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const path = join(stateDir, "supervisor.json");
  const other = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
  const ended = once(other, "exit");
  t.after(() => other.kill("SIGKILL"));
  const state = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(`${path}.new`, JSON.stringify({ ...state, pid: other.pid }));
  await rename(`${path}.new`, path);
  assert.equal((await run(["--restart", "--state-dir", stateDir])).exitCode, 4);
  other.stdin?.end();
  // A hang-up would have ended it by a signal.
  assert.deepEqual(await ended, [0, null]);
});

/** The statistics by name, once there are these. */
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
  const { proxy, config } = await started(t, bootstrap([tcpListener("tcp", "app")], clusters));
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
  const { proxy, config } = await started(t, answering("10.0.0.1"));
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

test("what drains when its time is over is told so: a request gets 503, a byte stream a reset", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const { proxy } = await started(
    t,
    bootstrap(
      [httpListener({ name: "web", routes: [route("/", "app")] }), tcpListener("tcp", "app")],
      [cluster("app", [upstream.port])],
    ),
    ["--parent-shutdown-time-s", "1"],
  );
  const admin = await proxy.ready();
  const [web, tcp] = [await listenerPort(admin, "web"), await listenerPort(admin, "tcp")];
  const request = await connectRaw(web);
  t.after(() => request.socket.destroy());
  await request.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  await (await upstream.next()).until("\r\n\r\n");
  const bytes = await connectRaw(tcp);
  t.after(() => bytes.socket.destroy());
  await bytes.send("half");
  const peer = await upstream.next();
  await peer.until("half");
  proxy.kill("SIGHUP");
  await proxy.ready(2);
  const { head, body } = await request.response();
  assert.match(head, /^HTTP\/1\.1 503 .*\r\nconnection: close/s);
  assert.equal(body, "draining");
  await bytes.untilEnd().catch(() => "");
  assert.equal(bytes.error instanceof Error && "code" in bytes.error && bytes.error.code, "ECONNRESET");
  await proxy.logged(/drained/);
});

/** A connection to the generation that serves: one that drains would say that it closes. */
async function connectToServing(t: TestContext, port: number): Promise<RawPeer> {
  for (;;) {
    const client = await connectRaw(port);
    t.after(() => client.socket.destroy());
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    const { head } = await client.response();
    if (!/\r\nconnection: close/.test(head)) return client;
  }
}

test("a fourth hand-over waits until one of three draining generations is gone", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const { proxy } = await started(
    t,
    bootstrap(
      // Without a time limit: requests are open as long as the generations take to start.
      [httpListener({ name: "web", routes: [direct, route("/", "app", { timeout: "0s" })] })],
      [cluster("app", [upstream.port])],
    ),
  );
  const port = await listenerPort(await proxy.ready(), "web");
  const clients: RawPeer[] = [];
  for (let generation = 1; generation <= 3; generation++) {
    const client = await connectToServing(t, port);
    clients.push(client);
    await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await (await upstream.next()).until("\r\n\r\n");
    proxy.kill("SIGHUP");
    await proxy.ready(generation + 1);
    await proxy.logged(/ draining /, generation);
  }
  proxy.kill("SIGHUP");
  await proxy.logged(/waits until an older generation has drained/);
  clients[0]!.socket.destroy();
  await proxy.ready(5);
});
