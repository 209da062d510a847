import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:http2";
import { after, before, test } from "node:test";
import { connectRaw, type RawServer, startRawServer, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route, serverTls } from "../testing/bootstrap-json.ts";
import { fullHeapReducing } from "../testing/overload-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { clockWorkerEntry, moveWorkerClock } from "../testing/worker-clock.ts";

// The proxy is overloaded from the start. All its timers have an hour, and a minimum that the clock passes which the test moves.

let proxy: TestProxy;
let upstream: RawServer;

before(async () => {
  upstream = await startRawServer();
  const ca = await ThrowawayCa.create();
  const material = { ...(await ca.issue("spiffe://cluster.local/ns/default/sa/up")), anchorsPem: ca.certificatePem };
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    route("/", "up", { timeout: "0s", idle_timeout: "3600s" }),
  ];
  const lasting = { common_http_protocol_options: { idle_timeout: "0s", max_connection_duration: "3600s" } };
  const patient = { common_http_protocol_options: { idle_timeout: "3600s" }, stream_idle_timeout: "3600s" };
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes, manager: patient }),
        httpListener({ name: "lasting", routes, manager: lasting }),
        httpListener({
          name: "tls",
          routes,
          transportSocket: serverTls(material),
          chain: { transport_socket_connect_timeout: "3600s" },
        }),
      ],
      [cluster("up", [upstream.port])],
      fullHeapReducing(
        { timer: "HTTP_DOWNSTREAM_CONNECTION_IDLE", min_timeout: "600s" },
        { timer: "HTTP_DOWNSTREAM_STREAM_IDLE", min_scale: { value: 10 } },
        { timer: "TRANSPORT_SOCKET_CONNECT", min_timeout: "30s" },
        { timer: "HTTP_DOWNSTREAM_CONNECTION_MAX", min_timeout: "60s" },
      ),
    ),
    {},
    clockWorkerEntry,
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

const request = "GET /direct HTTP/1.1\r\nhost: x\r\n\r\n";

test("reduce_timeouts ends an HTTP/1.1 connection that is idle for its reduced time", async () => {
  const client = await connectRaw(proxy.port("web"));
  for (let count = 0; count < 2; count += 1) {
    await client.send(request);
    assert.equal((await client.response()).body, "direct");
    await moveWorkerClock(500_000);
  }
  await moveWorkerClock(200_000);
  assert.equal(await client.untilEnd(), "");
});

test("reduce_timeouts ends a connection that has not said a word for its reduced time", async () => {
  await proxy.untilStat("http.web.downstream_cx_active", 0);
  const client = await connectRaw(proxy.port("web"));
  await proxy.untilStat("http.web.downstream_cx_active", 1);
  await moveWorkerClock(601_000);
  assert.equal(await client.untilEnd(), "");
});

test("reduce_timeouts ends an HTTP/2 connection that never had a request after its reduced time", async () => {
  const session = connect(`http://127.0.0.1:${proxy.port("web")}`);
  await once(session, "localSettings");
  const said = once(session, "goaway");
  await moveWorkerClock(601_000);
  await said;
  await once(session, "close");
});

test("reduce_timeouts ends an HTTP/2 connection that is idle for its reduced time, with a GOAWAY", async () => {
  const session = connect(`http://127.0.0.1:${proxy.port("web")}`);
  const stream = session.request({ ":path": "/direct" });
  stream.resume();
  await once(stream, "end");
  const said = once(session, "goaway");
  await moveWorkerClock(601_000);
  await said;
  await once(session, "close");
});

test("reduce_timeouts answers a request on which nothing moves for its reduced time, in HTTP/1.1 and HTTP/2", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
  await (await upstream.next()).until("\r\n\r\n");
  const session = connect(`http://127.0.0.1:${proxy.port("web")}`);
  const stream = session.request({ ":path": "/x" });
  const answer = once(stream, "response");
  await (await upstream.next()).until("\r\n\r\n");
  await moveWorkerClock(361_000);
  assert.match((await client.response()).head, /^HTTP\/1\.1 504 /);
  const [headers] = (await answer) as [{ ":status"?: number }];
  assert.equal(headers[":status"], 504);
  session.destroy();
  client.socket.destroy();
  await proxy.whenBalanced();
});

test("reduce_timeouts gives a head that has no time of its own no more than a stream's reduced idle time", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send(request);
  await client.response();
  // Its head has begun when what came before it has been answered.
  await client.send(`${request}GET /never-ending HTTP/1.1\r\n`);
  await client.response();
  await moveWorkerClock(361_000);
  assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 /);
});

test("reduce_timeouts ends a handshake that takes longer than its reduced time", async () => {
  const client = await connectRaw(proxy.port("tls"));
  await proxy.untilStat("listener.tls.downstream_cx_active", 1);
  await moveWorkerClock(31_000);
  assert.equal(await client.untilEnd(), "");
});

test("reduce_timeouts ends a connection that has lived for its reduced time", async () => {
  const client = await connectRaw(proxy.port("lasting"));
  await client.send(request);
  await client.response();
  await moveWorkerClock(61_000);
  assert.equal(await client.untilEnd(), "");
  assert.match(await proxy.admin("/stats"), /^overload\.envoy\.overload_actions\.reduce_timeouts\.active: 1$/m);
});
