import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { connectRaw, type RawPeer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { adminGet, listenerPort, runProxy, startProxy } from "../testing/proxy-process.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };

test("--restart puts a changed bootstrap in force, and answers when it is", async (t) => {
  const { proxy, config, stateDir } = await startProxy(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], []),
  );
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const changed = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "changed" } } };
  await writeFile(config, JSON.stringify(bootstrap([httpListener({ name: "web", routes: [changed] })], [])));
  const { exitCode, log } = await runProxy(["--restart", "--state-dir", stateDir]);
  assert.equal(exitCode, 0, log);
  assert.match(log, /a new proxy serves/);
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await client.response()).body, "changed");
});

test("a bootstrap that is refused changes nothing: the old proxy goes on, and --restart says why", async (t) => {
  const good = bootstrap([httpListener({ name: "web", routes: [direct] })], []);
  const { proxy, config, stateDir } = await startProxy(t, good);
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  await writeFile(config, JSON.stringify({ ...good, flags_path: "/x" }));
  const refused = await runProxy(["--restart", "--state-dir", stateDir]);
  assert.equal(refused.exitCode, 1);
  assert.match(refused.log, /the old one goes on: .*envoy\.json:1: flags_path: /);
  await proxy.logged(/the new generation does not serve; the old one goes on/);
  assert.equal(await adminGet(admin, "/ready"), "LIVE\n");
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/direct`)).text(), "direct");
  await writeFile(config, JSON.stringify(good));
  assert.equal((await runProxy(["--restart", "--state-dir", stateDir])).exitCode, 0);
});

test("a new proxy that is not ready in time is given up, and the old one goes on", async (t) => {
  const { proxy, config, stateDir } = await startProxy(
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
  const { exitCode, log } = await runProxy(["--restart", "--state-dir", stateDir]);
  assert.equal(exitCode, 1);
  assert.match(log, /not ready after 1 s/);
  assert.equal(await adminGet(admin, "/ready"), "LIVE\n");
});

test("--restart says that no proxy runs, also beside the file of one that was killed", async (t) => {
  const { proxy, folder, stateDir } = await startProxy(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], []),
  );
  assert.equal((await runProxy(["--restart", "--state-dir", join(folder, "nowhere")])).exitCode, 4);
  proxy.kill("SIGKILL");
  await proxy.exited();
  const { exitCode, log } = await runProxy(["--restart", "--state-dir", stateDir]);
  assert.equal(exitCode, 4);
  assert.match(log, /no proxy runs with the state directory/);
});

test("a process that has the number of a proxy that is gone is not told anything", async (t) => {
  const { stateDir } = await startProxy(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const path = join(stateDir, "supervisor.json");
  const other = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
  const ended = once(other, "exit");
  t.after(() => other.kill("SIGKILL"));
  const state = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(`${path}.new`, JSON.stringify({ ...state, pid: other.pid }));
  await rename(`${path}.new`, path);
  assert.equal((await runProxy(["--restart", "--state-dir", stateDir])).exitCode, 4);
  other.stdin?.end();
  // A hang-up would have ended it by a signal.
  assert.deepEqual(await ended, [0, null]);
});

test("what drains when its time is over is told so: a request gets 503, a byte stream a reset", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const { proxy } = await startProxy(
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

/** Resolves when the generation at the other end drains, and so takes no connection more: its answers say that they are the last. */
async function untilClosing(client: RawPeer): Promise<void> {
  for (;;) {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    const { head } = await client.response();
    if (/\r\nconnection: close/.test(head)) return;
  }
}

test("a fourth hand-over waits until one of three draining generations is gone", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const { proxy } = await startProxy(
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
    const [client, witness] = [await connectRaw(port), await connectRaw(port)];
    t.after(() => [client, witness].map(({ socket }) => socket.destroy()));
    clients.push(client);
    await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await (await upstream.next()).until("\r\n\r\n");
    await witness.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    await witness.response();
    proxy.kill("SIGHUP");
    await proxy.ready(generation + 1);
    await untilClosing(witness);
  }
  proxy.kill("SIGHUP");
  await proxy.logged(/waits until an older generation has drained/);
  clients[0]!.socket.destroy();
  await proxy.ready(5);
});
