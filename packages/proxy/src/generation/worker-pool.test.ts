import assert from "node:assert/strict";
import { BoundSocket } from "node:net";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import type { ListenerConfig } from "@heddle/engine";
import { loadListener } from "@heddle/engine/load";
import { duplicateDescriptor, openListener } from "@heddle/net";
import { connectRaw, type RawPeer, startRawServer } from "@heddle/testkit";
import { fromJson, ListenerSchema, typeRegistry } from "@heddle/xds/api";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { SharedLoad } from "../overload/shared-load.ts";
import { SharedQueues } from "../overload/shared-queues.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { createSessionSetup } from "../worker/shared-sessions.ts";
import { WorkerHandle } from "./worker-handle.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };

test("a worker that is lost is replaced on the same port, and its requests are accounted for", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const upstream = open.use(await startRawServer());
  const proxy = open.use(
    await TestProxy.start(
      bootstrap([httpListener({ name: "web", routes: [direct, route("/", "up")] })], [cluster("up", [upstream.port])]),
    ),
  );
  const port = proxy.port("web");
  const client = await connectRaw(port);
  await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await proxy.pool.replace(0, "a test");
  await client.untilEnd();
  await proxy.whenBalanced();
  const { metrics } = proxy.generation;
  assert.equal(metrics.total("heddle_requests_ended_total", { outcome: "worker_lost" }), 1);
  assert.equal(metrics.total("envoy_http_downstream_rq_active"), 0);
  assert.equal(metrics.total("envoy_http_downstream_cx_active"), 0);

  const next = await connectRaw(port);
  await next.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await next.response()).body, "direct");
  client.socket.destroy();
  next.socket.destroy();
});

test("two workers share a listener, and each takes connections", async (t) => {
  const listener = httpListener({ name: "web", routes: [direct] });
  const proxy = await TestProxy.start(bootstrap([listener], []), { concurrency: 2 });
  t.after(() => proxy[Symbol.asyncDispose]());
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectRaw(proxy.port("web"))));
  for (const client of clients) {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await client.response()).body, "direct");
    client.socket.destroy();
  }
  assert.equal(proxy.generation.metrics.total("envoy_listener_downstream_cx_total"), 20);
});

test("what a lost worker knew of a cluster is not added to what its successor knows", async (t) => {
  const open = new AsyncDisposableStack();
  t.after(() => open.disposeAsync());
  const upstream = open.use(await startRawServer());
  const listener = httpListener({ name: "web", routes: [route("/", "up")] });
  const proxy = open.use(await TestProxy.start(bootstrap([listener], [cluster("up", [upstream.port])])));
  const { metrics } = proxy.generation;
  for (const requests of [1, 2]) {
    const client = await connectRaw(proxy.port("web"));
    await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    // It is published in the same moment as the endpoints are.
    const giveUpAt = performance.now() + 10_000;
    while (metrics.total("envoy_cluster_upstream_rq_total") < requests && performance.now() < giveUpAt) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(metrics.total("envoy_cluster_upstream_rq_total"), requests);
    assert.equal(metrics.total("envoy_cluster_membership_total"), 1);
    assert.equal(metrics.total("envoy_cluster_upstream_rq_active"), 1);
    await proxy.pool.replace(0, "a test");
    await client.untilEnd();
    client.socket.destroy();
  }
});

test("a worker that does not beat is seen, ended and reported", async (t) => {
  const reason = await new Promise<string>((resolve) => {
    const handle = new WorkerHandle(
      0,
      silentLogger,
      "off",
      { onSeries() {}, onHealth() {}, onEndpointFailed() {}, onTapLines() {}, onGone: resolve },
      {
        load: SharedLoad.create(1).buffer,
        queues: SharedQueues.create(1).buffer,
        sessions: createSessionSetup(1),
      },
      {
        entry: new URL("../testing/stalled-worker.ts", import.meta.url),
        checkMs: 5,
      },
    );
    t.after(() => handle.end("the test ends"));
  });
  assert.equal(reason, "it stalled");
});

function listenerSaying(name: string): ListenerConfig {
  const says = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: name } } };
  const json = httpListener({ name, routes: [says] });
  const { config } = loadListener(fromJson(ListenerSchema, json as never, { registry: typeRegistry }));
  assert.ok(config);
  return config;
}

test("a connection that a worker is given is served by the listener that it came by, whoever else has its descriptor", async (t) => {
  const queues = SharedQueues.create(1);
  const events = { onSeries() {}, onHealth() {}, onEndpointFailed() {}, onTapLines() {}, onGone() {} };
  const load = SharedLoad.create(1);
  load.setMaxConnections(100);
  const shared = { load: load.buffer, queues: queues.buffer, sessions: createSessionSetup(1) };
  const worker = new WorkerHandle(0, silentLogger, "off", events, shared);
  t.after(() => worker.end("the test ends"));
  const bound = new BoundSocket({ host: "127.0.0.1", port: 0 });
  t.after(() => bound.close());
  const configure = async (set: readonly string[], remove: readonly string[]): Promise<void> => {
    const sockets = set.map((listener, id) => ({ listener, host: "127.0.0.1", port: 0, id, fd: bound.fd() }));
    const delta = { listeners: { set: set.map(listenerSaying), remove } };
    assert.equal(
      await worker.configure({ delta, secrets: { set: [], remove: [] }, sockets, limits: [], clusterCounts: [] }),
      undefined,
    );
  };
  let socketId = 0;
  const accepting = await openListener(
    { host: "127.0.0.1", port: 0 },
    {
      onConnection: () => assert.fail("it was not taken"),
      giveAway: (descriptor) => queues.put(0, duplicateDescriptor(descriptor) ?? -1, socketId),
    },
  );
  t.after(() => accepting.close());
  const given = async (id: number): Promise<RawPeer> => {
    socketId = id;
    const client = await connectRaw(accepting.address.port);
    t.after(() => client.socket.destroy());
    await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    return client;
  };
  await configure(["zero", "one"], []);
  assert.equal((await (await given(0)).response()).body, "zero");
  assert.equal((await (await given(1)).response()).body, "one");
  await configure([], ["one"]);
  // It is served by what is left of the listener, or by nobody.
  assert.doesNotMatch(await (await given(1)).untilEnd(), /zero/);
});
