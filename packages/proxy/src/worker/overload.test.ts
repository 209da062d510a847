import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connectRaw, type RawPeer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { GrpcClient } from "../testing/grpc-app.ts";
import { fullHeap } from "../testing/overload-json.ts";
import { adminGet, listenerPort, startProxy } from "../testing/proxy-process.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import type { ProxyOptions } from "../options/options.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };
const monitors = "type.googleapis.com/envoy.extensions.resource_monitors";

async function start(t: TestContext, content: object, options: Partial<ProxyOptions> = {}): Promise<TestProxy> {
  const proxy = await TestProxy.start(content, options);
  t.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function connect(t: TestContext, port: number): Promise<RawPeer> {
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  return client;
}

async function get(client: RawPeer): Promise<{ head: string; body: string }> {
  await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  return client.response();
}

/** A connection that is served: it has had an answer. */
async function served(t: TestContext, port: number): Promise<RawPeer> {
  const client = await connect(t, port);
  assert.match((await get(client)).head, /^HTTP\/1\.1 200/);
  return client;
}

/** Whether a connection is taken and closed at once. */
async function isClosed(t: TestContext, port: number): Promise<boolean> {
  const client = await connect(t, port);
  return (await client.untilEnd()) === "";
}

/** Counters are in shared memory, so there is nothing to be told by. */
async function untilTotal(
  proxy: TestProxy,
  name: string,
  labels: Record<string, string>,
  wanted: number,
): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (proxy.generation.metrics.total(name, labels) !== wanted) {
    assert.ok(
      performance.now() < giveUpAt,
      `${name} is ${proxy.generation.metrics.total(name, labels)}, not ${wanted}`,
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test("stop_accepting_requests answers 503 with flag OM before anything is done, to gRPC callers in their words", async (t) => {
  const proxy = await start(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], [], fullHeap(["stop_accepting_requests"])),
  );
  const client = await connect(t, proxy.port("web"));
  const { head, body } = await get(client);
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.equal(body, "envoy overloaded");
  const grpc = new GrpcClient(`127.0.0.1:${proxy.port("web")}`);
  t.after(() => grpc.close());
  assert.equal((await grpc.unary("Echo")).code, 14);
  assert.equal(proxy.generation.metrics.total("envoy_http_downstream_rq_overload_close"), 2);
  assert.match(await proxy.admin("/stats"), /^overload\.envoy\.overload_actions\.stop_accepting_requests\.active: 1$/m);
  assert.match(await proxy.admin("/stats"), /^overload\.envoy\.resource_monitors\.fixed_heap\.pressure: [1-9]\d{3,}$/m);
  await proxy.whenBalanced();
});

test("disable_http_keepalive ends HTTP/1.1 connections with their response", async (t) => {
  const proxy = await start(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], [], fullHeap(["disable_http_keepalive"])),
  );
  const { head } = await get(await connect(t, proxy.port("web")));
  assert.match(head, /^HTTP\/1\.1 200 .*\r\nconnection: close/s);
  await proxy.untilStat("http.web.downstream_cx_overload_disable_keepalive", 1);
});

test("reject_incoming_connections closes what comes", async (t) => {
  const proxy = await start(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], [], fullHeap(["reject_incoming_connections"])),
  );
  assert.ok(await isClosed(t, proxy.port("web")));
  assert.equal(proxy.generation.metrics.total("envoy_listener_downstream_cx_overload_reject"), 1);
});

test("stop_accepting_connections leaves connections in the kernel's queue, and goes on when it is over", async (t) => {
  // A connection on one listener is what makes both stop: they go on when it is closed.
  const name = "envoy.resource_monitors.global_downstream_max_connections";
  const typed = {
    "@type": `${monitors}.downstream_connections.v3.DownstreamConnectionsConfig`,
    max_active_downstream_connections: 20,
  };
  const manager = {
    refresh_interval: "0.01s",
    resource_monitors: [{ name, typed_config: typed }],
    actions: [
      { name: "envoy.overload_actions.stop_accepting_connections", triggers: [{ name, threshold: { value: 0.05 } }] },
    ],
  };
  const content = bootstrap([httpListener({ name: "web", routes: [direct] })], [], { overload_manager: manager });
  const { proxy } = await startProxy(t, content, ["--concurrency", "1"]);
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const first = await served(t, port);
  // The worker looks at it by its own pulse: from then on the kernel alone takes connections, and nobody answers.
  await proxy.logged(/connections are not accepted: overload/);
  const client = await connect(t, port);
  const answer = get(client);
  assert.match(await adminGet(admin, "/stats"), /^listener\.[^ ]*\.downstream_cx_total: 1$/m);
  first.socket.destroy();
  assert.equal((await answer).body, "direct");
  await proxy.logged(/connections are accepted again/);
});

test("a listener's limit of connections holds for all workers together, and is given back", async (t) => {
  const layers = [{ name: "l", static_layer: { "envoy.resource_limits.listener.web.connection_limit": 3 } }];
  const proxy = await start(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], [], { layered_runtime: { layers } }),
    { concurrency: 2 },
  );
  const port = proxy.port("web");
  const open = [await served(t, port), await served(t, port), await served(t, port)];
  assert.ok(await isClosed(t, port));
  assert.equal(proxy.generation.metrics.total("envoy_listener_downstream_cx_overflow"), 1);
  open[0]!.socket.destroy();
  await untilTotal(proxy, "envoy_listener_downstream_cx_active", {}, 2);
  await served(t, port);
});

test("all listeners share one limit of connections, but for one that ignores it", async (t) => {
  const layers = [{ name: "l", static_layer: { "overload.global_downstream_max_connections": 2 } }];
  const proxy = await start(
    t,
    bootstrap(
      [
        httpListener({ name: "web", routes: [direct] }),
        httpListener({ name: "api", routes: [direct] }),
        httpListener({ name: "vip", routes: [direct], listener: { ignore_global_conn_limit: true } }),
      ],
      [],
      { layered_runtime: { layers } },
    ),
  );
  await served(t, proxy.port("web"));
  await served(t, proxy.port("api"));
  assert.ok(await isClosed(t, proxy.port("web")));
  assert.equal(proxy.generation.metrics.total("envoy_listener_downstream_global_cx_overflow"), 1);
  await served(t, proxy.port("vip"));
});

test("a worker that is lost gives back what it had counted", async (t) => {
  const layers = [{ name: "l", static_layer: { "envoy.resource_limits.listener.web.connection_limit": 1 } }];
  const proxy = await start(
    t,
    bootstrap([httpListener({ name: "web", routes: [direct] })], [], { layered_runtime: { layers } }),
  );
  const client = await served(t, proxy.port("web"));
  await proxy.pool.replace(0, "a test");
  await client.untilEnd();
  await served(t, proxy.port("web"));
});

test("connections of a filter chain above its limit are closed, after the delay that it names", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const limit = (name: string, more: object): Record<string, unknown> => ({
    name: "limit",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit",
      stat_prefix: name,
      max_connections: 1,
      ...more,
    },
  });
  const proxy = await start(
    t,
    bootstrap(
      [tcpListener("now", "up", [limit("now", {})]), tcpListener("later", "up", [limit("later", { delay: "0.2s" })])],
      [cluster("up", [upstream.port])],
    ),
  );
  for (const name of ["now", "later"]) {
    const first = await connect(t, proxy.port(name));
    await first.send("x");
    await (await upstream.next()).until("x");
    const beganAt = performance.now();
    assert.ok(await isClosed(t, proxy.port(name)));
    const isLate = performance.now() - beganAt >= 190;
    // Sooner than the delay never; how much later is the machine's affair.
    if (name === "later") assert.ok(isLate);
    await untilTotal(proxy, "envoy_connection_limit_limited_connections", { envoy_connection_limit_prefix: name }, 1);
    first.socket.resetAndDestroy();
    await untilTotal(proxy, "envoy_listener_downstream_cx_active", { envoy_listener_address: name }, 0);
    const next = await connect(t, proxy.port(name));
    await next.send("y");
    await (await upstream.next()).until("y");
  }
});

test("a heap that is to shrink is collected, and requests are served", async (t) => {
  const proxy = await start(
    t,
    bootstrap(
      [httpListener({ name: "web", routes: [route("/", "up"), direct] })],
      [cluster("up", [1])],
      fullHeap(["shrink_heap"]),
    ),
  );
  assert.match(await proxy.admin("/stats"), /^overload\.envoy\.overload_actions\.shrink_heap\.active: 1$/m);
  assert.match(await proxy.admin("/stats"), /^overload\.envoy\.overload_actions\.shrink_heap\.shrink_count: [1-9]/m);
});
