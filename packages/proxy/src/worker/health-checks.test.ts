import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpsServer } from "node:https";
import { createServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { test, type TestContext } from "node:test";
import type { TLSSocket } from "node:tls";
import { Server as GrpcServer, ServerCredentials } from "@grpc/grpc-js";
import { connectRaw, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, clientTls, cluster, http2Cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const web = "spiffe://cluster.local/ns/default/sa/web";
const books = "spiffe://cluster.local/ns/default/sa/books";

async function listen(t: TestContext, server: Server & { closeAllConnections(): void }): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const often = { timeout: "2s", interval: "0.1s", no_traffic_interval: "0.1s" };
const thresholds = { unhealthy_threshold: 1, healthy_threshold: 1 };

function startProxy(ports: readonly number[], more: Record<string, unknown>): Promise<TestProxy> {
  return TestProxy.start(
    bootstrap([httpListener({ name: "web", routes: [route("/", "app")] })], [cluster("app", ports, more)]),
  );
}

async function untilShown(proxy: TestProxy, path: string, text: RegExp): Promise<void> {
  const giveUpAt = performance.now() + 60_000;
  for (let shown = ""; !text.test(shown); shown = await proxy.admin(path))
    assert.ok(performance.now() < giveUpAt, `${text} in ${shown}`);
}

test("an endpoint that its check finds ill gets no requests until it is well again, and is shown as Envoy shows it", async (t) => {
  let isWell = true;
  const served = [0, 0];
  const start = (index: number): Promise<number> =>
    listen(
      t,
      createServer((request, response) => {
        if (request.url === "/healthz") response.statusCode = index === 0 || isWell ? 200 : 500;
        else served[index]! += 1;
        response.end();
      }),
    );
  const ports = [await start(0), await start(1)];
  const proxy = await startProxy(ports, {
    health_checks: [{ ...often, ...thresholds, http_health_check: { path: "/healthz" } }],
  });
  t.after(() => proxy[Symbol.asyncDispose]());
  const shows = (flags: string) =>
    untilShown(proxy, "/clusters", new RegExp(`app::127\\.0\\.0\\.1:${ports[1]}::health_flags::${flags}\n`));
  const ask = async (): Promise<void> => {
    for (let count = 0; count < 4; count++) await fetch(`http://127.0.0.1:${proxy.port("web")}/`);
  };
  await untilShown(proxy, "/stats?filter=membership", /cluster\.app\.membership_healthy: 2\n/);
  await ask();
  assert.deepEqual(served, [2, 2]);
  isWell = false;
  await shows("/failed_active_hc");
  await untilShown(proxy, "/stats?filter=membership", /cluster\.app\.membership_healthy: 1\n/);
  await ask();
  assert.deepEqual(served, [6, 2]);
  isWell = true;
  await shows("healthy");
  await ask();
  assert.deepEqual(served, [8, 4]);
  await untilShown(proxy, "/stats?filter=health_check", /cluster\.app\.health_check\.failure: [1-9]/);
});

test("checks use the cluster's TLS, with an ALPN of their own where one is given", async (t) => {
  const ca = await ThrowawayCa.create();
  const { chainPem, privateKeyPem } = await ca.issue(books);
  const options = {
    cert: chainPem,
    key: privateKeyPem,
    ca: ca.certificatePem,
    requestCert: true,
    rejectUnauthorized: true,
    ALPNProtocols: ["own", "http/1.1"],
  };
  const mine = await ca.issue(web);
  for (const [expected, tlsOptions, health] of [
    [books, { alpn_protocols: ["own"] }, "healthy"],
    [books, undefined, "healthy"],
    [web, undefined, "/failed_active_hc"],
  ] as const) {
    const alpns: string[] = [];
    const server = createHttpsServer(options, (request, response) => {
      alpns.push(String((request.socket as TLSSocket).alpnProtocol));
      response.end();
    });
    const material = { chainPem: mine.chainPem, privateKeyPem: mine.privateKeyPem, anchorsPem: ca.certificatePem };
    const check = { ...often, ...thresholds, http_health_check: { path: "/" } };
    const proxy = await startProxy([await listen(t, server)], {
      transport_socket: clientTls(material, expected, ["http/1.1"]),
      health_checks: [tlsOptions === undefined ? check : { ...check, tls_options: tlsOptions }],
    });
    t.after(() => proxy[Symbol.asyncDispose]());
    await untilShown(proxy, "/clusters", new RegExp(`health_flags::${health}\\n`));
    assert.equal(alpns[0], health === "healthy" ? (tlsOptions?.alpn_protocols[0] ?? "http/1.1") : undefined);
  }
});

/** grpc.health.v1 as a foreign server has it: the service whose status is asked for is in the request. */
async function startGrpc(t: TestContext, statusOf: (service: string) => number): Promise<number> {
  const server = new GrpcServer();
  const path = "/grpc.health.v1.Health/Check";
  server.addService(
    {
      check: {
        path,
        requestStream: false,
        responseStream: false,
        requestDeserialize: (bytes: Buffer) => bytes.toString("utf8", 2),
        requestSerialize: (service: string) => Buffer.from(service),
        responseSerialize: (status: number) => Buffer.from([8, status]),
        responseDeserialize: (bytes: Buffer) => bytes[1] ?? 0,
      },
    },
    {
      check: (
        call: { request: string },
        reply: (error: { code: number; details: string } | null, status?: number) => void,
      ) => {
        const status = statusOf(call.request);
        if (status === 0) reply({ code: 5, details: "unknown service" });
        else reply(null, status);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  t.after(() => server.forceShutdown());
  return port;
}

test("a gRPC server of grpc-js is asked for the health of a service", async (t) => {
  const statuses = new Map([["books", 1]]);
  const port = await startGrpc(t, (service) => statuses.get(service) ?? 0);
  const proxy = await startProxy([port], {
    ...http2Cluster(),
    health_checks: [{ ...often, ...thresholds, grpc_health_check: { service_name: "books" } }],
  });
  t.after(() => proxy[Symbol.asyncDispose]());
  for (const [status, health] of [
    [1, "healthy"],
    [2, "/failed_active_hc"],
    [1, "healthy"],
    [0, "/failed_active_hc"],
  ] as const) {
    statuses.set("books", status);
    await untilShown(proxy, "/clusters", new RegExp(`health_flags::${health}\n`));
  }
});

test("several workers ask an endpoint once, and all of them, also one that comes later, know what was found", async (t) => {
  let isWell = true;
  const askers = new Set<unknown>();
  const served = [0, 0];
  const start = (index: number): Promise<number> =>
    listen(
      t,
      createServer((request, response) => {
        if (request.url === "/healthz") {
          if (index === 1) askers.add(request.socket);
          response.statusCode = index === 0 || isWell ? 200 : 500;
        } else served[index]! += 1;
        response.end();
      }),
    );
  const ports = [await start(0), await start(1)];
  const check = { ...often, ...thresholds, http_health_check: { path: "/healthz" } };
  const proxy = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "web", routes: [route("/", "app")] })],
      [cluster("app", ports, { health_checks: [check] })],
    ),
    { concurrency: 3 },
  );
  t.after(() => proxy[Symbol.asyncDispose]());
  const ill = new RegExp(`app::127\\.0\\.0\\.1:${ports[1]}::health_flags::/failed_active_hc\\n`);
  await untilShown(proxy, "/stats?filter=membership", /cluster\.app\.membership_healthy: 2\n/);
  isWell = false;
  await untilShown(proxy, "/clusters", ill);
  // Each worker takes some of these connections, and tells on its next request what it knows.
  const ask = async (): Promise<void> => {
    for (let count = 0; count < 12; count++)
      await fetch(`http://127.0.0.1:${proxy.port("web")}/`, { headers: { connection: "close" } });
  };
  const giveUpAt = performance.now() + 60_000;
  for (let before = -1; before !== served[1]; assert.ok(performance.now() < giveUpAt)) {
    before = served[1]!;
    await ask();
  }
  await proxy.pool.replace(2, "the test ends it");
  const after = served[1];
  await ask();
  assert.equal(served[1], after);
  assert.equal(askers.size, 1);
});

/** Endpoints that their checks find well, of which the second says in its answers, when it is asked at `/fail`, that it is not. */
async function startFailing(t: TestContext, check: object, concurrency: number) {
  const served = [0, 0];
  const start = (index: number): Promise<number> =>
    listen(
      t,
      createServer((request, response) => {
        if (request.url !== "/healthz") served[index]! += 1;
        if (request.url === "/fail" && index === 1) response.setHeader("x-envoy-immediate-health-check-fail", "true");
        response.end();
      }),
    );
  const ports = [await start(0), await start(1)];
  const health_checks = [{ ...thresholds, ...check, http_health_check: { path: "/healthz" } }];
  const routes = [route("/", "app")];
  const proxy = await TestProxy.start(
    bootstrap([httpListener({ name: "web", routes })], [cluster("app", ports, { health_checks })]),
    { concurrency },
  );
  t.after(() => proxy[Symbol.asyncDispose]());
  await untilShown(proxy, "/stats?filter=membership", /cluster\.app\.membership_healthy: 2\n/);
  return { proxy, ports, served };
}

test("an endpoint that says so in an answer is out at once, without a check, and the client is not told", async (t) => {
  const never = { timeout: "2s", interval: "600s", no_traffic_interval: "600s", unhealthy_threshold: 3 };
  const { proxy, ports, served } = await startFailing(t, never, 1);
  const ask = (path: string) => fetch(`http://127.0.0.1:${proxy.port("web")}${path}`);
  for (let count = 0; count < 2; count++)
    assert.equal((await ask("/fail")).headers.get("x-envoy-immediate-health-check-fail"), null);
  await untilShown(proxy, "/clusters", new RegExp(`127\\.0\\.0\\.1:${ports[1]}::health_flags::/failed_active_hc\n`));
  for (let count = 0; count < 4; count++) await ask("/");
  assert.deepEqual(served, [5, 1]);
});

test("the word of an endpoint counts whichever worker hears it", async (t) => {
  const { proxy } = await startFailing(t, often, 3);
  // One connection for each worker, since they are spread evenly.
  const clients = await Promise.all([0, 1, 2].map(() => connectRaw(proxy.port("web"))));
  t.after(() => clients.forEach(({ socket }) => socket.destroy()));
  const failures = new RegExp(`cluster\\.app\\.health_check\\.passive_failure: (\\d+)\n`);
  const count = async (): Promise<number> => Number(failures.exec(await proxy.admin("/stats"))?.[1] ?? 0);
  const giveUpAt = performance.now() + 60_000;
  for (const client of clients) {
    for (const before = await count(); (await count()) === before; assert.ok(performance.now() < giveUpAt)) {
      await client.send("GET /fail HTTP/1.1\r\nhost: x\r\n\r\n");
      await client.response();
    }
  }
});
