import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connectRaw, type RawPeer, type RawServer, startRawServer } from "@heddle/testkit";
import { CLUSTER_TYPE, LISTENER_TYPE } from "@heddle/xds/api";
import { adsBootstrap, AdsControlPlane, type JsonResources } from "../testing/ads-control-plane.ts";
import { cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const workers = 2;
const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/** A proxy of several workers, and a cluster with a limit. */
class Arena {
  readonly proxy: TestProxy;
  readonly upstream: RawServer;
  readonly #controlPlane: AdsControlPlane;
  readonly #thresholds: Record<string, number>;

  private constructor(
    proxy: TestProxy,
    upstream: RawServer,
    controlPlane: AdsControlPlane,
    thresholds: Record<string, number>,
  ) {
    this.proxy = proxy;
    this.upstream = upstream;
    this.#controlPlane = controlPlane;
    this.#thresholds = thresholds;
  }

  static async start(t: TestContext, thresholds: Record<string, number>): Promise<Arena> {
    const disposables = new AsyncDisposableStack();
    t.after(() => disposables.disposeAsync());
    const upstream = disposables.use(await startRawServer());
    const controlPlane = disposables.use(new AdsControlPlane());
    await controlPlane.start();
    controlPlane.set(resources(upstream, thresholds));
    const proxy = disposables.use(await TestProxy.start(adsBootstrap(controlPlane.port), { concurrency: workers }));
    return new Arena(proxy, upstream, controlPlane, thresholds);
  }

  /** Without the cluster, or with it. */
  async apply(hasCluster: boolean): Promise<void> {
    const all = resources(this.upstream, this.#thresholds);
    await this.#controlPlane.synced(this.#controlPlane.set(hasCluster ? all : { ...all, [CLUSTER_TYPE]: [] }));
  }

  async open(t: TestContext): Promise<RawPeer> {
    const client = await connectRaw(this.proxy.port("web"));
    t.after(() => client.socket.destroy());
    assert.equal(await ask(client, "/direct"), "200");
    return client;
  }

  /** A client at each worker: what is accepted goes to the one that has the fewest. */
  async clients(t: TestContext): Promise<readonly [RawPeer, RawPeer]> {
    const clients = [await this.open(t), await this.open(t)] as const;
    for (let worker = 0; worker < workers; worker += 1)
      await this.proxy.untilStat(`listener.web.worker_${worker}.downstream_cx_active`, 1);
    return clients;
  }

  /** A request that waits for its answer. */
  async hold(client: RawPeer): Promise<RawPeer> {
    await client.send("GET /held HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await this.upstream.next();
    await peer.until("\r\n\r\n");
    return peer;
  }
}

const direct = { match: { prefix: "/direct" }, direct_response: { status: 200 } };

function resources(upstream: RawServer, thresholds: Record<string, number>): JsonResources {
  return {
    [LISTENER_TYPE]: [httpListener({ name: "web", routes: [direct, route("/", "up")] }), tcpListener("tcp", "up")],
    [CLUSTER_TYPE]: [cluster("up", [upstream.port], { circuit_breakers: { thresholds: [thresholds] } })],
  };
}

async function ask(client: RawPeer, path: string): Promise<string> {
  await client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
  return statusOf(client);
}

async function statusOf(client: RawPeer): Promise<string> {
  return (await client.response()).head.slice(9, 12);
}

test("a cluster's limit of requests holds for all workers together, and a worker that is lost gives back what it held", async (t) => {
  const arena = await Arena.start(t, { max_requests: 1 });
  const [one, other] = await arena.clients(t);
  const held = await arena.hold(one);
  assert.equal(await ask(other, "/"), "503");
  await held.send(ok);
  assert.equal(await statusOf(one), "200");
  await arena.hold(other);
  assert.equal(await ask(one, "/"), "503");
  for (let worker = 0; worker < workers; worker += 1) await arena.proxy.pool.replace(worker, "a test");
  const later = await arena.open(t);
  await (await arena.hold(later)).send(ok);
  assert.equal(await statusOf(later), "200");
});

test("a limit is one for a cluster that was away and what it has in progress from before", async (t) => {
  const arena = await Arena.start(t, { max_requests: 1 });
  const [one, other] = await arena.clients(t);
  const held = await arena.hold(one);
  await arena.apply(false);
  assert.equal(await ask(other, "/"), "503");
  await arena.apply(true);
  assert.equal(await ask(other, "/"), "503");
  await held.send(ok);
  assert.equal(await statusOf(one), "200");
  await (await arena.hold(other)).send(ok);
  assert.equal(await statusOf(other), "200");
});

test("a cluster's limit of connections holds for the TCP connections of all workers together", async (t) => {
  const arena = await Arena.start(t, { max_connections: 1 });
  const open = async (): Promise<RawPeer> => {
    const client = await connectRaw(arena.proxy.port("tcp"));
    t.after(() => client.socket.destroy());
    await client.send("x");
    return client;
  };
  const one = await open();
  const peer = await arena.upstream.next();
  await peer.until("x");
  assert.equal(await (await open()).untilEnd(), "");
  for (let worker = 0; worker < workers; worker += 1)
    await arena.proxy.untilStat(`listener.tcp.worker_${worker}.downstream_cx_total`, 1);
  one.end();
  peer.end();
  await one.untilEnd();
  await arena.proxy.untilStat("cluster.up.upstream_cx_active", 0);
  await open();
  await (await arena.upstream.next()).until("x");
});
