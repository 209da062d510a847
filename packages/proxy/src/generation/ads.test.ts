import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { connectRaw, type EchoedRequest, freePort, startEchoServer } from "@heddle/testkit";
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const ads = { ads: {}, resource_api_version: "V3" };

/** A listener with routes by RDS, a cluster with endpoints by EDS. */
function resources(ports: readonly number[], path = "/"): JsonResources {
  const listener = httpListener({
    name: "web",
    routes: [],
    manager: { route_config: undefined, rds: { route_config_name: "web-routes", config_source: ads } },
  });
  const { load_assignment: assignment } = cluster("app", ports) as { load_assignment: Record<string, unknown> };
  return {
    [LISTENER_TYPE]: [JSON.parse(JSON.stringify(listener))],
    [ROUTE_TYPE]: [
      { name: "web-routes", virtual_hosts: [{ name: "all", domains: ["*"], routes: [route(path, "app")] }] },
    ],
    [CLUSTER_TYPE]: [{ name: "app", type: "EDS", connect_timeout: "1s", eds_cluster_config: { eds_config: ads } }],
    [ENDPOINT_TYPE]: [assignment],
  };
}

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "heddle-ads-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

async function get(proxy: TestProxy, path: string): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${proxy.port("web")}${path}`);
  return { status: response.status, body: await response.text() };
}

for (const api of ["DELTA_GRPC", "GRPC"] as const) {
  test(`configuration comes over ADS (${api}), changes, and goes`, async (t) => {
    const open = new AsyncDisposableStack();
    t.after(() => open.disposeAsync());
    const app = open.use(await startEchoServer({ name: "first" }));
    const other = open.use(await startEchoServer({ name: "second" }));
    const controlPlane = open.use(new AdsControlPlane());
    await controlPlane.start();
    controlPlane.set(resources([app.port]));
    const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port, api)));
    assert.equal((JSON.parse((await get(proxy, "/x")).body) as EchoedRequest).server, "first");
    const port = proxy.port("web");

    await controlPlane.synced(controlPlane.set(resources([other.port])));
    assert.equal((JSON.parse((await get(proxy, "/x")).body) as EchoedRequest).server, "second");

    await controlPlane.synced(controlPlane.set(resources([other.port], "/only")));
    assert.equal((await get(proxy, "/x")).status, 404);
    assert.equal((await get(proxy, "/only")).status, 200);
    assert.equal(proxy.port("web"), port, "a new route table does not touch the listener's socket");

    await controlPlane.synced(controlPlane.set({ ...resources([other.port]), [LISTENER_TYPE]: [] }));
    assert.deepEqual(proxy.generation.listeners(), []);
    await assert.rejects(connectRaw(port), /ECONNREFUSED/);
  });
}

test("the control plane is told what the proxy understands of heddle.v1, beside what the bootstrap says of it", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set({});
  const bootstrap = { ...adsBootstrap(controlPlane.port), node: { id: "test", metadata: { ZONE: "a" } } };
  open.use(await TestProxy.start(bootstrap));
  const { ZONE, HEDDLE_CAPABILITIES } = controlPlane.node?.metadata ?? {};
  assert.equal(ZONE, "a");
  assert.ok(Array.isArray(HEDDLE_CAPABILITIES));
  for (const name of ["heddle.v1.TunnelServer", "heddle.v1.TunnelOptions.min_concurrent_requests"])
    assert.ok(HEDDLE_CAPABILITIES.includes(name), name);
});

test("a resource that cannot be served is refused by name with its path; the others are applied and its old version stays", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const good = resources([app.port]);
  controlPlane.set(good);
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const [web] = good[LISTENER_TYPE]!;
  const added = httpListener({
    name: "added",
    routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "added" } } }],
  });
  controlPlane.set({
    ...good,
    [LISTENER_TYPE]: [{ ...web, socket_options: [{ level: 1, name: 2, int_value: 3 }] }, added],
  });
  const reason = await controlPlane.refused(LISTENER_TYPE);
  assert.match(reason, /^web: socket_options/);
  assert.equal((await get(proxy, "/x")).status, 200);
  assert.equal(await (await fetch(`http://127.0.0.1:${proxy.port("added")}/`)).text(), "added");
  assert.match(await proxy.admin("/config_dump"), /"error_state":[^]*socket_options/);
});

test("a listener that names a cluster nobody has defined is refused, unless it says that this is meant", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const named = (name: string, clusterName: string, more: object = {}): Record<string, unknown> => {
    const virtualHosts = [{ name: "all", domains: ["*"], routes: [route("/", clusterName)] }];
    return httpListener({
      name,
      routes: [],
      manager: { route_config: { name: "r", virtual_hosts: virtualHosts, ...more } },
    });
  };
  const { [CLUSTER_TYPE]: clusters, [ENDPOINT_TYPE]: endpoints } = resources([1]);
  controlPlane.set({
    [CLUSTER_TYPE]: clusters!,
    [ENDPOINT_TYPE]: endpoints!,
    [LISTENER_TYPE]: [named("known", "app"), named("later", "nowhere", { validate_clusters: false })],
  });
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  assert.equal((await fetch(`http://127.0.0.1:${proxy.port("later")}/`)).status, 503);

  controlPlane.set({
    [CLUSTER_TYPE]: clusters!,
    [ENDPOINT_TYPE]: endpoints!,
    [LISTENER_TYPE]: [
      named("known", "app"),
      named("later", "nowhere", { validate_clusters: false }),
      named("web", "nowhere"),
    ],
  });
  assert.match(
    await controlPlane.refused(LISTENER_TYPE),
    /^web: .*route_config\.virtual_hosts\[0\]\.routes\[0\]\.route\.cluster: there is no cluster "nowhere"/,
  );
  assert.deepEqual(
    proxy.generation.listeners().map(({ name }) => name),
    ["known", "later"],
  );
});

test("a table of RDS that asks for it is refused when it names a cluster nobody has defined", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const good = resources([app.port]);
  controlPlane.set(good);
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const virtualHosts = [{ name: "all", domains: ["*"], routes: [route("/", "nowhere")] }];
  controlPlane.set({
    ...good,
    [ROUTE_TYPE]: [{ name: "web-routes", virtual_hosts: virtualHosts, validate_clusters: true }],
  });
  assert.match(await controlPlane.refused(ROUTE_TYPE), /^web-routes: .*there is no cluster "nowhere"/);
  assert.equal((await get(proxy, "/x")).status, 200);
});

test("a regular expression that cannot be compiled is refused and the old routes stay", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const good = resources([app.port]);
  controlPlane.set(good);
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const broken = { match: { safe_regex: { regex: "(" } }, route: { cluster: "app" } };
  controlPlane.set({
    ...good,
    [ROUTE_TYPE]: [{ name: "web-routes", virtual_hosts: [{ name: "all", domains: ["*"], routes: [broken] }] }],
  });
  assert.match(await controlPlane.refused(ROUTE_TYPE), /^web-routes: virtual_hosts\[0\]\.routes\[0\]\.match/);
  assert.equal((await get(proxy, "/x")).status, 200);
});

test("without its control plane a restarted proxy serves the last good configuration, and takes changes when it is back", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer({ name: "first" }));
  const other = open.use(await startEchoServer({ name: "second" }));
  const stateDir = await folder(t);
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const version = controlPlane.set(resources([app.port]));
  const first = await TestProxy.start(adsBootstrap(controlPlane.port), { stateDir });
  try {
    await controlPlane.synced(version);
    assert.equal((await get(first, "/x")).status, 200);
    await controlPlane.stop();
    assert.equal((await get(first, "/x")).status, 200, "losing the control plane changes nothing");
  } finally {
    await first[Symbol.asyncDispose]();
  }
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port), { stateDir }));
  assert.equal((JSON.parse((await get(proxy, "/x")).body) as EchoedRequest).server, "first");
  const announced = JSON.parse(await readFile(join(stateDir, "proxy.json"), "utf8"));
  assert.equal(announced.pid, process.pid);
  assert.equal(announced.listeners[0].addresses[0].port, proxy.port("web"));
  const newer = controlPlane.set(resources([other.port]));
  await controlPlane.start();
  await controlPlane.synced(newer);
  assert.equal((JSON.parse((await get(proxy, "/x")).body) as EchoedRequest).server, "second");
});

/** A cluster whose endpoints come by EDS, with them. */
const byEds = (name: string): Record<string, unknown> => ({
  name,
  type: "EDS",
  connect_timeout: "1s",
  eds_cluster_config: { eds_config: ads },
});
const endpointsOf = (name: string, port: number): Record<string, unknown> =>
  (cluster(name, [port]) as { load_assignment: Record<string, unknown> }).load_assignment;
const toCluster = (name: string, clusterName: string, port = 0, table: object = {}): Record<string, unknown> =>
  JSON.parse(
    JSON.stringify(httpListener({ name, routes: [route("/", clusterName)], port, routeConfig: { ...table } })),
  );

test("a restart serves what was stored, whatever the order in which it came", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const stateDir = await folder(t);
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const [one, two] = [cluster("one", [app.port]), cluster("two", [app.port])] as Record<string, unknown>[];
  controlPlane.set({ [CLUSTER_TYPE]: [one!], [LISTENER_TYPE]: [toCluster("web", "one")] });
  const first = await TestProxy.start(adsBootstrap(controlPlane.port), { stateDir });
  try {
    // The listener, which was there before, refers to a cluster that came after it.
    await controlPlane.synced(
      controlPlane.set({ [CLUSTER_TYPE]: [one!, two!], [LISTENER_TYPE]: [toCluster("web", "two")] }),
    );
    await controlPlane.stop();
  } finally {
    await first[Symbol.asyncDispose]();
  }
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port), { stateDir }));
  assert.equal((await get(proxy, "/x")).status, 200);
});

test("a listener takes over the port of one that goes in the same update, and no client is refused", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  const one = cluster("one", [app.port]) as Record<string, unknown>;
  const port = await freePort();
  controlPlane.set({ [CLUSTER_TYPE]: [one], [LISTENER_TYPE]: [toCluster("web", "one", port)] });
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port)));
  const version = controlPlane.set({ [CLUSTER_TYPE]: [one], [LISTENER_TYPE]: [toCluster("renamed", "one", port)] });
  const names = (): string[] => proxy.generation.listeners().map(({ name }) => name);
  while (names()[0] !== "renamed") assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  await controlPlane.synced(version);
  assert.deepEqual(names(), ["renamed"]);
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
  await controlPlane.synced(controlPlane.set({ [CLUSTER_TYPE]: [one], [LISTENER_TYPE]: [] }));
  await assert.rejects(connectRaw(port), /ECONNREFUSED/);
});

for (const api of ["DELTA_GRPC", "GRPC"] as const) {
  test(`endpoints that nothing refers to are forgotten (${api}): a cluster that comes back waits for new ones`, async (t) => {
    const open = new AsyncDisposableStack();
    t.after(() => open.disposeAsync());
    const app = open.use(await startEchoServer());
    const stateDir = await folder(t);
    const controlPlane = open.use(new AdsControlPlane());
    await controlPlane.start();
    const listener = toCluster("web", "one", 0, { validate_clusters: false });
    const kept = cluster("kept", [app.port]) as Record<string, unknown>;
    const [one, two] = [byEds("one"), byEds("two")];
    const there = endpointsOf("one", app.port);
    controlPlane.set({ [CLUSTER_TYPE]: [kept, one], [ENDPOINT_TYPE]: [there], [LISTENER_TYPE]: [listener] });
    const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port, api), { stateDir }));
    assert.equal((await get(proxy, "/x")).status, 200);
    await controlPlane.synced(
      controlPlane.set({ [CLUSTER_TYPE]: [kept], [ENDPOINT_TYPE]: [], [LISTENER_TYPE]: [listener] }),
    );
    assert.equal((await get(proxy, "/x")).status, 503);
    const held = JSON.parse(await proxy.admin("/config_dump?include_eds&resource=dynamic_endpoint_configs"));
    assert.deepEqual(held, { configs: [] });
    // Another cluster, whose endpoints are there, shows that the update with the old one has been taken.
    controlPlane.set({
      [CLUSTER_TYPE]: [kept, one, two],
      [ENDPOINT_TYPE]: [endpointsOf("two", app.port)],
      [LISTENER_TYPE]: [listener, toCluster("second", "two", 0, { validate_clusters: false })],
    });
    while (!proxy.generation.listeners().some(({ name }) => name === "second")) await nextTurn();
    assert.equal((await get(proxy, "/x")).status, 503);
  });
}

test("a damaged last good state is moved aside and the proxy waits for its control plane", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const app = open.use(await startEchoServer());
  const stateDir = await folder(t);
  await writeFile(join(stateDir, "resources.state"), '{"heddleState":"resources","formatVersion":1,"sha256":"00"}\n{}');
  const controlPlane = open.use(new AdsControlPlane());
  await controlPlane.start();
  controlPlane.set(resources([app.port]));
  const proxy = open.use(await TestProxy.start(adsBootstrap(controlPlane.port), { stateDir }));
  assert.equal((await get(proxy, "/x")).status, 200);
  assert.ok((await readdir(stateDir)).some((name) => name.startsWith("resources.state.corrupt-")));
});

test("a state of a newer version stops the start and is left alone", async (t) => {
  const stateDir = await folder(t);
  const path = join(stateDir, "resources.state");
  const content = '{"heddleState":"resources","formatVersion":99,"sha256":"00"}\n';
  await writeFile(path, content);
  const begun = TestProxy.begin(adsBootstrap(1), { stateDir });
  await assert.rejects(begun, /resources\.state has format version 99, newer than this Heddle knows/);
  assert.equal(await readFile(path, "utf8"), content);
});
