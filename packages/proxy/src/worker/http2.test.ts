import assert from "node:assert/strict";
import { once } from "node:events";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  sensitiveHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { connectRaw, type EchoedRequest, type EchoServer, startEchoServer, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  http2Cluster,
  httpListener,
  protocolOptions,
  route,
  serverTls,
  type TlsMaterial,
} from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// Every pair of protocols: clients and applications that nobody here wrote, in HTTP/1.1 and HTTP/2.

const webUri = "spiffe://cluster.local/ns/shop/sa/web";

const trailersOptions = protocolOptions({ explicit_http_config: { http_protocol_options: { enable_trailers: true } } });

let proxy: TestProxy;
let http1App: EchoServer;
let http2App: Http2App;
let narrowApp: Http2App;
let secureApp: Http2App;
let web: TlsMaterial;

/** An application that speaks HTTP/2 by `node:http2`, and remembers what was done to its streams. */
class Http2App {
  readonly server: Http2Server;
  readonly sessions: ServerHttp2Session[] = [];
  readonly resets: number[] = [];
  #streamCount = 0;
  #onReset: (() => void) | undefined;
  #onStream: (() => void) | undefined;

  constructor(server: Http2Server) {
    this.server = server;
    server.on("session", (session) => this.sessions.push(session));
    server.on("stream", (stream, headers) => this.#serve(stream as ServerHttp2Stream, headers));
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async streams(count: number): Promise<void> {
    while (this.#streamCount < count) await new Promise<void>((resolve) => (this.#onStream = resolve));
  }

  async reset(count: number): Promise<void> {
    while (this.resets.length < count) await new Promise<void>((resolve) => (this.#onReset = resolve));
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  #serve(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    const path = headers[":path"] ?? "";
    this.#streamCount += 1;
    this.#onStream?.();
    stream.on("error", () => {});
    stream.on("close", () => {
      if (stream.rstCode !== 0) {
        this.resets.push(stream.rstCode);
        this.#onReset?.();
      }
    });
    if (path === "/reset") return stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    if (path === "/refuse") return stream.close(constants.NGHTTP2_REFUSED_STREAM);
    if (path === "/hold") return;
    if (path === "/secret") {
      const hidden = Reflect.get(headers, sensitiveHeaders) as readonly string[];
      const answer = { ":status": 200, "x-hidden": hidden.join(), "x-answer": "42", [sensitiveHeaders]: ["x-answer"] };
      return stream.respond(answer, { endStream: true });
    }
    if (path === "/half") {
      stream.respond({ ":status": 200 });
      stream.write("half", () => stream.destroy(new Error("broken off")));
      return;
    }
    if (path === "/early") {
      stream.respond({ ":status": 413 }, { endStream: true });
      return;
    }
    if (path === "/large") {
      stream.respond({ ":status": 200 });
      stream.end(large);
      return;
    }
    if (path === "/exhausted") {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "8", ...metadata, ...claims }));
      stream.end("message");
      return;
    }
    let trailers: IncomingHttpHeaders = {};
    stream.on("trailers", (received) => (trailers = received));
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      stream.respond({ ":status": 200, "x-method": headers[":method"] }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-end": "of response" }));
      const body = Buffer.concat(chunks).toString("latin1");
      stream.end(headers[":method"] === "HEAD" ? undefined : JSON.stringify({ headers, trailers, body }));
    });
  }
}
/** Trailing metadata that a receiver of HTTP/1.1, who may merge it into the head, must not get (RFC 9110 §6.5.1). */
const metadata = {
  "retry-after": "5",
  location: "/elsewhere",
  date: "Tue, 01 Dec 2026 00:00:00 GMT",
  age: "1",
  range: "bytes=0-1",
  authorization: "Bearer x",
  baggage: "a=b",
};
/** What no trailer may say: how the message was framed or routed, or something in the mesh's name. */
const claims = { host: "other", forwarded: "for=1", "x-forwarded-for": "1", "x-envoy-x": "1", "heddle-x": "1" };
const large = Buffer.alloc(3 * 1024 * 1024, "large body ");

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: Buffer;
}

function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    const chunks: Buffer[] = [];
    stream.on("response", (received) => (headers = received));
    stream.on("trailers", (received) => (trailers = received));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () =>
      resolve({ status: Number(headers[":status"]), headers, trailers, body: Buffer.concat(chunks) }),
    );
  });
}

function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined });
  const answer = answerOf(stream);
  if (body !== undefined) stream.end(body);
  return answer;
}

async function withSession(run: (session: ClientHttp2Session) => Promise<void>, listener = "web"): Promise<void> {
  const session = connectHttp2(`http://127.0.0.1:${proxy.port(listener)}`);
  session.on("error", () => {});
  try {
    await run(session);
    await proxy.whenBalanced();
  } finally {
    session.destroy();
  }
}

before(async () => {
  const ca = await ThrowawayCa.create();
  const { chainPem, privateKeyPem } = await ca.issue(webUri);
  web = { chainPem, privateKeyPem, anchorsPem: ca.certificatePem };
  http1App = await startEchoServer();
  http2App = await new Http2App(createServer()).start();
  narrowApp = await new Http2App(createServer()).start();
  secureApp = await new Http2App(createSecureServer({ cert: chainPem, key: privateKeyPem, allowHTTP1: true })).start();
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    route("/h1", "h1"),
    route("/auto", "auto", { prefix_rewrite: "/auto" }),
    route("/narrow", "narrow", { prefix_rewrite: "/hold" }),
    route("/", "h2"),
  ];
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes, manager: { http_protocol_options: { enable_trailers: true } } }),
        httpListener({ name: "only-h2", routes, manager: { codec_type: "HTTP2" } }),
        httpListener({
          name: "always-https",
          routes,
          manager: { scheme_header_transformation: { scheme_to_overwrite: "https" } },
        }),
        httpListener({
          name: "as-upstream",
          routes,
          manager: { scheme_header_transformation: { match_upstream: true } },
        }),
        httpListener({ name: "secure", routes, transportSocket: serverTls(web, {}, ["h2", "http/1.1"]) }),
        httpListener({
          name: "narrow",
          routes,
          manager: {
            max_request_headers_kb: 1,
            http2_protocol_options: {
              max_concurrent_streams: 2,
              initial_stream_window_size: 65_535,
              initial_connection_window_size: 70_000,
              hpack_table_size: 0,
            },
          },
        }),
      ],
      [
        cluster("h1", [http1App.port], trailersOptions),
        cluster("h2", [http2App.port], http2Cluster()),
        cluster("narrow", [narrowApp.port], {
          ...protocolOptions({
            explicit_http_config: {
              http2_protocol_options: {
                max_concurrent_streams: 2,
                initial_stream_window_size: 70_001,
                initial_connection_window_size: 80_000,
                hpack_table_size: 0,
              },
            },
          }),
        }),
        cluster("auto", [secureApp.port], {
          ...protocolOptions({ auto_config: {} }),
          transport_socket: clientTls(web, webUri),
        }),
      ],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await http1App?.close();
  await http2App?.close();
  await narrowApp?.close();
  await secureApp?.close();
});

test("an HTTP/2 request reaches an HTTP/1.1 application, with body, cookies and authority", () =>
  withSession(async (session) => {
    const headers = {
      ":path": "/h1",
      ":method": "POST",
      ":authority": "shop.example",
      cookie: ["a=1", "b=2"],
      te: "trailers",
    };
    const answer = await ask(session, headers, "hello");
    assert.equal(answer.status, 200);
    const echoed = JSON.parse(answer.body.toString()) as EchoedRequest;
    assert.deepEqual([echoed.method, echoed.url, echoed.httpVersion, echoed.body], ["POST", "/h1", "1.1", "hello"]);
    const seen = new Map(echoed.rawHeaders);
    assert.equal(seen.get("host"), "shop.example");
    // RFC 9113 §8.2.3: crumbs are joined before a context that is not HTTP/2.
    assert.equal(seen.get("cookie"), "a=1; b=2");
    assert.equal(answer.headers["transfer-encoding"], undefined);
    assert.equal(answer.headers["connection"], undefined);
  }));

test("a POST of HTTP/2 without a body reaches an HTTP/1.1 application as one that says so, a GET as it is", () =>
  withSession(async (session) => {
    for (const [method, length] of [
      ["POST", "0"],
      ["GET", undefined],
    ] as const) {
      const answer = await ask(session, { ":path": "/h1", ":method": method });
      const { rawHeaders } = JSON.parse(answer.body.toString()) as EchoedRequest;
      assert.equal(new Map(rawHeaders).get("content-length"), length, method);
    }
  }));

test("fields that must stay out of tables are marked so on both sides (RFC 7541 §6.2.3)", () =>
  withSession(async (session) => {
    const answer = await ask(session, { ":path": "/secret", "x-token": "abc", [sensitiveHeaders]: ["x-token"] });
    assert.equal(answer.headers["x-hidden"], "x-token");
    assert.deepEqual(Reflect.get(answer.headers, sensitiveHeaders), ["x-answer"]);
  }));

test("an HTTP/1.1 request reaches an HTTP/2 application, and its trailers come back", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send(
    "POST /any HTTP/1.1\r\nhost: shop.example\r\ntransfer-encoding: chunked\r\nte: trailers\r\n\r\n5\r\nhello\r\n0\r\nx-last: word\r\n\r\n",
  );
  const answer = await client.response();
  client.socket.destroy();
  const { headers, trailers, body } = JSON.parse(answer.body) as {
    headers: Record<string, string>;
    trailers: object;
    body: string;
  };
  assert.equal(headers[":authority"], "shop.example");
  assert.equal(headers["host"], undefined);
  assert.equal(headers["transfer-encoding"], undefined);
  assert.equal(body, "hello");
  assert.deepEqual({ ...trailers }, { "x-last": "word" });
  assert.match(answer.head, /^HTTP\/1\.1 200 OK\r\n/);
  await proxy.whenBalanced();
});

test("HTTP/2 on both sides keeps trailers in both directions", () =>
  withSession(async (session) => {
    const stream = session.request(
      { ":path": "/any", ":method": "POST" },
      {
        endStream: false,
        waitForTrailers: true,
      },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-checksum": "1" }));
    const answer = answerOf(stream);
    stream.end("body");
    const { body, trailers } = await answer;
    assert.deepEqual(JSON.parse(body.toString()).trailers, { "x-checksum": "1" });
    assert.equal(trailers["x-end"], "of response");
  }));

test("HTTP/2 on both sides keeps the metadata that gRPC sends in trailers, and nothing that speaks for the mesh", () =>
  withSession(async (session) => {
    const stream = session.request({ ":path": "/any", ":method": "POST" }, { endStream: false, waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ ...metadata, ...claims }));
    const answer = answerOf(stream);
    stream.end("body");
    assert.deepEqual(JSON.parse((await answer).body.toString()).trailers, metadata);
    const exhausted = await ask(session, { ":path": "/exhausted" });
    assert.deepEqual(Object.fromEntries(Object.entries(exhausted.trailers)), { "grpc-status": "8", ...metadata });
  }));

test("towards HTTP/1.1 trailers hold nothing that may be taken for a field of the head", async () => {
  await withSession(async (session) => {
    const stream = session.request({ ":path": "/h1", ":method": "POST" }, { endStream: false, waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "x-checksum": "1", ...metadata }));
    const answer = answerOf(stream);
    stream.end("body");
    const echoed = JSON.parse((await answer).body.toString()) as EchoedRequest;
    assert.deepEqual(echoed.trailers, { "x-checksum": "1" });
  });
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET /exhausted HTTP/1.1\r\nhost: shop.example\r\nte: trailers\r\nconnection: close\r\n\r\n");
  const answer = await client.untilEnd();
  assert.match(answer, /\r\n0\r\ngrpc-status: 8\r\n\r\n$/);
  await proxy.whenBalanced();
});

const schemes = [
  { listener: "web", said: "http", path: "/auto", sent: "http" },
  { listener: "web", said: "https", path: "/any", sent: "https" },
  { listener: "always-https", said: "http", path: "/any", sent: "https" },
  { listener: "as-upstream", said: "http", path: "/auto", sent: "https" },
  { listener: "as-upstream", said: "https", path: "/any", sent: "http" },
];
for (const { listener, said, path, sent } of schemes) {
  test(`listener ${listener} sends a request for ${said} to ${path} as one for ${sent}`, () =>
    withSession(async (session) => {
      const { body } = await ask(session, { ":path": path, ":scheme": said });
      assert.equal(JSON.parse(body.toString()).headers[":scheme"], sent);
    }, listener));
}

test("an HTTP/1.1 request reaches an HTTP/2 application in the scheme that a trusted hop names", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET /any HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-proto: https\r\n\r\n");
  const { body } = await client.response();
  client.socket.destroy();
  assert.equal(JSON.parse(body).headers[":scheme"], "https");
  await proxy.whenBalanced();
});

test("HEAD has no body on any way", () =>
  withSession(async (session) => {
    for (const path of ["/h1", "/any"]) {
      const answer = await ask(session, { ":path": path, ":method": "HEAD" });
      assert.deepEqual([answer.status, answer.body.length], [200, 0]);
    }
  }));

test("many requests share one connection to the application", () =>
  withSession(async (session) => {
    const before = http2App.sessions.length;
    await ask(session, { ":path": "/any" });
    const opened = http2App.sessions.length;
    const answers = await Promise.all(
      Array.from({ length: 80 }, (_, i) => ask(session, { ":path": `/any?${i}`, ":method": "POST" }, `body ${i}`)),
    );
    answers.forEach((answer, i) => assert.equal(JSON.parse(answer.body.toString()).body, `body ${i}`));
    assert.equal(http2App.sessions.length, opened);
    assert.ok(opened - before <= 1);
  }));

test("a large body arrives whole in both directions", () =>
  withSession(async (session) => {
    const got = await ask(session, { ":path": "/large" });
    assert.ok(got.body.equals(large));
    const sent = await ask(session, { ":path": "/any", ":method": "POST" }, large);
    assert.equal(JSON.parse(sent.body.toString()).body.length, large.length);
  }));

test("a stream that the application resets ends alone, with an error that says so", () =>
  withSession(async (session) => {
    const held = session.request({ ":path": "/hold" });
    held.on("error", () => {});
    const answer = await ask(session, { ":path": "/reset" });
    assert.equal(answer.status, 503);
    assert.match(answer.body.toString(), /reset reason: remote reset/);
    assert.ok(!held.closed);
    held.close(constants.NGHTTP2_CANCEL);
    await once(held, "close");
  }));

test("a response that breaks off is reset, so that nobody takes it for complete", () =>
  withSession(async (session) => {
    await assert.rejects(ask(session, { ":path": "/half" }), { code: "ERR_HTTP2_STREAM_ERROR" });
    assert.equal((await ask(session, { ":path": "/direct" })).body.toString(), "direct");
  }));

test("a client that gives up ends its stream at the application, too", () =>
  withSession(async (session) => {
    const resets = http2App.resets.length;
    const stream = session.request({ ":path": "/hold" });
    stream.on("error", () => {});
    await ask(session, { ":path": "/any" });
    stream.close(constants.NGHTTP2_CANCEL);
    await http2App.reset(resets + 1);
    assert.equal(http2App.resets.at(-1), constants.NGHTTP2_CANCEL);
  }));

test("an answer before the end of the request ends the stream without an error", () =>
  withSession(async (session) => {
    const stream = session.request({ ":path": "/early", ":method": "POST" }, { endStream: false });
    stream.write("some of it");
    const answer = await answerOf(stream);
    assert.equal(answer.status, 413);
    assert.equal((await ask(session, { ":path": "/direct" })).status, 200);
  }));

test("a refused stream is tried again, and reported when it is refused again", () =>
  withSession(async (session) => {
    const answer = await ask(session, { ":path": "/refuse", ":method": "POST" }, "x");
    assert.equal(answer.status, 503);
    assert.match(answer.body.toString(), /remote refused stream reset/);
  }));

test("HTTP/2 is recognised by its first bytes, in any pieces", async () => {
  for (const text of ["P", "PR", "PRI", "PRI * HTTP/2.0\r\n"]) {
    const client = await connectRaw(proxy.port("web"));
    await client.send(text);
    await client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".slice(text.length));
    await client.send(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    assert.equal((await client.bytes(9)).charCodeAt(3), 4, "SETTINGS");
    client.socket.destroy();
  }
  const old = await connectRaw(proxy.port("web"));
  for (const piece of ["P", "R", "OPFIND /h1 HTTP/1.1\r\nhost: x\r\n\r\n"]) await old.send(piece);
  assert.match((await old.response()).body, /PROPFIND/);
  old.socket.destroy();
});

test("a listener for HTTP/2 alone does not answer HTTP/1.1", async () => {
  await withSession(async (session) => {
    assert.equal((await ask(session, { ":path": "/direct" })).status, 200);
  }, "only-h2");
  const old = await connectRaw(proxy.port("only-h2"));
  await old.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.ok(!(await old.untilEnd()).includes("HTTP/1.1"));
});

test("ALPN decides, and mutual TLS carries HTTP/2 on both sides", async () => {
  const session = connectHttp2(`https://127.0.0.1:${proxy.port("secure")}`, {
    cert: web.chainPem,
    key: web.privateKeyPem,
    ca: web.anchorsPem,
    checkServerIdentity: () => undefined,
  });
  const answer = await ask(session, { ":path": "/auto", ":method": "POST" }, "secret");
  assert.equal(JSON.parse(answer.body.toString()).body, "secret");
  assert.equal(secureApp.sessions.length, 1);
  session.destroy();
});

test("limits of streams and header fields are announced, kept and answered", () =>
  withSession(async (session) => {
    await once(session, "remoteSettings");
    assert.deepEqual(
      [
        session.remoteSettings.maxConcurrentStreams,
        session.remoteSettings.headerTableSize,
        session.remoteSettings.initialWindowSize,
      ],
      [2, 0, 65_535],
    );
    const answer = await ask(session, { ":path": "/direct", "x-long": "x".repeat(2000) });
    assert.equal(answer.status, 431);
  }, "narrow"));

test("a cluster's HTTP/2 limits are announced to the application, and kept", () =>
  withSession(async (session) => {
    const held = [1, 2, 3].map(() => session.request({ ":path": "/narrow" }));
    for (const stream of held) stream.on("error", () => {});
    await narrowApp.streams(3);
    // Two at once on one connection, so the third has another.
    assert.equal(narrowApp.sessions.length, 2);
    for (const { remoteSettings, state } of narrowApp.sessions) {
      assert.deepEqual([remoteSettings.initialWindowSize, remoteSettings.headerTableSize], [70_001, 0]);
      assert.equal(state.remoteWindowSize, 80_000);
    }
    for (const stream of held) stream.close(constants.NGHTTP2_CANCEL);
  }));

test("counters tell which protocol connections speak", async () => {
  const stats = await proxy.admin("/stats");
  const count = (name: string): number => Number(new RegExp(`^http\\.web\\.${name}: (\\d+)$`, "m").exec(stats)?.[1]);
  assert.ok(count("downstream_cx_http2_total") > 0);
  assert.ok(count("downstream_cx_http1_total") > 0);
});
