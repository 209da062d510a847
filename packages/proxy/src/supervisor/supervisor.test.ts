import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { type AddressInfo, BoundSocket, createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connectRaw, isRunning, startEchoServer, startRawServer, untilRefused } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { adminGet, childrenOf, listenerPort, ProxyProcess, temporaryFolder } from "../testing/proxy-process.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };

async function configFile(t: TestContext, content: object | string): Promise<string> {
  const path = join(await temporaryFolder(t), "envoy.yaml");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

async function get(port: number, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}${path}`)).text();
}

test("a generation that is killed is replaced on the same sockets, and a connection made meanwhile is served", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const config = await configFile(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const proxy = open.use(new ProxyProcess(["-c", config]));
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const [generation] = await childrenOf(proxy.process.pid!);
  assert.ok(generation);
  process.kill(generation, "SIGSTOP");
  process.kill(generation, "SIGKILL");
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await client.response()).body, "direct");
  assert.equal(await proxy.ready(2), admin);
  assert.equal(await listenerPort(admin, "web"), port);
  proxy.kill("SIGTERM");
  client.socket.destroy();
  assert.equal(await proxy.exited(), 0);
});

test("SIGHUP hands over to a new generation and no request on the way is lost", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const config = await configFile(
    t,
    bootstrap([httpListener({ name: "web", routes: [route("/", "app")] })], [cluster("app", [app.port])]),
  );
  const proxy = open.use(new ProxyProcess(["-c", config, "--drain-time-s", "1"]));
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const [before] = await childrenOf(proxy.process.pid!);
  const handOver = { isDone: false };
  const failures: string[] = [];
  let served = 0;
  const load = Array.from({ length: 4 }, async () => {
    while (!handOver.isDone) {
      const client = await connectRaw(port);
      await client.send("POST /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 1\r\n\r\na");
      const answer = await client.untilEnd();
      if (answer.startsWith("HTTP/1.1 200")) served += 1;
      else failures.push(answer);
      client.socket.destroy();
    }
  });
  proxy.kill("SIGHUP");
  await proxy.ready(2);
  await untilGone(before!);
  handOver.isDone = true;
  await Promise.all(load);
  assert.deepEqual(failures, []);
  assert.ok(served > 0);
  assert.equal((await childrenOf(proxy.process.pid!)).length, 1);
});

test("a SIGHUP that comes while a generation starts is answered when that one is ready", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const config = await configFile(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const proxy = open.use(new ProxyProcess(["-c", config, "--drain-time-s", "1"]));
  await proxy.ready();
  proxy.kill("SIGHUP");
  await proxy.logged(/handing over to a new generation/);
  proxy.kill("SIGHUP");
  await proxy.ready(3);
  assert.equal([...proxy.log.matchAll(/handing over to a new generation/g)].length, 2);
});

test("a new generation that dies while the old one drains is replaced", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const upstream = open.use(await startRawServer());
  const routes = [direct, route("/", "app")];
  const config = await configFile(
    t,
    bootstrap([httpListener({ name: "web", routes })], [cluster("app", [upstream.port])]),
  );
  const proxy = open.use(new ProxyProcess(["-c", config, "--drain-time-s", "60"]));
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const [old] = await childrenOf(proxy.process.pid!);
  // A request without an answer keeps the old generation draining.
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  await client.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n");
  const peer = await upstream.next();
  proxy.kill("SIGHUP");
  await proxy.ready(2);
  // By then the supervisor has heard that the new one is ready.
  await proxy.logged(/draining/);
  const [young] = (await childrenOf(proxy.process.pid!)).filter((pid) => pid !== old);
  process.kill(young!, "SIGKILL");
  await proxy.ready(3);
  assert.equal(await get(port, "/direct"), "direct");
  await peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlate");
  assert.equal((await client.response()).body, "late");
});

test("SIGTERM lets a request in progress finish, says that the connection ends, and exits with 0", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const upstream = createServer().listen(0, "127.0.0.1");
  t.after(() => upstream.close());
  await once(upstream, "listening");
  const { port: upstreamPort } = upstream.address() as AddressInfo;
  const config = await configFile(
    t,
    bootstrap([httpListener({ name: "web", routes: [route("/", "app")] })], [cluster("app", [upstreamPort])]),
  );
  const proxy = open.use(new ProxyProcess(["-c", config, "--drain-time-s", "10"]));
  const admin = await proxy.ready();
  const client = await connectRaw(await listenerPort(admin, "web"));
  t.after(() => client.socket.destroy());
  await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const [socket] = await once(upstream, "connection");
  await once(socket, "data");
  proxy.kill("SIGTERM");
  await proxy.logged(/draining/);
  const ready = await fetch(`http://127.0.0.1:${admin}/ready`);
  assert.deepEqual([ready.status, await ready.text()], [503, "DRAINING\n"]);
  await untilRefused(client.socket.remotePort ?? 0);
  socket.end("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
  const answer = await client.untilEnd();
  assert.match(answer, /\r\nconnection: close\r\n[^]*ok$/);
  client.socket.destroy();
  assert.equal(await proxy.exited(), 0);
});

test("when the parent is killed nothing stays behind", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const config = await configFile(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const proxy = open.use(new ProxyProcess(["-c", config], { ipc: true }));
  const admin = await proxy.ready();
  const [generation] = await childrenOf(proxy.process.pid!);
  assert.ok(generation !== undefined && isRunning(generation));
  // What the kernel does to the channel when this process dies.
  proxy.process.disconnect();
  await proxy.exited();
  await untilGone(generation);
  await assert.rejects(adminGet(admin, "/ready"));
});

test("when the supervisor is killed its generation ends", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const config = await configFile(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const proxy = open.use(new ProxyProcess(["-c", config]));
  await proxy.ready();
  const [generation] = await childrenOf(proxy.process.pid!);
  proxy.kill("SIGKILL");
  await proxy.exited();
  await untilGone(generation!);
});

test("a socket that the parent hands down is served, and survives the supervisor", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const bound = new BoundSocket({ host: "127.0.0.1", port: 0 });
  t.after(() => bound.close());
  const { port } = bound.address() as { port: number };
  const config = await configFile(t, bootstrap([httpListener({ name: "web", port, routes: [direct] })], []));
  const env = { HEDDLE_LISTEN_FDS: `127.0.0.1:${port}=4` };
  {
    const proxy = open.use(new ProxyProcess(["-c", config], { env, fds: [bound.fd()] }));
    await proxy.ready();
    assert.equal(await get(port, "/direct"), "direct");
    const [generation] = await childrenOf(proxy.process.pid!);
    proxy.kill("SIGKILL");
    await untilGone(generation!);
  }
  const waiting = connectRaw(port);
  const successor = open.use(new ProxyProcess(["-c", config], { env, fds: [bound.fd()] }));
  const client = await waiting;
  await successor.ready();
  t.after(() => client.socket.destroy());
  await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await client.response()).body, "direct");
});

const refusals: [
  title: string,
  args: (config: string) => string[],
  content: object | string,
  exitCode: number,
  log: RegExp,
][] = [
  ["no bootstrap", () => [], "", 2, /no bootstrap/],
  ["a bootstrap file that is not there", () => ["-c", "/nowhere/envoy.yaml"], "", 2, /cannot be read/],
  ["broken YAML", (config) => ["-c", config], "node: {id: a\nadmin: [", 3, /envoy\.yaml:\d+: /],
  [
    "an unknown field",
    (config) => ["-c", config],
    "node:\n  id: a\nstatic_resources:\n  listeners:\n    - name: web\n      adress: {}\n",
    3,
    /envoy\.yaml:6: static_resources\.listeners\[0\]\.adress: is not a field of envoy\.config\.listener\.v3\.Listener/,
  ],
  [
    "a field that is not supported",
    (config) => ["-c", config],
    "node:\n  id: a\nlayered_runtime:\n  layers: []\nflags_path: /x\n",
    3,
    /envoy\.yaml:5: flags_path: /,
  ],
  [
    "a filter that is not supported",
    (config) => ["-c", config],
    bootstrap(
      [
        httpListener({
          name: "web",
          routes: [direct],
          filters: [
            { name: "lua", typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua" } },
          ],
        }),
      ],
      [],
    ),
    3,
    /static_resources\.listeners\[0\]\.filter_chains\[0\]\.filters\[0\]\.typed_config\.http_filters\[0\]\.typed_config/,
  ],
  ["a malformed list of descriptors", (config) => ["-c", config], bootstrap([], []), 2, /HEDDLE_LISTEN_FDS/],
];
for (const [title, args, content, exitCode, log] of refusals) {
  test(`${title}: exit code ${exitCode}, and the place and the reason are said`, async (t) => {
    const open = new AsyncDisposableStack();
    t.after(() => open.disposeAsync());
    const config = await configFile(t, content);
    const env = log.source.includes("HEDDLE") ? { HEDDLE_LISTEN_FDS: "nonsense" } : {};
    const proxy = open.use(new ProxyProcess(args(config), { env }));
    assert.equal(await proxy.exited(), exitCode);
    assert.match(proxy.log, log);
  });
}

test("a port that is in use is refused by name with exit code 1", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const config = await configFile(t, bootstrap([httpListener({ name: "web", port, routes: [direct] })], []));
  const proxy = open.use(new ProxyProcess(["-c", config]));
  assert.equal(await proxy.exited(), 1);
  assert.match(proxy.log, new RegExp(`127\\.0\\.0\\.1:${port}: the port is already in use`));
});

test("--mode validate says that a bootstrap is fine and starts nothing", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const example = new URL("../../../../examples/envoy/static.yaml", import.meta.url);
  const proxy = open.use(new ProxyProcess(["-c", example.pathname, "--mode", "validate"]));
  assert.equal(await proxy.exited(), 0);
  assert.match(proxy.log, /OK/);
});

test("the example bootstrap is served", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const text = await readFile(new URL("../../../../examples/envoy/static.yaml", import.meta.url), "utf8");
  const config = await configFile(
    t,
    text
      .replace("port_value: 9901", "port_value: 0")
      .replace("port_value: 10000", "port_value: 0")
      .replace("port_value: 8000", `port_value: ${app.port}`),
  );
  const proxy = open.use(new ProxyProcess(["-c", config]));
  const port = await listenerPort(await proxy.ready(), "web");
  assert.equal(await get(port, "/hello"), "hello from the proxy\n");
  assert.equal(JSON.parse(await get(port, "/x")).url, "/x");
});

async function untilGone(pid: number): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (isRunning(pid)) {
    assert.ok(performance.now() < giveUpAt, `process ${pid} is still there`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
