import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  connectRaw,
  type EchoedRequest,
  type EchoServer,
  type RawPeer,
  type RawServer,
  startEchoServer,
  startRawServer,
} from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

let proxy: TestProxy;
let app: EchoServer;
let mirror: RawServer;
/** Takes requests and never answers. */
let silent: RawServer;

type Json = Record<string, unknown>;

const faultType = "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault";
const always = { numerator: 100, denominator: "HUNDRED" };

before(async () => {
  app = await startEchoServer();
  mirror = await startRawServer();
  silent = await startRawServer();
  const fault = (config: object): object => ({ typed_per_filter_config: { fault: { "@type": faultType, ...config } } });
  const mirrored = { request_mirror_policies: [{ cluster: "mirror", runtime_fraction: { default_value: always } }] };
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "web",
          filters: [{ name: "fault", typed_config: { "@type": faultType } }],
          routes: [
            route("/abort", "app", {}, fault({ abort: { http_status: 418, percentage: always } }) as Json),
            route("/delay", "app", {}, fault({ delay: { fixed_delay: "0.02s", percentage: always } }) as Json),
            route("/long", "app", {}, fault({ delay: { fixed_delay: "3600s", percentage: always } }) as Json),
            route(
              "/both",
              "app",
              {},
              fault({
                delay: { fixed_delay: "0.02s", percentage: always },
                abort: { http_status: 503, percentage: always },
              }) as Json,
            ),
            ...[
              { path: "/late/timeout", action: { timeout: "0.05s" } },
              { path: "/late/idle", action: { idle_timeout: "0.05s", timeout: "0s" } },
              {
                path: "/late/duration",
                action: { max_stream_duration: { max_stream_duration: "0.05s" }, timeout: "0s" },
              },
            ].map(({ path, action }) =>
              route(path, "silent", action, fault({ delay: { fixed_delay: "0.02s", percentage: always } }) as Json),
            ),
            route(
              "/late/mirrored",
              "app",
              mirrored,
              fault({ delay: { fixed_delay: "0.02s", percentage: always } }) as Json,
            ),
            route("/mirrored", "app", mirrored),
            route("/", "app"),
          ],
        }),
      ],
      [cluster("app", [app.port]), cluster("mirror", [mirror.port]), cluster("silent", [silent.port])],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await app?.close();
  await mirror?.[Symbol.asyncDispose]();
  await silent?.[Symbol.asyncDispose]();
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

test("an injected abort answers with its status and the application sees nothing", () =>
  connected(async (client) => {
    const before = app.requests;
    await client.send("GET /abort HTTP/1.1\r\nhost: x\r\n\r\n");
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 418 /);
    assert.equal(body, "fault filter abort");
    assert.equal(app.requests, before);
  }));

test("a delayed request is served with the body that came during the delay", () =>
  connected(async (client) => {
    await client.send("POST /delay HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nfirst");
    await client.send("rest");
    assert.equal((JSON.parse((await client.response()).body) as EchoedRequest).body, "firstrest");
  }));

test("an abort may follow a delay", () =>
  connected(async (client) => {
    await client.send("GET /both HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.match((await client.response()).head, /^HTTP\/1\.1 503 /);
  }));

for (const [limit, text] of [
  ["timeout", "upstream request timeout"],
  ["idle", "stream timeout"],
  ["duration", "downstream duration timeout"],
] as const) {
  test(`the ${limit} of the route holds for a request that came whole during a delay`, { timeout: 20_000 }, () =>
    connected(async (client) => {
      await client.send(`GET /late/${limit} HTTP/1.1\r\nhost: x\r\n\r\n`);
      const { head, body } = await client.response();
      assert.match(head, /^HTTP\/1\.1 504 /);
      assert.equal(body, text);
    }),
  );
}

test("a request that came whole during a delay is mirrored with its body", { timeout: 20_000 }, () =>
  connected(async (client) => {
    await client.send("POST /late/mirrored HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc");
    const peer = await mirror.next();
    assert.match(await peer.until("abc"), /^POST \/late\/mirrored [^]*\r\n\r\nabc$/);
    assert.equal((JSON.parse((await client.response()).body) as EchoedRequest).body, "abc");
    peer.socket.destroy();
  }),
);

test("a client that leaves during a delay ends its request", () =>
  connected(async (client) => {
    await client.send("GET /long HTTP/1.1\r\nhost: x\r\n\r\n");
    await new Promise((resolve) => setImmediate(resolve));
    client.reset();
  }));

test("a mirror gets the same request with its body, marked, and its answer is thrown away", () =>
  connected(async (client) => {
    await client.send(
      "POST /mirrored HTTP/1.1\r\nhost: shop.example:80\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    );
    const peer = await mirror.next();
    const copy = await peer.until("abc");
    assert.match(copy, /^POST \/mirrored HTTP\/1\.1\r\nhost: shop\.example-shadow:80\r\n/);
    assert.match(copy, /\r\nx-a: 1\r\n/);
    assert.equal((JSON.parse((await client.response()).body) as EchoedRequest).body, "abc");
    await peer.send("HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  }));

test("a mirror that never answers or breaks off changes nothing for the client", () =>
  connected(async (client) => {
    for (const isBroken of [false, true]) {
      await client.send("GET /mirrored HTTP/1.1\r\nhost: x\r\n\r\n");
      const peer = await mirror.next();
      await peer.until("\r\n\r\n");
      if (isBroken) peer.reset();
      assert.match((await client.response()).head, /^HTTP\/1\.1 200 /);
      peer.socket.destroy();
    }
    assert.ok(proxy.generation.metrics.total("heddle_mirrored_requests_total") >= 3);
  }));

test("a body too long to be kept is not mirrored, and the client is served all the same", () =>
  connected(async (client) => {
    const bytes = 200_000;
    const before = proxy.generation.metrics.total("heddle_mirrors_skipped_total");
    await client.send(`POST /mirrored HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\n\r\n`);
    await client.send(Buffer.alloc(bytes, 0x61));
    assert.equal((JSON.parse((await client.response()).body) as EchoedRequest).body.length, bytes);
    assert.equal(proxy.generation.metrics.total("heddle_mirrors_skipped_total"), before + 1);
  }));
