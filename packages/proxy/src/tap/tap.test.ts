import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { after, before, test, type TestContext } from "node:test";
import {
  connectRaw,
  type EchoServer,
  type RawServer,
  startEchoServer,
  startRawServer,
  ThrowawayCa,
} from "@heddle/testkit";
import type { TapEvent } from "@heddle/telemetry";
import {
  bootstrap,
  clientTls,
  cluster,
  http2Cluster,
  httpListener,
  route,
  serverTls,
  type TlsMaterial,
} from "../testing/bootstrap-json.ts";
import { GrpcApp, GrpcClient } from "../testing/grpc-app.ts";
import { peerMetadata } from "../testing/mesh-json.ts";
import { listenerPort, startProxy } from "../testing/proxy-process.ts";
import { TapReader } from "../testing/tap-reader.ts";
import { TestProxy } from "../testing/test-proxy.ts";
import { maxTapBodyBytes } from "../admin/routes.ts";
import { maxTaps } from "./taps.ts";

// web (outbound proxy) → books (inbound proxy) → application, each proxy with taps of its own.

const webUri = "spiffe://cluster.local/ns/shop/sa/web";
const booksUri = "spiffe://cluster.local/ns/shop/sa/books";

let app: EchoServer;
let raw: RawServer;
let grpc: GrpcApp;
let outbound: TestProxy;
let inbound: TestProxy;
let web: TlsMaterial;

before(async () => {
  const ca = await ThrowawayCa.create();
  const anchorsPem = ca.certificatePem;
  web = { ...(await ca.issue(webUri)), anchorsPem };
  const books: TlsMaterial = { ...(await ca.issue(booksUri)), anchorsPem };
  app = await startEchoServer({
    respond: (request, response) => {
      if (request.url?.startsWith("/shelf") !== true) return false;
      response.writeHead(201, { "set-cookie": "session=a-secret", location: "/shelf?token=a-secret" });
      response.end("a body that nobody sees");
      return true;
    },
  });
  raw = await startRawServer();
  grpc = await GrpcApp.start();
  const deny = {
    name: "rbac",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
      rules: {
        action: "DENY",
        policies: {
          "ns[shop]-policy[no-delete]-rule[0]": {
            permissions: [{ header: { name: ":method", string_match: { exact: "DELETE" } } }],
            principals: [{ any: true }],
          },
        },
      },
    },
  };
  inbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "in",
          direction: "INBOUND",
          routes: [
            route("/shop.Books", "grpc", { timeout: "0s" }),
            route("/raw", "raw", { upgrade_configs: [{ upgrade_type: "echo" }] }),
            route("/", "app", {}, { name: "rest" }),
          ],
          filters: [peerMetadata("books", "INBOUND", booksUri), deny],
          transportSocket: serverTls(books, {}, ["h2", "http/1.1"]),
        }),
      ],
      [cluster("app", [app.port]), cluster("raw", [raw.port]), cluster("grpc", [grpc.port], http2Cluster())],
    ),
  );
  const port = inbound.port("in");
  const transportSocket = { transport_socket: clientTls(web, booksUri) };
  outbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "out",
          direction: "OUTBOUND",
          routes: [
            { match: { path: "/direct" }, direct_response: { status: 299, body: { inline_string: "direct" } } },
            route("/shop.Books", "grpc", { timeout: "0s" }),
            route("/raw", "books", { upgrade_configs: [{ upgrade_type: "echo" }] }),
            route("/old", "books", { prefix_rewrite: "/new" }),
            route("/gone", "gone"),
            route("/", "books", {}, { name: "to-books" }),
          ],
          filters: [peerMetadata("web", "OUTBOUND", webUri)],
        }),
      ],
      [
        cluster("books", [port], transportSocket),
        cluster("grpc", [port], { ...http2Cluster(), ...transportSocket }),
        cluster("gone", [1]),
      ],
    ),
  );
});

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  await grpc?.[Symbol.asyncDispose]();
  await raw?.[Symbol.asyncDispose]();
  await app?.close();
});

async function open(t: TestContext, proxy: TestProxy, asked: object = {}): Promise<TapReader> {
  const reader = await TapReader.open(proxy.adminPort, asked);
  t.after(() => reader[Symbol.asyncDispose]());
  return reader;
}

function call(path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${outbound.port("out")}${path}`, init);
}

/** A request on a connection of its own, so that a test can say everything of it. */
async function send(
  t: TestContext,
  proxy: TestProxy,
  listener: string,
  request: string,
): ReturnType<typeof connectRaw> {
  const client = await connectRaw(proxy.port(listener));
  t.after(() => client.socket.destroy());
  await client.send(request);
  return client;
}

function headersOf(event: TapEvent): Record<string, string> {
  return "headers" in event ? Object.fromEntries(event.headers) : {};
}

test("a request is shown as it begins, as its answer begins and as it ends, with who asked whom, by way of what", async (t) => {
  const out = await open(t, outbound, { match: { path: { prefix: "/shelf" } } });
  const into = await open(t, inbound, { match: { path: { prefix: "/shelf" } } });
  assert.equal(out.contentType, "application/x-ndjson");
  const response = await call("/shelf?page=2&access_token=a-secret", {
    method: "POST",
    body: "a body that nobody sees",
    headers: {
      authorization: "Bearer a-secret",
      cookie: "session=a-secret",
      "proxy-authorization": "a-secret",
      "x-api-key": "a-secret",
      "x-plain": "shown",
    },
  });
  await response.text();
  for (const [reader, direction] of [
    [out, "outbound"],
    [into, "inbound"],
  ] as const) {
    await reader.until("request-end");
    const [start, head, end, ...more] = reader.events;
    assert.deepEqual(more, []);
    assert.ok(start?.event === "request-start" && head?.event === "response-head" && end?.event === "request-end");
    const proxy = direction === "inbound" ? inbound : outbound;
    for (const event of [start, head, end]) {
      assert.equal(event.id, start.id);
      assert.equal(event.direction, direction);
      assert.match(event.source.address ?? "", /^127\.0\.0\.1:\d+$/);
      assert.equal(event.source.identity, webUri);
      const listener = direction === "inbound" ? "in" : "out";
      assert.equal(event.destination.address, `127.0.0.1:${proxy.port(listener)}`);
      assert.equal(event.route, direction === "inbound" ? "rest" : "to-books");
      assert.equal(event.cluster, direction === "inbound" ? "app" : "books");
      assert.equal(event.endpoint, `127.0.0.1:${direction === "inbound" ? app.port : inbound.port("in")}`);
    }
    assert.equal(end.destination.identity, booksUri);
    assert.equal(end.source.tls, direction === "inbound" ? "TLSv1.3" : undefined);
    assert.equal(end.destination.tls, direction === "inbound" ? undefined : "TLSv1.3");
    assert.match(start.time, /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.equal(start.method, "POST");
    assert.equal(start.path, "/shelf?page=2&access_token=[redacted]");
    assert.equal(start.authority, `127.0.0.1:${outbound.port("out")}`);
    assert.equal(start.protocol, "HTTP/1.1");
    assert.equal(headersOf(start)["x-plain"], "shown");
    for (const name of ["authorization", "cookie", "x-api-key"]) assert.equal(headersOf(start)[name], "[redacted]");
    assert.equal(head.status, 201);
    assert.equal(headersOf(head)["set-cookie"], "[redacted]");
    assert.equal(headersOf(head)["location"], "/shelf?token=[redacted]");
    assert.ok(Number.isInteger(head.latencyUs) && head.latencyUs > 0 && head.latencyUs <= end.durationUs);
    const { status, requestBytes, responseBytes, flags, details, attempts, grpcStatus } = end;
    assert.deepEqual(
      { status, requestBytes, responseBytes, flags, details, attempts, grpcStatus },
      {
        status: 201,
        requestBytes: 23,
        responseBytes: 23,
        flags: [],
        details: "via_upstream",
        attempts: 1,
        grpcStatus: undefined,
      },
    );
    assert.doesNotMatch(JSON.stringify(reader.events), /a-secret|nobody sees/);
  }
});

test("HTTP/2 and gRPC calls are shown with their status, whether it comes in trailers or alone", async (t) => {
  const reader = await open(t, inbound);
  const client = new GrpcClient(`127.0.0.1:${outbound.port("out")}`);
  t.after(() => client.close());
  assert.equal((await client.unary("Echo", "hello")).code, 0);
  assert.equal((await client.unary("Fail", "", { "x-code": "NOT_FOUND" })).code, 5);
  const ends = await reader.until("request-end", 2);
  assert.deepEqual(
    ends.map(({ status, grpcStatus }) => [status, grpcStatus]),
    [
      [200, 0],
      [200, 5],
    ],
  );
  const [start] = reader.of("request-start");
  assert.equal(start?.protocol, "HTTP/2");
  assert.equal(start?.path, "/shop.Books/Echo");
  // Five bytes before each message.
  assert.deepEqual([ends[0]?.requestBytes, ends[0]?.responseBytes], [10, 10]);
});

test("what the proxy answers itself is shown too, with the policy that denied it", async (t) => {
  const out = await open(t, outbound);
  const into = await open(t, inbound);
  await (await call("/direct")).text();
  const denied = await call("/shelf", { method: "DELETE" });
  assert.equal(denied.status, 403);
  await denied.text();
  const unreachable = await call("/gone");
  assert.equal(unreachable.status, 503);
  await unreachable.text();
  const [direct, , gone] = await out.until("request-end", 3);
  assert.deepEqual([direct?.status, direct?.endpoint, direct?.attempts, direct?.responseBytes], [299, undefined, 0, 6]);
  assert.deepEqual([gone?.status, gone?.flags, gone?.endpoint], [503, ["UF"], "127.0.0.1:1"]);
  const [denial] = await into.until("request-end");
  assert.deepEqual([denial?.status, denial?.endpoint, denial?.attempts], [403, undefined, 0]);
  assert.match(denial?.decidedBy ?? "", /^AuthorizationPolicy shop\/no-delete/);
  assert.deepEqual(
    into.events.map(({ event }) => event),
    ["request-start", "response-head", "request-end"],
  );
});

test("a client that goes away ends its request with its flag, and without a response", async (t) => {
  const reader = await open(t, outbound, { match: { path: { exact: "/raw/slow" } } });
  const client = await send(t, outbound, "out", "GET /raw/slow HTTP/1.1\r\nhost: x\r\n\r\n");
  const server = await raw.next();
  await server.until("\r\n\r\n");
  await reader.until("request-start");
  client.socket.destroy();
  const [end] = await reader.until("request-end");
  assert.deepEqual([end?.status, end?.flags], [undefined, ["DC"]]);
  assert.deepEqual(reader.of("response-head"), []);
});

test("the answer's head is shown while its body is still on its way, and a switched protocol until it ends", async (t) => {
  const reader = await open(t, outbound, { match: { path: { exact: "/raw/echo" } } });
  const client = await send(
    t,
    outbound,
    "out",
    "GET /raw/echo HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
  );
  const server = await raw.next();
  await server.until("\r\n\r\n");
  await server.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
  await client.until("\r\n\r\n");
  const [head] = await reader.until("response-head");
  assert.equal(head?.status, 101);
  assert.deepEqual(reader.of("request-end"), []);
  await client.send("12345");
  await server.bytes(5);
  server.socket.end();
  client.socket.end();
  const [end] = await reader.until("request-end");
  assert.equal(end?.requestBytes, 5);
});

test("a rewritten path is shown beside the one that the client sent, by which the request is found", async (t) => {
  const reader = await open(t, outbound, { match: { path: { prefix: "/old/" } } });
  await (await call("/old/one?a=b")).text();
  const [start] = await reader.until("request-start");
  assert.deepEqual([start?.path, start?.rewrittenPath], ["/old/one?a=b", "/new/one?a=b"]);
});

const user = { name: "X-User", exact: "ann" };

const found: readonly object[] = [
  { method: "PUT", path: { exact: "/shelf" }, scheme: "http", direction: "outbound" },
  { authority: "Books.shop:9080" },
  { headers: [user, { name: "x-other", present: true }] },
  { source: { identity: webUri }, destination: { identity: booksUri } },
];

const notFound: readonly object[] = [
  { method: "GET" },
  { authority: "books.shop" },
  { scheme: "https" },
  { headers: [user, { name: "x-third", present: true }] },
  { source: { identity: booksUri } },
  { destination: { identity: webUri } },
  { direction: "inbound" },
];

const askedFor =
  "PUT /shelf?x HTTP/1.1\r\nhost: books.shop:9080\r\nx-user: ann\r\nx-other: 1\r\ncontent-length: 0\r\n\r\n";

for (const match of found) {
  test(`a request is shown to whoever asks for ${JSON.stringify(match)}`, async (t) => {
    const reader = await open(t, outbound, { match });
    const client = await send(t, outbound, "out", askedFor);
    await client.response();
    await reader.until("request-end");
    assert.equal(reader.events.length, 3);
  });
}

test("a request is not shown to whoever asks for another", async (t) => {
  const own = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "out",
          direction: "OUTBOUND",
          routes: [route("/", "books")],
          filters: [peerMetadata("web", "OUTBOUND", webUri)],
        }),
      ],
      [cluster("books", [inbound.port("in")], { transport_socket: clientTls(web, booksUri) })],
    ),
  );
  t.after(() => own[Symbol.asyncDispose]());
  const readers = await Promise.all(notFound.map((match) => open(t, own, { match })));
  const all = await open(t, own);
  const client = await send(t, own, "out", askedFor);
  await client.response();
  await all.until("request-end");
  await own.generation.drain(0);
  for (const [index, reader] of readers.entries()) {
    await reader.ended();
    const kinds = reader.events.map(({ event }) => event);
    assert.deepEqual(kinds, ["tap-end"], JSON.stringify(notFound[index]));
  }
});

test("a tap that asks for the destination's identity waits until the connection to it stands", async (t) => {
  const own = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "out",
          direction: "OUTBOUND",
          routes: [route("/shelf", "books"), route("/", "plain")],
        }),
      ],
      [
        cluster("books", [inbound.port("in")], { transport_socket: clientTls(web, booksUri) }),
        cluster("plain", [app.port]),
      ],
    ),
  );
  t.after(() => own[Symbol.asyncDispose]());
  const all = await open(t, own);
  const known = await open(t, own, { match: { destination: { identity: booksUri } } });
  for (const path of ["/plain", "/shelf"]) await (await fetch(`http://127.0.0.1:${own.port("out")}${path}`)).text();
  await known.until("request-end");
  await all.until("request-end", 2);
  const identities = (reader: TapReader): unknown[] =>
    reader.of("request-start").map(({ path, destination }) => [path, destination.identity]);
  assert.deepEqual(identities(known), [["/shelf", booksUri]]);
  assert.deepEqual(identities(all), [
    ["/plain", undefined],
    ["/shelf", undefined],
  ]);
  assert.equal(all.of("request-end")[1]?.destination.identity, booksUri);
});

test("a request that was there before the tap is none of its", async (t) => {
  const early = await send(t, outbound, "out", "GET /raw/early HTTP/1.1\r\nhost: x\r\n\r\n");
  const server = await raw.next();
  await server.until("\r\n\r\n");
  const reader = await open(t, outbound);
  await server.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  await early.response();
  await (await call("/shelf")).text();
  await reader.until("request-end");
  assert.deepEqual(
    reader.of("request-start").map(({ path }) => path),
    ["/shelf"],
  );
  assert.equal(reader.events.length, 3);
});

test("a tap ends after the events, or the seconds, that it was asked for, and says so", async (t) => {
  const counted = await open(t, outbound, { maxEvents: 4 });
  const timed = await open(t, outbound, { maxSeconds: 1 });
  await (await call("/direct")).text();
  await (await call("/direct")).text();
  await counted.ended();
  assert.deepEqual(
    counted.events.map(({ event }) => event),
    ["request-start", "response-head", "request-end", "request-start", "tap-end"],
  );
  assert.deepEqual(counted.events.at(-1), {
    event: "tap-end",
    reason: "max-events",
    omittedEvents: 0,
    omittedRequests: 0,
  });
  await timed.ended();
  assert.deepEqual(
    timed.of("tap-end").map(({ reason }) => reason),
    ["max-seconds"],
  );
});

test("of more requests in a second than were asked for the rest is counted, and traffic is not", async (t) => {
  const own = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "out", routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] })],
      [],
    ),
    { concurrency: 2 },
  );
  t.after(() => own[Symbol.asyncDispose]());
  const reader = await open(t, own, { maxRps: 1 });
  const requests = 40;
  const answers = await Promise.all(
    Array.from({ length: requests }, () => fetch(`http://127.0.0.1:${own.port("out")}/`).then((one) => one.status)),
  );
  assert.ok(answers.every((status) => status === 200));
  const [told] = await reader.until("omitted");
  assert.ok((told?.omittedRequests ?? 0) > 0);
  await own.whenBalanced();
  await own.generation.drain(0);
  await reader.ended();
  const [end] = reader.of("tap-end");
  assert.equal(end?.reason, "proxy-ends");
  assert.equal(reader.of("request-end").length + (end?.omittedRequests ?? 0), requests);
});

test("a reader that is slow loses events, is told how many, and holds up no request", async (t) => {
  const own = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "out", routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] })],
      [],
    ),
  );
  t.after(() => own[Symbol.asyncDispose]());
  const admin = await connectRaw(own.adminPort);
  t.after(() => admin.socket.destroy());
  const body = JSON.stringify({ maxRps: 10_000 });
  await admin.send(`POST /tap HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  await admin.until("\r\n\r\n");
  admin.socket.pause();
  const requests = 600;
  const value = "v".repeat(40_000);
  const client = await connectRaw(own.port("out"));
  t.after(() => client.socket.destroy());
  for (let count = 0; count < requests; count += 1) {
    await client.send(`GET / HTTP/1.1\r\nhost: x\r\nx-long: ${value}\r\n\r\n`);
    assert.match((await client.response()).head, /^HTTP\/1\.1 200 /);
  }
  admin.socket.resume();
  const before = await admin.until('"event":"omitted"');
  await own.generation.drain(0);
  const text = (before + (await admin.untilEnd())).replaceAll(/\r\n[0-9a-f]+\r\n/g, "");
  const shown = text.match(/"event":"(request-start|response-head|request-end)"/g)?.length ?? 0;
  const omitted = Number(/"event":"tap-end","reason":"proxy-ends","omittedEvents":(\d+)/.exec(text)?.[1]);
  assert.ok(omitted > 0);
  assert.equal(shown + omitted, 3 * requests);
});

test("so many taps may be open, and one whose reader goes away makes room", async (t) => {
  const readers: TapReader[] = [];
  for (let count = 0; count < maxTaps; count += 1) readers.push(await open(t, inbound));
  await assert.rejects(open(t, inbound), /^Error: 429 8 taps are open, which is the most: close one\n$/);
  await readers[0]?.[Symbol.asyncDispose]();
  for (;;) {
    const reader = await open(t, inbound).catch(() => undefined);
    if (reader !== undefined) break;
  }
});

test("when a worker is lost the taps end and say so, and new ones see its successor", async (t) => {
  const own = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "out", routes: [{ match: { prefix: "/" }, direct_response: { status: 200 } }] })],
      [],
    ),
  );
  t.after(() => own[Symbol.asyncDispose]());
  const reader = await open(t, own);
  await own.pool.replace(0, "the test wants it");
  await reader.ended();
  assert.deepEqual(
    reader.of("tap-end").map(({ reason }) => reason),
    ["worker-lost"],
  );
  const next = await open(t, own);
  await (await fetch(`http://127.0.0.1:${own.port("out")}/`)).text();
  await next.until("request-end");
});

test("a hot restart ends the taps of the old proxy in order, and the new one takes others", async (t) => {
  const direct = { match: { prefix: "/" }, direct_response: { status: 200 } };
  const { proxy } = await startProxy(t, bootstrap([httpListener({ name: "web", routes: [direct] })], []));
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  const reader = await TapReader.open(admin);
  t.after(() => reader[Symbol.asyncDispose]());
  await (await fetch(`http://127.0.0.1:${port}/one`)).text();
  await reader.until("request-end");
  proxy.kill("SIGHUP");
  await reader.ended();
  assert.deepEqual(
    reader.of("tap-end").map(({ reason }) => reason),
    ["hand-over"],
  );
  await proxy.ready(2);
  const next = await TapReader.open(admin);
  t.after(() => next[Symbol.asyncDispose]());
  // The old one finishes what it has accepted, the client's open connection included.
  while (next.events.length === 0) await (await fetch(`http://127.0.0.1:${port}/two`)).text();
  const [start] = next.of("request-start");
  assert.equal(start?.path, "/two");
});

test("a tap is opened by POST on the admin port alone, and what it cannot do is refused by name", async () => {
  const url = `http://127.0.0.1:${outbound.adminPort}/tap`;
  assert.equal((await fetch(url)).status, 405);
  const refused = await fetch(url, { method: "POST", body: '{"maxRps": 0, "match": {"path": {"prefix": "books"}}}' });
  assert.equal(refused.status, 400);
  assert.equal(
    await refused.text(),
    'match.path.prefix has to be a path that begins with "/", without "?" and what follows: the query is not compared\n' +
      "maxRps has to be a whole number from 1 to 10000\n",
  );
  const long = await fetch(url, { method: "POST", body: " ".repeat(maxTapBodyBytes + 1) });
  assert.equal(long.status, 413);
  const { head } = await (async () => {
    const client = await connectRaw(outbound.adminPort);
    try {
      await client.send("POST /tap HTTP/1.1\r\nhost: attacker.example\r\ncontent-length: 0\r\n\r\n");
      return await client.response();
    } finally {
      client.socket.destroy();
    }
  })();
  assert.match(head, /^HTTP\/1\.1 403 /);
});

test("HTTP/2 streams of one connection are told apart", async (t) => {
  const reader = await open(t, outbound, { match: { path: { prefix: "/h2" } } });
  const session = connectHttp2(`http://127.0.0.1:${outbound.port("out")}`);
  t.after(() => session.destroy());
  await Promise.all(
    ["/h2/a", "/h2/b", "/h2/c"].map(async (path) => {
      const stream = session.request({ ":path": path });
      stream.resume();
      await once(stream, "close");
    }),
  );
  await reader.until("request-end", 3);
  const ids = new Map(reader.of("request-start").map(({ id, path }) => [path, id]));
  assert.equal(new Set(ids.values()).size, 3);
  for (const id of ids.values()) {
    const own = reader.events.filter((event) => "id" in event && event.id === id);
    assert.deepEqual(
      own.map(({ event }) => event),
      ["request-start", "response-head", "request-end"],
    );
  }
});
