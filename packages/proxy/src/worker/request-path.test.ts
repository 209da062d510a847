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
import { bootstrap, cluster, httpListener, protocolOptions, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

let proxy: TestProxy;
let app: EchoServer;
let raw: RawServer;

before(async () => {
  app = await startEchoServer();
  raw = await startRawServer();
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    { match: { path: "/gone" }, direct_response: { status: 204 } },
    { match: { path: "/moved" }, redirect: { path_redirect: "/there" } },
    { match: { prefix: "/none" }, route: { cluster: "missing" } },
    route("/dead", "dead"),
    route("/raw", "raw"),
    route("/", "app"),
  ];
  // One of the routes leads nowhere.
  const routeConfig = { validate_clusters: false };
  proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({
          name: "web",
          routes,
          routeConfig,
          manager: { http_protocol_options: { enable_trailers: true } },
        }),
        httpListener({
          name: "origin",
          routes,
          routeConfig,
          manager: { http_protocol_options: { allow_absolute_url: false } },
        }),
        httpListener({ name: "passing", routes, routeConfig, manager: { proxy_100_continue: true } }),
        httpListener({
          name: "old",
          routes,
          routeConfig,
          manager: { http_protocol_options: { accept_http_10: true, default_host_for_http_10: "old.example" } },
        }),
      ],
      [
        cluster("app", [app.port]),
        cluster(
          "raw",
          [raw.port],
          protocolOptions({ explicit_http_config: { http_protocol_options: { enable_trailers: true } } }),
        ),
        cluster("dead", [1]),
      ],
    ),
  );
});

// Raw upstreams say `connection: close`, or are cut off: the next test must not meet a connection of this one.

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await app?.close();
  await raw?.[Symbol.asyncDispose]();
});

async function connected(run: (client: RawPeer) => Promise<void>, listener = "web"): Promise<void> {
  const client = await connectRaw(proxy.port(listener));
  try {
    await run(client);
  } finally {
    client.socket.destroy();
  }
}

test("a request is forwarded with its body, and the connection is used again", () =>
  connected(async (client) => {
    for (const body of ["first", "second"]) {
      await client.send(`POST /echo HTTP/1.1\r\nhost: app.example\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      const response = await client.response();
      assert.match(response.head, /^HTTP\/1\.1 200 OK\r\n/);
      const echoed = JSON.parse(response.body) as EchoedRequest;
      assert.deepEqual([echoed.method, echoed.url, echoed.body], ["POST", "/echo", body]);
      assert.deepEqual(
        echoed.rawHeaders.filter(([name]) => name === "host"),
        [["host", "app.example"]],
      );
    }
    await proxy.whenBalanced();
  }));

test("pipelined requests are answered in their order", () =>
  connected(async (client) => {
    const paths = ["/a", "/direct", "/b", "/gone", "/c"];
    await client.send(paths.map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(""));
    const answers: string[] = [];
    for (const path of paths) {
      const { body } = await client.response({ head: path === "/gone" });
      answers.push(path === "/gone" ? "" : body.startsWith("{") ? (JSON.parse(body) as EchoedRequest).url : body);
    }
    assert.deepEqual(answers, ["/a", "direct", "/b", "", "/c"]);
  }));

test("bytes that arrive one at a time make the same request", () =>
  connected(async (client) => {
    for (const byte of "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
      await client.send(byte);
    const echoed = JSON.parse((await client.response()).body) as EchoedRequest;
    assert.equal(echoed.body, "abcde");
  }));

test("a chunked body is forwarded in chunks and its trailers with it", () =>
  connected(async (client) => {
    await client.send(
      "POST /raw HTTP/1.1\r\nhost: x\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n",
    );
    const upstream = await raw.next();
    const head = await upstream.until("\r\n\r\n");
    assert.match(head, /\r\ntransfer-encoding: chunked\r\n/);
    assert.doesNotMatch(head, /content-length/);
    assert.equal(await upstream.until("x-sum: 6\r\n\r\n"), "3\r\nabc\r\n0\r\nx-sum: 6\r\n\r\n");
    await upstream.send(
      "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-after: 1\r\n\r\n",
    );
    const answer = await client.until("x-after: 1\r\n\r\n");
    assert.match(answer, /\r\n2\r\nok\r\n0\r\nx-after: 1\r\n\r\n$/);
    upstream.socket.destroy();
  }));

test("the answer to HEAD has the length and no body, and the connection goes on", () =>
  connected(async (client) => {
    await client.send(
      "HEAD /x HTTP/1.1\r\nhost: x\r\n\r\nHEAD /direct HTTP/1.1\r\nhost: x\r\n\r\nGET /direct HTTP/1.1\r\nhost: x\r\n\r\n",
    );
    assert.match((await client.response({ head: true })).head, /\r\ncontent-length: \d\d+\r\n/);
    assert.match((await client.response({ head: true })).head, /\r\ncontent-length: 6\r\n/);
    assert.equal((await client.response()).body, "direct");
  }));

test("100-continue is answered only when the request will be forwarded", () =>
  connected(async (client) => {
    await client.send("POST /x HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    await client.send("abc");
    const echoed = JSON.parse((await client.response()).body) as EchoedRequest;
    assert.equal(echoed.body, "abc");
    assert.ok(!echoed.rawHeaders.some(([name]) => name === "expect"));
    await client.send("POST /none HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    const answer = await client.untilEnd();
    assert.match(answer, /^HTTP\/1\.1 503 /);
    assert.match(
      answer,
      /\r\nconnection: close\r\n/,
      "whether the body follows is not known, so the connection cannot go on",
    );
  }));

test("a passed-on expectation that is refused ends the connection: what comes next may be the body or a request", async () => {
  const client = await connectRaw(proxy.port("passing"));
  try {
    await client.send("POST /raw HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 60\r\n\r\n");
    const peer = await raw.next();
    assert.match(await peer.until("\r\n\r\n"), /\r\nexpect: 100-continue\r\n/);
    await peer.send("HTTP/1.1 417 Expectation Failed\r\ncontent-length: 0\r\n\r\n");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 417 /);
    await proxy.whenBalanced();
  } finally {
    client.socket.destroy();
  }
});

test("a passed-on expectation that is met: 100 and the answer come through, and the connection goes on", async () => {
  const client = await connectRaw(proxy.port("passing"));
  try {
    await client.send("POST /raw HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    const peer = await raw.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    await client.send("abc");
    assert.equal(await peer.bytes(3), "abc");
    await peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    assert.equal((await client.response()).body, "ok");
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await client.response()).body, "direct");
    await proxy.whenBalanced();
  } finally {
    client.socket.destroy();
  }
});

test("fields about the upstream's connection do not reach the client", () =>
  connected(async (client) => {
    await client.send("GET /raw HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await raw.next();
    await peer.until("\r\n\r\n");
    await peer.send(
      "HTTP/1.1 200 OK\r\nconnection: close, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nproxy-connection: close\r\nupgrade: h2c\r\nx-end: 1\r\ncontent-length: 2\r\n\r\nok",
    );
    const { head } = await client.response();
    assert.match(head, /\r\nx-end: 1\r\n/);
    assert.doesNotMatch(head, /\r\n(?:connection|x-hop|keep-alive|proxy-connection|upgrade):/);
  }));

const localAnswers: [title: string, path: string, status: RegExp, body: string][] = [
  ["a direct response", "/direct", /^HTTP\/1\.1 200 OK/, "direct"],
  ["a redirect", "/moved", /^HTTP\/1\.1 301 Moved Permanently[^]*\r\nlocation: http:\/\/x\/there\r\n/, ""],
  ["a route to a cluster that does not exist", "/none", /^HTTP\/1\.1 503 /, ""],
  [
    "an endpoint that refuses the connection",
    "/dead",
    /^HTTP\/1\.1 503 /,
    "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
  ],
];
for (const [title, path, status, body] of localAnswers) {
  test(`${title} is answered by the proxy and the connection goes on`, () =>
    connected(async (client) => {
      for (let i = 0; i < 2; i++) {
        await client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
        const response = await client.response();
        assert.match(response.head, status);
        assert.ok(response.body.startsWith(body), response.body);
      }
      await proxy.whenBalanced();
    }));
}

test("a short body of a refused request is thrown away and the connection goes on", () =>
  connected(async (client) => {
    await client.send("POST /none HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab");
    assert.match((await client.response()).head, /^HTTP\/1\.1 503 /);
    await client.send("cdGET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
    assert.equal((await client.response()).body, "direct");
  }));

test("a refused request whose body has no known end closes the connection", () =>
  connected(async (client) => {
    await client.send("POST /none HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 503 [^]*\r\nconnection: close\r\n/);
  }));

test("HTTP/1.0 gets its answer without chunks and its connection closed", () =>
  connected(async (client) => {
    await client.send("GET /raw HTTP/1.0\r\n\r\n");
    const upstream = await raw.next();
    assert.match(await upstream.until("\r\n\r\n"), /^GET \/raw HTTP\/1\.1\r\nhost: old\.example\r\n/);
    await upstream.send(
      "HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    );
    const answer = await client.untilEnd();
    assert.match(answer, /^HTTP\/1\.0 200 OK\r\n/);
    assert.match(answer, /\r\nconnection: close\r\n/);
    assert.match(answer, /\r\n\r\nok$/);
    upstream.socket.destroy();
  }, "old"));

test("HTTP/1.0 with keep-alive goes on when the length of the answer is known", () =>
  connected(async (client) => {
    for (let i = 0; i < 2; i++) {
      await client.send("GET /direct HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
      const { head, body } = await client.response();
      assert.match(head, /\r\nconnection: keep-alive\r\n/);
      assert.equal(body, "direct");
    }
  }, "old"));

test("a client that asks for the end of the connection gets it after the answer", () =>
  connected(async (client) => {
    await client.send("GET /direct HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert.match(await client.untilEnd(), /\r\nconnection: close\r\n[^]*direct$/);
  }));

test("a body that ends with the upstream's connection reaches the client in chunks", () =>
  connected(async (client) => {
    await client.send("GET /raw HTTP/1.1\r\nhost: x\r\n\r\n");
    const upstream = await raw.next();
    await upstream.until("\r\n\r\n");
    await upstream.send("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    upstream.end();
    const response = await client.response();
    assert.match(response.head, /\r\ntransfer-encoding: chunked\r\n/);
    assert.equal(response.body, "until the end");
    upstream.socket.destroy();
  }));

test("an upstream that ends within its body ends the client's connection, so that nobody takes it for the whole", () =>
  connected(async (client) => {
    await client.send("GET /raw HTTP/1.1\r\nhost: x\r\n\r\n");
    const upstream = await raw.next();
    await upstream.until("\r\n\r\n");
    await upstream.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
    upstream.end();
    assert.match(await client.untilEnd(), /content-length: 10\r\n[^]*half$/);
    upstream.socket.destroy();
    await proxy.whenBalanced();
  }));

const upgrades = [
  "GET /raw HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  "GET /raw HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: unheard-of\r\n\r\n",
  "CONNECT other:443 HTTP/1.1\r\nhost: other:443\r\n\r\n",
];
for (const request of upgrades) {
  test(`${JSON.stringify(request.slice(0, 7))}… asks for an upgrade, is refused with 403, and nothing behind it is a request`, () =>
    connected(async (client) => {
      const seen = raw.connectionsAccepted;
      await client.send(`${request}GET /raw HTTP/1.1\r\nhost: smuggled\r\n\r\n`);
      const answer = await client.untilEnd();
      assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n/);
      assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1);
      assert.equal(raw.connectionsAccepted, seen);
    }));
}

test("an offer of h2c is ignored and the request is served", () =>
  connected(async (client) => {
    await client.send(
      "GET /x HTTP/1.1\r\nhost: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n",
    );
    const { head, body } = await client.response();
    assert.match(head, /^HTTP\/1\.1 200 /);
    const names = (JSON.parse(body) as EchoedRequest).rawHeaders.map(([name]) => name);
    assert.ok(!names.includes("upgrade") && !names.includes("http2-settings"));
  }));

test("headers about one connection are not forwarded, whatever Connection names", () =>
  connected(async (client) => {
    await client.send(
      "GET /x HTTP/1.1\r\nhost: x\r\nconnection: x-secret, x-request-id, keep-alive\r\nkeep-alive: 5\r\nx-secret: 1\r\nproxy-connection: a\r\n\r\n",
    );
    const names = (JSON.parse((await client.response()).body) as EchoedRequest).rawHeaders.map(([name]) => name);
    for (const name of ["x-secret", "keep-alive", "proxy-connection"]) assert.ok(!names.includes(name), name);
    assert.ok(names.includes("x-request-id"), "what the mesh adds cannot be named away");
  }));

const malformed: [title: string, bytes: string, status?: number][] = [
  [
    "two different Content-Length",
    "POST /raw HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd",
  ],
  [
    "Content-Length with Transfer-Encoding",
    "POST /raw HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
  ],
  ["a folded line", "GET /raw HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n folded\r\n\r\n"],
  ["a bare LF", "GET /raw HTTP/1.1\nhost: x\n\n"],
  ["a space before a colon", "GET /raw HTTP/1.1\r\nhost : x\r\n\r\n"],
  ["NUL in a value", "GET /raw HTTP/1.1\r\nhost: x\r\nx-a: a\0b\r\n\r\n"],
  ["two Host fields", "GET /raw HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n"],
  ["no Host", "GET /raw HTTP/1.1\r\n\r\n"],
  ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00"],
  ["an unknown transfer coding", "POST /raw HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501],
  ["HTTP/2.0 in the request line", "GET /raw HTTP/2.0\r\nhost: x\r\n\r\n", 505],
  ["HTTP/1.0 where it is not accepted", "GET /raw HTTP/1.0\r\nhost: x\r\n\r\n", 426],
  ["a head of 70 KiB", `GET /raw HTTP/1.1\r\nhost: x\r\nx-a: ${"a".repeat(70 * 1024)}\r\n\r\n`, 431],
  ["101 fields", `GET /raw HTTP/1.1\r\nhost: x\r\n${"x-a: 1\r\n".repeat(101)}\r\n`, 431],
];
for (const [title, bytes, status = 400] of malformed) {
  test(`${title}: ${status}, the connection closed, and nothing forwarded`, () =>
    connected(async (client) => {
      const seen = raw.connectionsAccepted;
      await client.send(bytes);
      const answer = await client.untilEnd();
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.match(answer, /\r\nconnection: close\r\n/);
      assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1);
      assert.equal(raw.connectionsAccepted, seen);
      await proxy.whenBalanced();
    }));
}

test("a chunk that is malformed after the request began: 400, and the upstream's connection is not used again", () =>
  connected(async (client) => {
    await client.send("POST /raw HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n");
    const upstream = await raw.next();
    await upstream.until("3\r\nabc\r\n");
    await client.send("zz\r\n");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 400 /);
    await upstream.untilEnd();
    upstream.socket.destroy();
    await proxy.whenBalanced();
  }));

test("in absolute form the target wins over Host", () =>
  connected(async (client) => {
    await client.send("GET http://target.example/x?y HTTP/1.1\r\nhost: other.example\r\n\r\n");
    const echoed = JSON.parse((await client.response()).body) as EchoedRequest;
    assert.equal(echoed.url, "/x?y");
    assert.deepEqual(
      echoed.rawHeaders.filter(([name]) => name === "host"),
      [["host", "target.example"]],
    );
  }));

test("where absolute form is switched off it is refused", () =>
  connected(async (client) => {
    await client.send("GET http://target.example/direct HTTP/1.1\r\nhost: other.example\r\n\r\n");
    assert.match((await client.response()).head, /^HTTP\/1\.1 400 /);
  }, "origin"));

test("nobody says by absolute form that plaintext was https", () =>
  connected(async (client) => {
    await client.send("GET https://target.example/direct HTTP/1.1\r\nhost: target.example\r\n\r\n");
    assert.match((await client.response()).head, /^HTTP\/1\.1 400 /);
  }));

test("a client that goes away ends its request at the upstream", () =>
  connected(async (client) => {
    await client.send("GET /raw HTTP/1.1\r\nhost: x\r\n\r\n");
    const upstream = await raw.next();
    await upstream.until("\r\n\r\n");
    client.reset();
    await upstream.untilEnd();
    upstream.socket.destroy();
    await proxy.whenBalanced();
    assert.ok(proxy.generation.metrics.total("heddle_requests_ended_total", { outcome: "downstream_closed" }) > 0);
  }));

test("a long answer to a client that does not read stops the upstream, and goes on when the client does", () =>
  connected(async (client) => {
    const total = 64 * 1024 * 1024;
    await client.send("GET /raw HTTP/1.1\r\nhost: x\r\n\r\n");
    const upstream = await raw.next();
    await upstream.until("\r\n\r\n");
    client.socket.pause();
    await upstream.send(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${total}\r\n\r\n`);
    const piece = Buffer.alloc(1024 * 1024, 0x61);
    let sent = 0;
    while (sent < total && upstream.socket.write(piece)) sent += piece.length;
    // The kernel's buffers and ours are full: were nothing to stop it, all would have been taken.
    const isBlocked = await new Promise<boolean>((resolve) => {
      const check = (): void => {
        if (upstream.socket.writableLength === 0 && sent < total) {
          sent += piece.length;
          if (upstream.socket.write(piece)) return void setImmediate(check);
        }
        if (sent >= total) resolve(false);
        else if (upstream.socket.bytesWritten < total / 2 && upstream.socket.writableLength > 0) resolve(true);
        else setImmediate(check);
      };
      check();
    });
    assert.equal(isBlocked, true);
    const received = new Promise<number>((resolve) => {
      let count = 0;
      client.socket.removeAllListeners("data");
      client.socket.on("data", (chunk: Buffer) => {
        count += chunk.length;
        if (count >= total) resolve(count);
      });
    });
    client.socket.resume();
    sent += piece.length;
    for (; sent < total; sent += piece.length) upstream.socket.write(piece);
    assert.ok((await received) >= total);
    upstream.socket.destroy();
  }));
