import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Http2Server } from "node:http2";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { freePort } from "@heddle/testkit";
import { bootstrap, cluster, http2Cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { GrpcApp, GrpcClient, grpcPath } from "../testing/grpc-app.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog, standardMetrics } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

/** gRPC's conditions of `retry_on`. */
const conditions = ["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"] as const;

// What the proxy itself does to gRPC calls: deadlines, retries, its own answers, and what it says of them.

let app: GrpcApp;
/** Takes requests and never says a word. */
let silent: Http2Server;
let folder: string;
let proxy: TestProxy;
let client: GrpcClient;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-grpc-"));
  app = await GrpcApp.start();
  const match = (name: string, action: object) => ({
    match: { prefix: "/", headers: [{ name: "x-route", string_match: { exact: name } }] },
    route: { cluster: "app", ...action },
  });
  silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port: silentPort } = silent.address() as AddressInfo;
  const stream = (fields: object) => ({ max_stream_duration: fields });
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "web",
          filters: [standardMetrics("SOURCE")],
          manager: accessLog(
            join(folder, "access.log"),
            "%REQ(:PATH)% %REQ(x-name)% %RESPONSE_CODE% %GRPC_STATUS% %GRPC_STATUS_NUMBER% %RESPONSE_FLAGS%",
          ),
          routeConfig: { validate_clusters: false },
          routes: [
            match("bounded", stream({ grpc_timeout_header_max: "1s" })),
            ...conditions.map((name) =>
              match(name, { timeout: "0s", retry_policy: { retry_on: name, num_retries: 2 } }),
            ),
            match("nowhere", { cluster: "nowhere", cluster_not_found_response_code: "NOT_FOUND" }),
            match("dead", { cluster: "dead" }),
            match("silent", { cluster: "silent", ...stream({ grpc_timeout_header_max: "0.1s" }) }),
            match("honoured", stream({ grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "0.1s" })),
            match("too-early", stream({ grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "3600s" })),
            route("/", "app", { timeout: "0s" }),
          ],
        }),
      ],
      [
        cluster("app", [app.port], http2Cluster()),
        cluster("silent", [silentPort], http2Cluster()),
        cluster("dead", [await freePort()], http2Cluster()),
      ],
    ),
  );
  client = new GrpcClient(`127.0.0.1:${proxy.port("web")}`);
});

after(async () => {
  client?.close();
  await proxy?.[Symbol.asyncDispose]();
  await app?.[Symbol.asyncDispose]();
  silent?.close();
  await rm(folder, { recursive: true, force: true });
});

test("a caller's deadline is bounded by the route: the application is told, and the call ends when it has passed", async () => {
  const cancelled = app.cancelled;
  const answer = await client.unary("Hang", "", { "x-route": "bounded" }, 60_000);
  // The application knows its time, too, and may be the first to say so.
  assert.equal(answer.code, status.DEADLINE_EXCEEDED);
  await app.events.until("the end at the application", () => app.cancelled > cancelled);
  const { deadlineMs, receivedAtMs } = app.calls.at(-1)!;
  assert.ok(
    deadlineMs - receivedAtMs <= 1_000,
    "the application has what is left of the bound, not the caller's minute",
  );
});

test("a caller's deadline less the route's offset is what the application is told", async () => {
  const answer = await client.unary("Echo", "", { "x-route": "honoured" }, 3_600_000);
  assert.equal(answer.code, status.OK);
  const { deadlineMs, receivedAtMs } = app.calls.at(-1)!;
  const toldMs = deadlineMs - receivedAtMs;
  assert.ok(toldMs <= 3_599_900 && toldMs > 3_000_000, String(toldMs));
});

test("an application that does not answer in the caller's time is answered for", async () => {
  const answer = await client.unary("Echo", "", { "x-route": "silent" }, 60_000);
  assert.deepEqual([answer.code, answer.details], [status.DEADLINE_EXCEEDED, "downstream duration timeout"]);
});

test("a deadline of which the route's offset leaves nothing has passed before the application is asked", async () => {
  const calls = app.calls.length;
  const answer = await client.unary("Echo", "", { "x-route": "too-early" }, 1_800_000);
  assert.deepEqual([answer.code, answer.details], [status.DEADLINE_EXCEEDED, "downstream duration timeout"]);
  assert.equal(app.calls.length, calls);
});

test("without a word in the route a deadline is passed on as it came", async () => {
  await client.unary("Echo", "", {}, 3_600_000);
  const { deadlineMs, receivedAtMs } = app.calls.at(-1)!;
  assert.ok(deadlineMs - receivedAtMs > 3_000_000);
});

for (const condition of conditions) {
  const name = condition.replaceAll("-", "_").toUpperCase();
  test(`under retry_on ${condition} a call that is answered with ${name} is tried again, and one with another status is not`, async () => {
    app.failures = 2;
    const again = await client.unary("FailFirst", "x", { "x-route": condition, "x-code": name });
    assert.deepEqual([again.code, again.message.toString()], [status.OK, "x"]);
    const calls = app.calls.length;
    app.failures = 1;
    const other = await client.unary("FailFirst", "x", { "x-route": condition, "x-code": "ABORTED" });
    assert.deepEqual([other.code, app.calls.length - calls], [status.ABORTED, 1]);
    // Its failures outnumber the retries: the last answer is passed on as it is.
    app.failures = 3;
    const spent = await client.unary("FailFirst", "x", { "x-route": condition, "x-code": name });
    assert.deepEqual([spent.code, spent.details, app.failures], [status[name as keyof typeof status], "not yet", 0]);
  });
}

test("a status in trailers comes too late for a retry", async () => {
  const calls = app.calls.length;
  const call = client.list("FailLate", "", { "x-route": "unavailable", "x-code": "UNAVAILABLE" });
  call.on("data", () => {});
  const [error] = (await once(call, "error")) as [{ code: number }];
  assert.deepEqual([error.code, app.calls.length - calls], [status.UNAVAILABLE, 1]);
});

test("the proxy answers gRPC callers in gRPC's words", async () => {
  const missing = await client.unary("Echo", "", { "x-route": "nowhere" });
  assert.equal(missing.code, status.UNIMPLEMENTED);
  const dead = await client.unary("Echo", "", { "x-route": "dead" });
  assert.equal(dead.code, status.UNAVAILABLE);
  assert.match(dead.details, /^upstream connect error or disconnect\/reset before headers/);
});

test("the log and Istio's metrics have the status of a call, wherever it stood", async () => {
  const log = join(folder, "access.log");
  await client.unary("Echo", "", { "x-name": "fine" });
  await client.unary("Fail", "", { "x-name": "head", "x-code": "NOT_FOUND" });
  await client.unary("Echo", "", { "x-name": "own", "x-route": "dead" });
  const late = client.list("FailLate", "", { "x-name": "trailers", "x-code": "DATA_LOSS" });
  late.on("data", () => {});
  await once(late, "error");
  const page = await fetch(`http://127.0.0.1:${proxy.port("web")}/`, {
    headers: { "x-name": "http", "x-route": "nowhere" },
  });
  assert.equal(page.status, 404);
  await untilLogged(log, `${grpcPath("Echo")} fine 200 OK 0 -`);
  await untilLogged(log, `${grpcPath("Fail")} head 200 NotFound 5 -`);
  await untilLogged(log, `${grpcPath("Echo")} own 200 Unavailable 14 UF`);
  await untilLogged(log, `${grpcPath("FailLate")} trailers 200 DataLoss 15 -`);
  await untilLogged(log, "/ http 404 - - NC");
  await proxy.whenBalanced();
  const counted = (labels: Record<string, string>): number =>
    proxy.generation.metrics.total("istio_requests_total", labels);
  assert.ok(counted({ request_protocol: "grpc", grpc_response_status: "0" }) > 0);
  assert.equal(counted({ request_protocol: "grpc", grpc_response_status: "5", response_code: "200" }), 1);
  assert.equal(counted({ request_protocol: "grpc", grpc_response_status: "15" }), 1);
  assert.equal(counted({ request_protocol: "http", response_code: "404" }), 1);
  assert.doesNotMatch(await proxy.admin("/stats/prometheus"), /request_protocol="http",[^}]*grpc_response_status/);
});
