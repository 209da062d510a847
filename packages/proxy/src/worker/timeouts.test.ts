import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw, type RawPeer, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { frame, frameType, preface, request, settings, windowUpdate } from "../testing/http2-frames.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { clockWorkerEntry, moveWorkerClock } from "../testing/worker-clock.ts";

// Each listener has one limit, short, or passed by a clock that the test moves: what is waited for is the answer, never a span of time.

let proxy: TestProxy;
let upstream: RawServer;

before(async () => {
  upstream = await startRawServer();
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    route("/", "up", { timeout: "0s" }),
  ];
  const listener = (name: string, manager: object): Record<string, unknown> =>
    httpListener({ name, routes, manager: { ...manager } });
  proxy = await TestProxy.start(
    bootstrap(
      [
        listener("head", { request_headers_timeout: "0.05s" }),
        listener("body", { request_timeout: "0.05s" }),
        listener("stream", { stream_idle_timeout: "0.05s" }),
        listener("silent", { stream_idle_timeout: "0.05s" }),
        listener("moving", { stream_idle_timeout: "600s" }),
        listener("tunnel", { stream_idle_timeout: "0s", upgrade_configs: [{ upgrade_type: "echo" }] }),
        listener("idle", { common_http_protocol_options: { idle_timeout: "0.05s" }, drain_timeout: "0.05s" }),
        listener("duration", {
          common_http_protocol_options: { max_connection_duration: "0.05s" },
          drain_timeout: "0.05s",
        }),
        listener("count", {
          common_http_protocol_options: { max_requests_per_connection: 2 },
          drain_timeout: "0.05s",
        }),
        listener("delayed", { delayed_close_timeout: "0.05s" }),
        listener("polite", { delayed_close_timeout: "3600s" }),
        listener("whole", { common_http_protocol_options: { max_stream_duration: "0.05s" } }),
      ],
      [cluster("up", [upstream.port])],
    ),
    {},
    clockWorkerEntry,
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

async function connected(listener: string, run: (client: RawPeer) => Promise<void>): Promise<void> {
  const client = await connectRaw(proxy.port(listener));
  try {
    await run(client);
    await proxy.whenBalanced();
  } finally {
    client.socket.destroy();
  }
}

async function stat(listener: string, name: string): Promise<number> {
  const stats = await proxy.admin("/stats");
  return Number(new RegExp(`^http\\.${listener}\\.${name}: (\\d+)$`, "m").exec(stats)?.[1]);
}

test("a head that is begun and not finished in time: 408 and the end", () =>
  connected("head", async (client) => {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 [^]*\r\nconnection: close\r\n/);
  }));

test("where no time is set for a head, the stream's idle time ends one that is never finished", () =>
  connected("stream", async (client) => {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 [^]*\r\nconnection: close\r\n/);
  }));

test("a connection between two requests has begun no head", () =>
  connected("head", async (client) => {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await client.response()).body, "direct");
    // Another one, begun later, runs out of time first.
    await connected("head", async (other) => {
      await other.send("GET");
      assert.match(await other.untilEnd(), /^HTTP\/1\.1 408 /);
    });
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await client.response()).body, "direct");
  }));

test("a body that does not come in time: 408, and the upstream is given up", () =>
  connected("body", async (client) => {
    await client.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
    const peer = await upstream.next();
    await peer.until("half");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 [^]*request timeout/);
    await peer.untilEnd();
  }));

test("an upstream that says nothing for too long: 504 with its reason", () =>
  connected("stream", async (client) => {
    await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 504 /);
    assert.equal(body, "stream timeout");
    await peer.untilEnd();
  }));

test("a client that stops in its body for too long: 408", () =>
  connected("silent", async (client) => {
    await client.send("POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf");
    const peer = await upstream.next();
    await peer.until("half");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 408 /);
    await proxy.untilStat("http.silent.downstream_rq_idle_timeout", 1);
  }));

test("a response that stalls is broken off, and the client sees that it is not whole", () =>
  connected("stream", async (client) => {
    await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    const answer = await client.untilEnd();
    assert.match(answer, /4\r\nhalf\r\n$/);
    await peer.untilEnd();
  }));

test("a response that takes longer than the idle time goes on as long as something of it moves", () =>
  connected("moving", async (client) => {
    await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    // More than twice the idle time, with a byte in each quarter of it.
    for (let count = 0; count < 10; count += 1) {
      await peer.send("1\r\n.\r\n");
      await client.until(".");
      await moveWorkerClock(150_000);
    }
    await peer.send("0\r\n\r\n");
    await client.until("\r\n0\r\n\r\n");
  }));

test("where no idle time is set, a tunnel whose client has closed its half ends when the application says nothing for a minute", () =>
  connected("tunnel", async (client) => {
    await client.send("GET /echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    await client.until("\r\n\r\n");
    // Whole, it may be silent for as long as it likes.
    await moveWorkerClock(3_600_000);
    await client.send("ping");
    await peer.until("ping");
    client.end();
    await peer.untilEnd();
    // What the other half says begins the minute anew.
    for (let count = 0; count < 6; count += 1) {
      await moveWorkerClock(20_000);
      await peer.send("still here;");
      await client.until("still here;");
    }
    assert.equal(client.isEnded, false);
    await moveWorkerClock(61_000);
    await client.untilEnd();
  }));

test("a connection without requests is closed after its idle time", () =>
  connected("idle", async (client) => {
    const counted = await stat("idle", "downstream_cx_idle_timeout");
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await client.response()).body, "direct");
    assert.equal(await client.untilEnd(), "");
    await proxy.untilStat("http.idle.downstream_cx_idle_timeout", counted + 1);
  }));

for (const { what, first } of [
  { what: "has never had a request", first: [] },
  { what: "has had one", first: [request(1, "/direct")] },
]) {
  test(`an HTTP/2 connection that ${what} is closed after its idle time`, () =>
    connected("idle", async (client) => {
      const counted = await stat("idle", "downstream_cx_idle_timeout");
      await client.send(Buffer.concat([preface, settings(), ...first]));
      await client.untilEnd();
      await proxy.untilStat("http.idle.downstream_cx_idle_timeout", counted + 1);
    }));
}

for (const { what, said } of [
  { what: "between requests at once", said: "" },
  { what: "over HTTP/2 too", said: Buffer.concat([preface, settings()]) },
]) {
  test(`a connection that has lived long enough ends, ${what}`, () =>
    connected("duration", async (client) => {
      const counted = await stat("duration", "downstream_cx_max_duration_reached");
      await client.send(said);
      await client.untilEnd();
      await proxy.untilStat("http.duration.downstream_cx_max_duration_reached", counted + 1);
    }));
}

test("the last request that a connection may carry is told so", () =>
  connected("count", async (client) => {
    const counted = await stat("count", "downstream_cx_max_requests_reached");
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.doesNotMatch((await client.response()).head, /connection: close/);
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.match(await client.untilEnd(), /\r\nconnection: close\r\n/);
    await proxy.untilStat("http.count.downstream_cx_max_requests_reached", counted + 1);
  }));

test("an HTTP/2 connection that has carried as many requests as it may ends", () =>
  connected("count", async (client) => {
    const counted = await stat("count", "downstream_cx_max_requests_reached");
    await client.send(Buffer.concat([preface, settings(), request(1, "/direct"), request(3, "/direct")]));
    await client.untilEnd();
    await proxy.untilStat("http.count.downstream_cx_max_requests_reached", counted + 1);
  }));

for (const { what, said } of [
  { what: "HTTP/1.1", said: "GET /direct HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" },
  { what: "HTTP/2", said: Buffer.concat([preface, settings(), windowUpdate(0, 0)]) },
]) {
  test(`a client that does not close after the last word is cut off: ${what}`, () =>
    connected("delayed", async (client) => {
      const counted = await stat("delayed", "downstream_cx_delayed_close_timeout");
      await client.send(said);
      await client.untilEnd();
      await proxy.untilStat("http.delayed.downstream_cx_delayed_close_timeout", counted + 1);
    }));
}

test("a client that closes after the last word is not counted as cut off", () =>
  connected("polite", async (client) => {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    await client.untilEnd();
    client.end();
    await proxy.untilStat("http.polite.downstream_cx_active", 0);
    assert.equal(await stat("polite", "downstream_cx_delayed_close_timeout"), 0);
  }));

test("an HTTP/2 client that says GOAWAY and has no requests is not kept", () =>
  connected("polite", async (client) => {
    const goAway = frame(frameType.goAway, 0, 0, Buffer.alloc(8));
    await client.send(Buffer.concat([preface, settings(), goAway]));
    await client.untilEnd();
  }));

test("an HTTP/2 client that says GOAWAY gets its answer first", () =>
  connected("polite", async (client) => {
    await client.send(
      Buffer.concat([preface, settings(), request(1, "/x"), frame(frameType.goAway, 0, 0, Buffer.alloc(8))]),
    );
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nlate");
    assert.match(await client.untilEnd(), /late/);
  }));

test("a stream that lasts too long is answered with 504", () =>
  connected("whole", async (client) => {
    await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 504 /);
    assert.equal(body, "downstream duration timeout");
    await proxy.untilStat("http.whole.downstream_rq_max_duration_reached", 1);
  }));
