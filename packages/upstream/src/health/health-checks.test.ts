import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { test, type TestContext } from "node:test";
import type { Logger } from "@heddle/core";
import {
  applyDelta,
  type BoundCluster,
  type ConfigDelta,
  emptySnapshot,
  type HealthCheckConfig,
  type HttpCheckConfig,
  LiveState,
  type Snapshot,
} from "@heddle/engine";
import { freePort } from "@heddle/testkit";
import { type ClusterChanges, makeCluster, ManualSecrets, ManualTimers } from "../testing/fixture.ts";
import { ScriptedUpstream } from "../testing/scripted-upstream.ts";
import { ClientTlsContexts } from "../tls/client-contexts.ts";
import { HealthChecks } from "./health-checks.ts";

const noHeaders = { remove: [], set: [] };
const http: HttpCheckConfig = {
  kind: "http",
  host: "",
  path: "/healthz",
  method: "GET",
  protocol: "http1",
  body: undefined,
  receive: [],
  responseBufferBytes: 1024,
  headers: noHeaders,
  expectedStatuses: [{ start: 200, end: 201 }],
  retriableStatuses: [],
  serviceName: undefined,
};

/** Node reads the octets of a field as Latin-1. */
function latin1AsUtf8(text: string): string {
  return Buffer.from(text, "latin1").toString();
}

function checkWith(changes: Partial<HealthCheckConfig>): HealthCheckConfig {
  return {
    timeoutMs: 500,
    intervalMs: 1000,
    unhealthyIntervalMs: 2000,
    unhealthyEdgeIntervalMs: 300,
    healthyEdgeIntervalMs: 400,
    noTrafficIntervalMs: 1000,
    noTrafficHealthyIntervalMs: 1000,
    initialJitterMs: 0,
    intervalJitterMs: 0,
    intervalJitterPercent: 0,
    unhealthyThreshold: 2,
    healthyThreshold: 2,
    altPort: 0,
    reuseConnection: true,
    alpn: [],
    logsEveryFailure: false,
    logsEverySuccess: false,
    checker: http,
    ...changes,
  };
}

/** Checks against real servers, on a clock that the test moves, and the snapshot that comes of them. */
class Harness {
  readonly timers = new ManualTimers();
  readonly live = new LiveState();
  readonly counts = new Map<string, number>();
  snapshot: Snapshot = emptySnapshot;
  random = 0;
  readonly logged: string[] = [];
  readonly #logger: Logger = {
    level: "info",
    child: () => this.#logger,
    debug: () => {},
    info: (message) => this.logged.push(message),
    warn: (message) => this.logged.push(message),
    error: (message) => this.logged.push(message),
  };
  readonly #waiting: (() => void)[] = [];
  readonly checks: HealthChecks;

  constructor(t: TestContext) {
    this.checks = new HealthChecks({
      live: this.live,
      timers: this.timers,
      tls: new ClientTlsContexts(new ManualSecrets()),
      random: () => this.random,
      wallMs: Date.now,
      logger: this.#logger,
      onHealth: (health) => this.apply({ health }),
      onCount: (_, what) => {
        this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
        for (const resolve of this.#waiting.splice(0)) resolve();
      },
    });
    t.after(() => this.checks.stop());
  }

  apply(delta: ConfigDelta): void {
    this.snapshot = applyDelta(this.snapshot, delta);
    this.checks.update(this.snapshot.clusters);
  }

  /** A cluster whose first checks begin at once. */
  begin(ports: readonly number[], check: Partial<HealthCheckConfig>, changes: ClusterChanges = {}): void {
    const { config } = makeCluster(ports, { healthCheck: checkWith(check), ...changes });
    this.apply({ clusters: { set: [config], remove: [] } });
  }

  get cluster(): BoundCluster {
    return this.snapshot.clusters.get("test")!;
  }

  health(): string {
    return this.cluster.endpoints.map(({ activeHealth }) => activeHealth).join();
  }

  of(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  /** Resolves when so many checks have ended, and what they change is in force. */
  async ended(checks: number): Promise<void> {
    while (this.of("success") + this.of("failure") < checks)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function startHttp(t: TestContext, answer: Answer): Promise<number> {
  const server = createHttpServer(answer);
  return listen(t, server, () => server.closeAllConnections());
}

async function listen(t: TestContext, server: Server, closeAll: () => void): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    closeAll();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test("an endpoint serves when its first check has ended well, and not before", async (t) => {
  const port = await startHttp(t, (_, response) => response.end("ok"));
  const harness = new Harness(t);
  harness.begin([port], {}, { healthyPanicThreshold: 0 });
  assert.equal(harness.health(), "pending");
  assert.equal(harness.cluster.endpoints[0]?.health, "unhealthy");
  assert.equal(harness.cluster.levels[0]?.healthy.endpoints.length, 0);
  await harness.ended(1);
  assert.equal(harness.health(), "healthy");
  assert.equal(harness.cluster.levels[0]?.healthy.endpoints.length, 1);
  assert.deepEqual(Object.fromEntries(harness.counts), { attempt: 1, success: 1 });
});

test("thresholds count in a row, in the intervals of the edge, and a status that is not expected counts at once", async (t) => {
  let status = 200;
  const port = await startHttp(t, (_, response) => response.writeHead(status).end());
  const harness = new Harness(t);
  harness.live.acquireConnection(makeCluster([port]), makeCluster([port]).endpoints[0]!);
  harness.begin([port], { checker: { ...http, retriableStatuses: [{ start: 503, end: 504 }] } });
  await harness.ended(1);
  let checks = 1;
  /** Sees that no check comes before this time, and what the one that comes changes. */
  const after = async (ms: number, answer: number, expected: string): Promise<void> => {
    status = answer;
    harness.timers.advance(ms - 50);
    assert.equal(harness.of("attempt"), checks);
    harness.timers.advance(100);
    checks += 1;
    assert.equal(harness.of("attempt"), checks);
    await harness.ended(checks);
    assert.equal(harness.health(), expected);
  };
  await after(1000, 503, "healthy");
  await after(300, 200, "healthy");
  await after(1000, 503, "healthy");
  await after(300, 503, "failed");
  await after(2000, 200, "failed");
  await after(400, 503, "failed");
  await after(2000, 200, "failed");
  await after(400, 200, "healthy");
  await after(1000, 404, "failed");
});

test("a cluster without traffic is checked more rarely", async (t) => {
  const port = await startHttp(t, (_, response) => response.end());
  const harness = new Harness(t);
  harness.begin([port], { noTrafficIntervalMs: 60_000, noTrafficHealthyIntervalMs: 30_000 });
  await harness.ended(1);
  harness.timers.advance(29_900);
  assert.equal(harness.of("attempt"), 1);
  harness.timers.advance(200);
  assert.equal(harness.of("attempt"), 2);
});

test("jitter is added to the first check and to each interval", async (t) => {
  const port = await startHttp(t, (_, response) => response.end());
  const harness = new Harness(t);
  harness.random = 0.5;
  harness.begin([port], {
    initialJitterMs: 1000,
    intervalJitterMs: 200,
    intervalJitterPercent: 20,
    noTrafficHealthyIntervalMs: 1000,
  });
  harness.timers.advance(450);
  assert.equal(harness.of("attempt"), 0);
  harness.timers.advance(100);
  await harness.ended(1);
  harness.timers.advance(1150);
  assert.equal(harness.of("attempt"), 1);
  harness.timers.advance(100);
  assert.equal(harness.of("attempt"), 2);
});

test("an endpoint that keeps silent has failed when the timeout is over, one that refuses at once", async (t) => {
  const silent = await ScriptedUpstream.start(t, () => {});
  const harness = new Harness(t);
  harness.begin([silent.port, await freePort()], {});
  await harness.ended(1);
  assert.equal(harness.health(), "pending,failed");
  await silent.until((u) => u.received(0) !== "");
  const closed = once(silent.socket(0), "close");
  harness.timers.advance(550);
  await harness.ended(2);
  assert.equal(harness.health(), "failed,failed");
  assert.equal(harness.of("network_failure"), 2);
  await closed;
});

test("the request is what the check says, and so is the response that counts", async (t) => {
  const seen: { text: string; body: string }[] = [];
  let [status, body, served] = [204, "state: serving, since: today", "books-v1"];
  const port = await startHttp(t, (request, response) => {
    const { method, url, headers } = request;
    let sent = "";
    request.on("data", (bytes: Buffer) => (sent += bytes.toString()));
    request.on("end", () => {
      seen.push({
        text: `${method} ${url} ${headers.host} ${latin1AsUtf8(String(headers["x-own"]))} ${headers["user-agent"]}`,
        body: sent,
      });
      response.writeHead(status, { "x-envoy-upstream-healthchecked-cluster": served, "x-envoy-degraded": "1" });
      response.end(status === 204 ? undefined : body);
    });
  });
  const bytes = (text: string) => Uint8Array.from(Buffer.from(text));
  const set = (value: string, action: "append-if-exists-or-add" | "overwrite-if-exists-or-add") =>
    ({ name: "x-own", value, action, keepEmptyValue: false }) as const;
  const checker: HttpCheckConfig = {
    ...http,
    host: "health.example",
    method: "POST",
    body: bytes("are you well?"),
    receive: [bytes("serving"), bytes("today")],
    // As for requests (Envoy's HeaderParser): what overwrites goes before what is appended, and values may be any UTF-8.
    headers: {
      remove: ["user-agent"],
      set: [set("2", "append-if-exists-or-add"), set("one €", "overwrite-if-exists-or-add")],
    },
    expectedStatuses: [{ start: 200, end: 300 }],
    serviceName: { kind: "prefix", value: "books", ignoreCase: false },
  };
  const harness = new Harness(t);
  harness.begin([port], { checker, healthyThreshold: 1 });
  await harness.ended(1);
  assert.deepEqual(seen[0], { text: "POST /healthz health.example one €, 2 undefined", body: "are you well?" });
  assert.equal(harness.health(), "failed");
  let checks = 1;
  const next = async (): Promise<string> => {
    harness.timers.advance(1050);
    await harness.ended(++checks);
    return harness.health();
  };
  status = 200;
  assert.equal(await next(), "degraded");
  assert.equal(harness.cluster.endpoints[0]?.health, "degraded");
  body = "today and serving";
  assert.equal(await next(), "failed");
  [body, served] = ["serving today", "films-v1"];
  assert.equal(await next(), "failed");
  assert.equal(harness.of("verify_cluster"), 1);
  served = "books-v2";
  assert.equal(await next(), "degraded");
});

test("of a response's body no more is looked at than response_buffer_size says", async (t) => {
  const port = await startHttp(t, (_, response) => response.end(`${"x".repeat(2000)}serving`));
  for (const [responseBufferBytes, expected] of [
    [1024, "failed"],
    [0, "healthy"],
  ] as const) {
    const harness = new Harness(t);
    const receive = [Uint8Array.from(Buffer.from("serving"))];
    harness.begin([port], { checker: { ...http, receive, responseBufferBytes } });
    await harness.ended(1);
    assert.equal(harness.health(), expected);
  }
});

test("three checks take one connection or three, as reuse_connection says, and none of them is the traffic's", async (t) => {
  for (const [reuseConnection, connections] of [
    [true, 1],
    [false, 3],
  ] as const) {
    const upstream = await ScriptedUpstream.start(t, (socket) =>
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")),
    );
    const harness = new Harness(t);
    harness.begin([upstream.port], { reuseConnection }, { limits: { maxConnections: 0 } });
    for (let checks = 1; checks <= 3; checks++) {
      if (checks > 1) harness.timers.advance(1050);
      await harness.ended(checks);
    }
    assert.equal(harness.health(), "healthy");
    assert.equal(upstream.connections, connections);
    assert.equal(harness.live.cluster(harness.cluster).connections, 0);
  }
});

test("an endpoint is checked at its own check port, else at alt_port, with its own host name", async (t) => {
  const hosts: string[] = [];
  const port = await startHttp(t, (request, response) => {
    hosts.push(request.headers.host ?? "");
    response.end();
  });
  const harness = new Harness(t);
  const { config } = makeCluster([1, 2, 3], { healthCheck: checkWith({ altPort: port }) });
  const [locality] = config.inlineEndpoints!.localities;
  const [first, second, third] = locality!.endpoints;
  const endpoints = [
    first!,
    { ...second!, healthCheck: { port, hostname: "second.example", isDisabled: false } },
    { ...third!, healthCheck: { port: 0, hostname: "", isDisabled: true } },
  ];
  const inlineEndpoints = { ...config.inlineEndpoints!, localities: [{ ...locality!, endpoints }] };
  harness.apply({ clusters: { set: [{ ...config, inlineEndpoints }], remove: [] } });
  await harness.ended(2);
  assert.equal(harness.health(), "healthy,healthy,unchecked");
  assert.equal(harness.cluster.endpoints[2]?.health, "healthy");
  assert.deepEqual(hosts.sort(), ["second.example", "test"]);
});

test("a TCP check sends its bytes and waits for the expected ones, in any pieces and with others between", async (t) => {
  const upstream = await ScriptedUpstream.start(t, (socket, index) => {
    socket.on("data", () => {
      socket.write("xxPO");
      setImmediate(() => socket.write(index === 0 ? "NGyy and more" : "never"));
    });
  });
  const bytes = (text: string) => Uint8Array.from(Buffer.from(text));
  const harness = new Harness(t);
  const checker = { kind: "tcp", send: bytes("PING"), receive: [bytes("PONG"), bytes("more")] } as const;
  harness.begin([upstream.port], { checker });
  await harness.ended(1);
  assert.equal(upstream.received(0), "PING");
  assert.equal(harness.health(), "healthy");
  // The connection is used again, and made anew when it is gone.
  harness.timers.advance(1050);
  await harness.ended(2);
  assert.equal(upstream.received(0), "PINGPING");
  const gone = once(upstream.socket(0), "close");
  upstream.socket(0).destroy();
  await gone;
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  harness.timers.advance(1050);
  await upstream.until((u) => u.received(1) === "PING");
  harness.timers.advance(550);
  await harness.ended(3);
  assert.equal(harness.of("network_failure"), 1);
});

test("a TCP check without payloads is content with a connection, and closes it", async (t) => {
  const upstream = await ScriptedUpstream.start(t, () => {});
  const harness = new Harness(t);
  harness.begin([upstream.port, await freePort()], { checker: { kind: "tcp", send: undefined, receive: [] } });
  await harness.ended(2);
  assert.equal(harness.health(), "healthy,failed");
  await upstream.until((u) => u.connections === 1);
  if (!upstream.socket(0).destroyed) await once(upstream.socket(0), "close");
});

test("a gRPC check asks grpc.health.v1 of its service, and only SERVING is well", async (t) => {
  const seen: string[] = [];
  let reply: { status?: number; grpcStatus?: string } = { status: 1 };
  const server = createHttp2Server();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    let body = Buffer.alloc(0);
    stream.on("data", (bytes: Buffer) => (body = Buffer.concat([body, bytes])));
    stream.on("end", () => {
      seen.push(
        `${headers[":method"]} ${headers[":path"]} ${headers[":authority"]} ${headers["content-type"]} ${String(headers["x-token"])} ${body.toString("hex")}`,
      );
      const { status, grpcStatus = "0" } = reply;
      if (status === undefined) {
        stream.respond(
          { ":status": 200, "content-type": "application/grpc", "grpc-status": grpcStatus },
          { endStream: true },
        );
        return;
      }
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": grpcStatus }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, status]));
    });
  });
  const port = await listen(t, server, () => {
    for (const session of sessions) session.destroy();
  });
  const harness = new Harness(t);
  const metadata = {
    remove: [],
    set: [{ name: "x-token", value: "t", action: "append-if-exists-or-add", keepEmptyValue: false } as const],
  };
  harness.begin([port], {
    healthyThreshold: 1,
    checker: { kind: "grpc", serviceName: "books", authority: "books.example", metadata },
  });
  await harness.ended(1);
  assert.equal(harness.health(), "healthy");
  assert.equal(seen[0], "POST /grpc.health.v1.Health/Check books.example application/grpc t 00000000070a05626f6f6b73");
  let checks = 1;
  for (const [next, expected] of [
    [{ status: 2 }, "failed"],
    [{ status: 1 }, "healthy"],
    [{ status: 1, grpcStatus: "13" }, "failed"],
    [{ status: 1 }, "healthy"],
    [{ grpcStatus: "12" }, "failed"],
  ] as const) {
    reply = next;
    harness.timers.advance(1050);
    await harness.ended(++checks);
    assert.equal(harness.health(), expected, JSON.stringify(next));
  }
  // It was always the endpoint's own word, so that each counted at once.
  assert.equal(harness.of("network_failure"), 0);
});

test("an endpoint that discovery forgets while its check succeeds stays until it fails, or goes at once where ignore_health_on_host_removal says so", async (t) => {
  for (const [ignoreHealthOnHostRemoval, expected] of [
    [false, 1],
    [true, 0],
  ] as const) {
    let status = 200;
    const port = await startHttp(t, (_, response) => response.writeHead(status).end());
    const harness = new Harness(t);
    const { config } = makeCluster([port], { type: "eds", healthCheck: checkWith({}), ignoreHealthOnHostRemoval });
    const { inlineEndpoints, ...rest } = config;
    harness.apply({
      clusters: { set: [{ ...rest, inlineEndpoints: undefined }], remove: [] },
      endpoints: { set: [inlineEndpoints!], remove: [] },
    });
    await harness.ended(1);
    harness.apply({ endpoints: { set: [{ ...inlineEndpoints!, localities: [] }], remove: [] } });
    assert.equal(harness.cluster.endpoints.length, expected);
    if (expected === 0) continue;
    assert.equal(harness.cluster.endpoints[0]?.isRemoved, true);
    assert.equal(harness.cluster.levels[0]?.healthy.endpoints.length, 1);
    status = 404;
    harness.timers.advance(1050);
    await harness.ended(2);
    assert.equal(harness.cluster.endpoints.length, 0);
    harness.timers.advance(10_000);
    assert.equal(harness.of("attempt"), 2);
  }
});

test("a cluster that is pushed again keeps what its checks have found", async (t) => {
  const port = await startHttp(t, (_, response) => response.end());
  const harness = new Harness(t);
  harness.begin([port], {});
  await harness.ended(1);
  harness.begin([port], {}, { idleTimeoutMs: 5 });
  assert.equal(harness.health(), "healthy");
  assert.equal(harness.of("attempt"), 1);
  harness.begin([port], { intervalMs: 9000, checker: { ...http, path: "/other" } });
  assert.equal(harness.health(), "healthy");
  assert.equal(harness.of("attempt"), 2);
});

test("changes are logged, and with always_log every outcome", async (t) => {
  let status = 200;
  const port = await startHttp(t, (_, response) => response.writeHead(status).end());
  for (const [always, expected] of [
    [false, ["a health check finds an endpoint well", "a health check takes an endpoint out"]],
    [
      true,
      [
        "a health check finds an endpoint well",
        "a health check has succeeded",
        "a health check takes an endpoint out",
        "a health check has failed",
      ],
    ],
  ] as const) {
    const harness = new Harness(t);
    status = 200;
    harness.begin([port], { logsEveryFailure: always, logsEverySuccess: always });
    for (const [index, next] of [200, 404, 404, 404].entries()) {
      await harness.ended(index + 1);
      status = next;
      if (index < 3) harness.timers.advance(1050);
    }
    assert.deepEqual(harness.logged, expected);
  }
});

test("a check with codec_client_type HTTP2 speaks HTTP/2", async (t) => {
  const server = createHttp2Server((request, response) => {
    response.writeHead(request.url === "/healthz" ? 200 : 404).end();
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  const port = await listen(t, server, () => {
    for (const session of sessions) session.destroy();
  });
  const harness = new Harness(t);
  harness.begin([port], { checker: { ...http, protocol: "http2" } });
  await harness.ended(1);
  assert.equal(harness.health(), "healthy");
});
