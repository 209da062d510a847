import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { connectRaw, type RawPeer } from "@heddle/testkit";
import { bootstrap, httpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };
const activeByWorker = "envoy_listener_worker_downstream_cx_active";

async function start(t: TestContext, concurrency: number): Promise<TestProxy> {
  const proxy = await TestProxy.start(bootstrap([httpListener({ name: "web", routes: [direct] })], []), {
    concurrency,
  });
  t.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function served(t: TestContext, port: number): Promise<RawPeer> {
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.equal((await client.response()).body, "direct");
  return client;
}

function open(proxy: TestProxy, worker: number): number {
  return proxy.generation.metrics.total(activeByWorker, { envoy_worker_id: String(worker) });
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  const giveUpAt = performance.now() + 15_000;
  while (!condition()) {
    assert.ok(performance.now() < giveUpAt, what());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

test("connections that come one by one or all at once are spread evenly over the workers", async (t) => {
  const proxy = await start(t, 4);
  const counts = (): number[] => [0, 1, 2, 3].map((worker) => open(proxy, worker));
  for (let i = 0; i < 40; i++) await served(t, proxy.port("web"));
  await until(
    () => counts().reduce((sum, count) => sum + count) === 40,
    () => counts().join(),
  );
  // Each went to one of those that held the fewest; two that accept at once may choose the same.
  assert.ok(Math.max(...counts()) - Math.min(...counts()) <= 2, counts().join());
  await Promise.all(Array.from({ length: 160 }, () => served(t, proxy.port("web"))));
  await until(
    () => counts().reduce((sum, count) => sum + count) === 200,
    () => counts().join(),
  );
  assert.ok(Math.max(...counts()) - Math.min(...counts()) <= 8, counts().join());
});

test("when one of two workers is lost the other's connections live on, and the one in its place gets its share", async (t) => {
  const proxy = await start(t, 2);
  const clients = [];
  for (let i = 0; i < 10; i++) clients.push(await served(t, proxy.port("web")));
  await until(
    () => open(proxy, 0) + open(proxy, 1) === 10,
    () => "not all are counted",
  );
  const lost = open(proxy, 0);
  assert.ok(lost >= 4 && lost <= 6, String(lost));
  await proxy.pool.replace(0, "a test");
  let alive = 0;
  for (const client of clients) {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n").catch(() => {});
    const answer = await client.response().catch(() => undefined);
    if (answer?.body === "direct") alive += 1;
  }
  assert.equal(alive, 10 - lost);
  // The new worker is there when it takes connections, which it does as long as it holds fewer.
  await until(
    () => {
      void served(t, proxy.port("web")).catch(() => {});
      return open(proxy, 0) >= 3;
    },
    () => `${open(proxy, 0)} at the new worker, ${open(proxy, 1)} at the other`,
  );
});
