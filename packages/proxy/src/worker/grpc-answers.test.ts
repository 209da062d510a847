import assert from "node:assert/strict";
import { createServer, type Http2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { bootstrap, cluster, http2Cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { GrpcApp, GrpcClient } from "../testing/grpc-app.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// What the proxy itself does to gRPC calls: deadlines, retries, its own answers, and what it says of them.

let app: GrpcApp;
/** Takes requests and never says a word. */
let silent: Http2Server;
let proxy: TestProxy;
let client: GrpcClient;

before(async () => {
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
          routes: [
            match("bounded", stream({ grpc_timeout_header_max: "0.15s" })),
            match("silent", { cluster: "silent", ...stream({ grpc_timeout_header_max: "0.1s" }) }),
            match("honoured", stream({ grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "0.1s" })),
            match("too-early", stream({ grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "3600s" })),
            route("/", "app", { timeout: "0s" }),
          ],
        }),
      ],
      [cluster("app", [app.port], http2Cluster()), cluster("silent", [silentPort], http2Cluster())],
    ),
  );
  client = new GrpcClient(`127.0.0.1:${proxy.port("web")}`);
});

after(async () => {
  client?.close();
  await proxy?.[Symbol.asyncDispose]();
  await app?.[Symbol.asyncDispose]();
  silent?.close();
});

test("a caller's deadline is bounded by the route: the application is told, and the call ends when it has passed", async () => {
  const cancelled = app.cancelled;
  const answer = await client.unary("Hang", "", { "x-route": "bounded" }, 60_000);
  // The application knows its time, too, and may be the first to say so.
  assert.equal(answer.code, status.DEADLINE_EXCEEDED);
  await app.events.until("the end at the application", () => app.cancelled > cancelled);
  const { deadlineMs, receivedAtMs } = app.calls.at(-1)!;
  assert.ok(deadlineMs - receivedAtMs <= 150, "the application has what is left of the bound, not the caller's minute");
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
