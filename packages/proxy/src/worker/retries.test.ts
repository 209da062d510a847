import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectRaw, type RawPeer, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

let proxy: TestProxy;
let upstream: RawServer;
let folder: string;

/** Istio's idea of a retry policy, with delays that a test can wait for. */
const policy = {
  retry_on: "connect-failure,refused-stream,reset",
  num_retries: 2,
  retry_back_off: { base_interval: "0.001s", max_interval: "0.002s" },
};
const idempotent = {
  retry_options_predicates: [
    { name: "idempotent", typed_config: { "@type": "type.googleapis.com/heddle.v1.IdempotentRequest" } },
  ],
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-retries-"));
  upstream = await startRawServer();
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "web",
          manager: accessLog(
            join(folder, "access.log"),
            "%REQ(:METHOD)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%",
          ),
          routes: [
            route("/503", "up", { retry_policy: { ...policy, retry_on: "5xx" } }),
            route("/idempotent", "up", { retry_policy: { ...policy, ...idempotent } }),
            route("/slow", "up", { retry_policy: { ...policy, per_try_timeout: "0.05s" } }),
            route("/streams", "up", { timeout: "0s", retry_policy: { ...policy, per_try_timeout: "0.05s" } }),
            route("/stalls", "up", { timeout: "0s", retry_policy: { ...policy, per_try_idle_timeout: "0.05s" } }),
            route("/timeout", "up", { timeout: "0.05s" }),
            route("/once", "up"),
            route("/dead", "dead", { retry_policy: policy }),
            route("/", "up", { retry_policy: policy }),
          ],
        }),
      ],
      [cluster("up", [upstream.port]), cluster("dead", [1])],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function connected(run: (client: RawPeer) => Promise<void>): Promise<void> {
  const client = await connectRaw(proxy.port("web"));
  try {
    await run(client);
    await proxy.whenBalanced();
  } finally {
    client.socket.destroy();
  }
}

const ok = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

for (const bytes of [1, 1000, 65_536]) {
  test(`a retried body of ${bytes} bytes is byte for byte the first`, () =>
    connected(async (client) => {
      const body = Buffer.from(Array.from({ length: bytes }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
      await client.send(`POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\n\r\n`);
      await client.send(body);
      const first = await upstream.next();
      const firstHead = withoutTimeLeft(await first.until("\r\n\r\n"));
      const firstBody = await first.bytes(bytes);
      first.reset();
      const second = await upstream.next();
      assert.equal(withoutTimeLeft(await second.until("\r\n\r\n")), firstHead);
      const secondBody = await second.bytes(bytes);
      assert.equal(hash(secondBody), hash(firstBody));
      assert.equal(hash(secondBody), hash(body.toString("latin1")));
      await second.send(ok);
      assert.equal((await client.response()).body, "ok");
    }));
}

test("a retry before the body has been read entirely sends the first bytes again and then the rest", () =>
  connected(async (client) => {
    await client.send("POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
    const first = await upstream.next();
    await first.until("first");
    first.reset();
    const second = await upstream.next();
    await second.until("first");
    await client.send("4\r\nrest\r\n0\r\n\r\n");
    await second.until("rest\r\n0\r\n\r\n");
    await second.send(ok);
    assert.equal((await client.response()).body, "ok");
  }));

test("a body beyond 64 KiB is not retried: the failure is the answer", () =>
  connected(async (client) => {
    const bytes = 65_537;
    await client.send(`POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\n\r\n`);
    await client.send(Buffer.alloc(bytes, 0x61));
    const first = await upstream.next();
    await first.until("\r\n\r\n");
    await first.bytes(bytes);
    const seen = upstream.connectionsAccepted;
    first.reset();
    assert.match((await client.response()).head, /^HTTP\/1\.1 503 /);
    assert.equal(upstream.connectionsAccepted, seen);
  }));

test("a response that the policy names is retried, and the last one is passed on", () =>
  connected(async (client) => {
    await client.send("GET /503 HTTP/1.1\r\nhost: x\r\n\r\n");
    for (let attempt = 1; attempt <= 3; attempt++) {
      const peer = await upstream.next();
      await peer.until("\r\n\r\n");
      await peer.send(`HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 1\r\n\r\n${attempt}`);
    }
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 503 /);
    assert.equal(body, "3");
  }));

test("nothing is retried once the response has begun", () =>
  connected(async (client) => {
    await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    const seen = upstream.connectionsAccepted;
    await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    await client.until("half");
    peer.reset();
    await client.untilEnd();
    assert.equal(upstream.connectionsAccepted, seen);
  }));

test("a connection that was used before and closes under a request: an idempotent one is sent again, on a fresh connection", () =>
  connected(async (client) => {
    const keep = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    await client.send("GET /idempotent HTTP/1.1\r\nhost: x\r\n\r\n");
    const first = await upstream.next();
    await first.until("\r\n\r\n");
    await first.send(keep);
    await client.response();
    await client.send("GET /idempotent HTTP/1.1\r\nhost: x\r\n\r\n");
    await first.until("\r\n\r\n");
    first.reset();
    const second = await upstream.next();
    await second.until("\r\n\r\n");
    await second.send(ok);
    assert.equal((await client.response()).body, "ok");
  }));

test("the same with a method that is not idempotent: 503 with flag UC, and the upstream is asked once", () =>
  connected(async (client) => {
    const keep = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    await client.send("GET /idempotent HTTP/1.1\r\nhost: x\r\n\r\n");
    const first = await upstream.next();
    await first.until("\r\n\r\n");
    await first.send(keep);
    await client.response();
    const seen = upstream.connectionsAccepted;
    await client.send("POST /idempotent HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na");
    await first.until("\r\n\r\na");
    first.reset();
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 503 /);
    assert.match(body, /connection termination/);
    assert.equal(upstream.connectionsAccepted, seen);
    await untilLogged(join(folder, "access.log"), "POST 503 UC upstream_reset_before_response_started");
  }));

test("an idempotency key makes a POST one that may be sent again", () =>
  connected(async (client) => {
    await client.send("POST /idempotent HTTP/1.1\r\nhost: x\r\nidempotency-key: 1\r\ncontent-length: 1\r\n\r\na");
    const first = await upstream.next();
    await first.until("\r\n\r\na");
    first.reset();
    const second = await upstream.next();
    await second.until("\r\n\r\na");
    await second.send(ok);
    assert.equal((await client.response()).body, "ok");
  }));

test("a response that has begun is not cut off by its attempt's timeout", () =>
  connected(async (client) => {
    await client.send("POST /streams HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\na");
    const peer = await upstream.next();
    await peer.until("\r\n\r\na");
    await peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 4\r\n\r\nab");
    await client.until("\r\n\r\nab");
    // The request ends only now, and with it the attempt's time would begin.
    await client.send("b");
    await peer.until("b");
    // Another request's timeout of the same length has passed meanwhile.
    const other = await connectRaw(proxy.port("web"));
    await other.send("GET /timeout HTTP/1.1\r\nhost: x\r\n\r\n");
    const silent = await upstream.next();
    assert.match((await other.response()).head, /^HTTP\/1\.1 504 /);
    other.socket.destroy();
    silent.socket.destroy();
    await peer.send("cd");
    assert.equal(await client.until("cd"), "cd");
  }));

test("a response that stalls is broken off when its attempt's idle time is over", { timeout: 20_000 }, () =>
  connected(async (client) => {
    await client.send("GET /stalls HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
    await client.until("\r\n\r\nab");
    assert.equal(await client.untilEnd(), "");
    await peer.untilEnd();
  }),
);

test("an attempt that takes too long is given up and tried again", () =>
  connected(async (client) => {
    await client.send("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n");
    const first = await upstream.next();
    await first.until("\r\n\r\n");
    await first.untilEnd();
    const second = await upstream.next();
    await second.until("\r\n\r\n");
    await second.send(ok);
    assert.equal((await client.response()).body, "ok");
  }));

test("a route's timeout answers 504 and gives the upstream up", () =>
  connected(async (client) => {
    await client.send("GET /timeout HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 504 /);
    assert.equal(body, "upstream request timeout");
    await peer.untilEnd();
    await client.send("GET /once HTTP/1.1\r\nhost: x\r\n\r\n");
    const next = await upstream.next();
    await next.until("\r\n\r\n");
    await next.send(ok);
    assert.equal((await client.response()).body, "ok", "the client's connection goes on");
  }));

test("an endpoint that refuses connections is tried as often as the policy says, whatever the method", () =>
  connected(async (client) => {
    await client.send("POST /dead HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na");
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 503 /);
    assert.match(body, /retried and the latest reset reason: remote connection failure/);
    const stats = await proxy.admin("/clusters");
    assert.match(stats, /^dead::127\.0\.0\.1:1::rq_total::3$/m);
    await proxy.untilStat("cluster.dead.upstream_rq_retry_limit_exceeded", 1);
  }));

test("a client that leaves while a retry waits ends its request", () =>
  connected(async (client) => {
    await client.send("GET /x HTTP/1.1\r\nhost: x\r\n\r\n");
    const first = await upstream.next();
    await first.until("\r\n\r\n");
    first.reset();
    client.reset();
    await proxy.whenBalanced();
  }));

/** Envoy tells each attempt how long it has; nothing else may differ. */
function withoutTimeLeft(head: string): string {
  return head.replace(/x-envoy-expected-rq-timeout-ms: \d+\r\n/, "");
}

function hash(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}
