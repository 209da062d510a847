import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectRaw, type RawPeer, type RawServer, startRawServer, freePort } from "@heddle/testkit";
import { bootstrap, cluster, http2Cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// CONNECT (RFC 9110 §9.3.6) in both protocols on both sides: a proxy that ends it, and one in front that passes it on.

const rbacType = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
const anyone = [{ any: true }];

let folder: string;
/** What CONNECT reaches in the end. */
let raw: RawServer;
/** Two servers that are asked to make the way themselves. */
let first: RawServer;
let second: RawServer;
/** Accepts CONNECT and sends every byte back. */
const http2App = createHttp2Server();
let inner: TestProxy;
let outer: TestProxy;
const sessions: ClientHttp2Session[] = [];

const upgrade = { upgrade_configs: [{ upgrade_type: "CONNECT" }] };
const ending = { upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] };

function connectRoute(clusterName: string, action: object = {}, more: object = {}): Record<string, unknown> {
  return { match: { connect_matcher: {}, ...more }, route: { cluster: clusterName, ...action } };
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-connect-"));
  raw = await startRawServer();
  first = await startRawServer();
  second = await startRawServer();
  http2App.on("stream", (accepted, headers) => {
    const stream = accepted as ServerHttp2Stream;
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": headers[":authority"] === "refuse.example:1" ? 403 : 200 });
    stream.pipe(stream);
  });
  http2App.listen(0, "127.0.0.1");
  await once(http2App, "listening");
  const log = accessLog(
    join(folder, "access.log"),
    "%REQ(:METHOD)% %REQ(:AUTHORITY)% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER%",
  );
  inner = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "end", routes: [connectRoute("raw", ending)], manager: log })],
      [cluster("raw", [raw.port])],
    ),
  );
  const limited = { circuit_breakers: { thresholds: [{ max_connections: 1 }] } };
  const deny = (permission: object): Record<string, unknown> => ({
    "@type": rbacType,
    rules: { action: "DENY", policies: { p: { permissions: [permission], principals: anyone } } },
  });
  const allow = (permission: object): Record<string, unknown> => ({
    "@type": rbacType,
    rules: { action: "ALLOW", policies: { p: { permissions: [permission], principals: anyone } } },
  });
  const path = { url_path: { path: { prefix: "/admin" } } };
  const pathHeader = { header: { name: ":path", string_match: { prefix: "/admin" } } };
  const judged = (name: string, typed_config: Record<string, unknown>): Record<string, unknown> =>
    httpListener({ name, routes: [connectRoute("raw", ending)], filters: [{ name: "rbac", typed_config }] });
  const port = inner.port("end");
  const retries = { retry_policy: { retry_on: "connect-failure", num_retries: 1 } };
  const {
    upgrade_configs: [only],
  } = ending;
  outer = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "end", routes: [connectRoute("raw", ending)], manager: log }),
        httpListener({ name: "h1", routes: [connectRoute("inner-h1", upgrade)] }),
        httpListener({ name: "h2", routes: [connectRoute("inner-h2", upgrade)] }),
        httpListener({ name: "foreign-h2", routes: [connectRoute("http2-app", upgrade)] }),
        httpListener({ name: "limited", routes: [connectRoute("limited", ending)] }),
        httpListener({ name: "retries", routes: [connectRoute("proxies", { ...upgrade, ...retries })] }),
        httpListener({ name: "retries-end", routes: [connectRoute("half-gone", { ...ending, ...retries })] }),
        httpListener({ name: "gone", routes: [connectRoute("gone", ending)] }),
        httpListener({ name: "idle", routes: [connectRoute("raw", { ...ending, idle_timeout: "0.05s" })] }),
        httpListener({ name: "not-named", routes: [connectRoute("raw")] }),
        httpListener({
          name: "switched-off",
          routes: [connectRoute("raw", { upgrade_configs: [{ ...only, enabled: false }] })],
          manager: upgrade,
        }),
        httpListener({
          name: "paths",
          routes: [
            route("/", "raw", ending),
            { match: { prefix: "" }, route: { cluster: "raw", ...ending } },
            { match: { safe_regex: { regex: ".*" } }, route: { cluster: "raw", ...ending } },
            { match: { path: "" }, route: { cluster: "raw", ...ending } },
          ],
          manager: upgrade,
        }),
        judged("deny-path", deny(path)),
        judged("deny-not-path", deny({ not_rule: path })),
        judged("deny-path-header", deny(pathHeader)),
        judged("allow-path", allow(path)),
        judged("allow-not-path", allow({ not_rule: path })),
        judged("allow-not-path-header", allow({ not_rule: pathHeader })),
      ],
      [
        cluster("raw", [raw.port]),
        cluster("inner-h1", [port]),
        cluster("inner-h2", [port], http2Cluster()),
        cluster("http2-app", [(http2App.address() as AddressInfo).port], http2Cluster()),
        cluster("limited", [raw.port], limited),
        cluster("proxies", [first.port, second.port]),
        cluster("half-gone", [await freePort(), raw.port]),
        cluster("gone", [await freePort()]),
      ],
    ),
  );
});

after(async () => {
  for (const session of sessions) session.destroy();
  await outer?.[Symbol.asyncDispose]();
  await inner?.[Symbol.asyncDispose]();
  for (const server of [raw, first, second]) await server?.[Symbol.asyncDispose]();
  http2App.close();
  await rm(folder, { recursive: true, force: true });
});

/** A client of either protocol that asked for a CONNECT. */
interface Tunnel {
  /** Waits for the status. */
  status(): Promise<number>;
  send(text: string): void;
  end(): void;
  reset(): void;
  /** Waits for so many bytes. */
  bytes(count: number): Promise<string>;
  untilEnd(): Promise<string>;
}

const authority = "db.example:5432";

async function http1Tunnel(port: number, early = ""): Promise<Tunnel> {
  const client = await connectRaw(port);
  await client.send(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n${early}`);
  return {
    status: async () => {
      const head = await client.until("\r\n\r\n");
      const status = Number(head.slice(9, 12));
      // RFC 9112 §6.1, RFC 9110 §8.6: neither may be in a 2xx to CONNECT.
      if (status === 200) assert.doesNotMatch(head, /content-length|transfer-encoding|connection: close/i);
      return status;
    },
    send: (text) => void client.send(text),
    end: () => client.end(),
    reset: () => client.reset(),
    bytes: (count) => client.bytes(count),
    untilEnd: () => client.untilEnd(),
  };
}

async function http2Tunnel(port: number, early = ""): Promise<Tunnel> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on("error", () => session.destroy());
  sessions.push(session);
  await once(session, "remoteSettings");
  const stream: ClientHttp2Stream = session.request({ ":method": "CONNECT", ":authority": authority });
  let received = "";
  let hasEnded = false;
  let wake = (): void => {};
  const noteEnd = (): void => {
    hasEnded = true;
    wake();
  };
  stream.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
    wake();
  });
  stream.on("end", noteEnd).on("error", noteEnd).on("close", noteEnd);
  const response = once(stream, "response") as Promise<[{ ":status": number }]>;
  response.catch(noteEnd);
  if (early !== "") stream.write(early);
  const until = async (isDone: () => boolean): Promise<void> => {
    while (!isDone()) {
      assert.ok(!hasEnded, `the stream ended after ${JSON.stringify(received)}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const take = (count: number): string => {
    const text = received.slice(0, count);
    received = received.slice(count);
    return text;
  };
  return {
    status: async () => (await response)[0][":status"],
    send: (text) => void stream.write(text),
    end: () => void stream.end(),
    reset: () => stream.close(8),
    bytes: async (count) => {
      await until(() => received.length >= count);
      return take(count);
    },
    untilEnd: async () => {
      await until(() => hasEnded);
      return take(received.length);
    },
  };
}

const clients = { "HTTP/1.1": http1Tunnel, "HTTP/2": http2Tunnel };

test("CONNECT ends here or goes on, as the route says, in every pair of protocols", async () => {
  for (const [protocol, open] of Object.entries(clients)) {
    for (const listener of ["end", "h1", "h2"]) {
      const what = `${protocol} → ${listener}`;
      const client = await open(outer.port(listener));
      const peer = await raw.next();
      assert.equal(await client.status(), 200, what);
      client.send("hello");
      assert.equal(await peer.bytes(5), "hello", what);
      await peer.send("world");
      assert.equal(await client.bytes(5), "world", what);
      client.end();
      assert.equal(await peer.untilEnd(), "", what);
      await peer.send("rest");
      peer.end();
      assert.equal(await client.untilEnd(), "rest", what);
      await outer.whenBalanced();
    }
  }
});

test("the endpoint's end is passed on, and what the client still sends reaches it", async () => {
  for (const [protocol, open] of Object.entries(clients)) {
    for (const listener of ["end", "h1", "h2"]) {
      const what = `${protocol} → ${listener}`;
      const client = await open(outer.port(listener));
      const peer = await raw.next();
      assert.equal(await client.status(), 200, what);
      await peer.send("all I have");
      peer.end();
      assert.equal(await client.untilEnd(), "all I have", what);
      client.send("and all I have");
      client.end();
      assert.equal(await peer.untilEnd(), "and all I have", what);
      await outer.whenBalanced();
      await inner.whenBalanced();
    }
  }
});

test("CONNECT goes through to a server of HTTP/2 that nobody here wrote", async () => {
  for (const open of Object.values(clients)) {
    const client = await open(outer.port("foreign-h2"));
    assert.equal(await client.status(), 200);
    client.send("x".repeat(300_000));
    assert.equal((await client.bytes(300_000)).length, 300_000);
    client.end();
    assert.equal(await client.untilEnd(), "");
    await outer.whenBalanced();
  }
});

test("CONNECT is refused where no route names it, and no rule about paths matches it", async () => {
  for (const [listener, status] of [
    ["not-named", 403],
    ["switched-off", 403],
    ["paths", 404],
  ] as const) {
    for (const open of Object.values(clients)) {
      assert.equal(await (await open(outer.port(listener))).status(), status, listener);
    }
  }
  const client = await connectRaw(outer.port("paths"));
  await client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: connect\r\n\r\n");
  assert.match((await client.response()).head, /^HTTP\/1\.1 403 /, "the method's name is no protocol");
  client.socket.destroy();
  await outer.whenBalanced();
});

test("a policy that asks for the path denies CONNECT, which has none, whatever it would decide of a path", async () => {
  const accepted = raw.connectionsAccepted;
  const listeners = ["deny-path", "deny-not-path", "deny-path-header", "allow-path", "allow-not-path"];
  for (const listener of [...listeners, "allow-not-path-header"]) {
    for (const open of Object.values(clients)) {
      const client = await open(outer.port(listener));
      assert.equal(await client.status(), 403, listener);
    }
  }
  assert.equal(raw.connectionsAccepted, accepted);
});

test("bytes that come too early wait for the answer, and behind a refusal nobody reads them", async () => {
  for (const open of Object.values(clients)) {
    const client = await open(outer.port("h1"), "early ");
    const peer = await raw.next();
    assert.equal(await client.status(), 200);
    client.send("late");
    client.end();
    assert.equal(await peer.untilEnd(), "early late");
    peer.end();
    await client.untilEnd();
  }
  const refused = await connectRaw(outer.port("not-named"));
  await refused.send(`CONNECT ${authority} HTTP/1.1\r\nhost: x\r\n\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n`);
  const answer = await refused.untilEnd();
  assert.equal(answer.split("HTTP/1.1 ").length, 2, answer);
  await outer.whenBalanced();
});

/** The proxy that is asked first, and the one that is asked then, once it is. */
async function asked(): Promise<{ readonly one: RawPeer; readonly other: () => Promise<RawPeer> }> {
  const peers = [first.next(), second.next()];
  const one = await Promise.race(peers);
  return {
    one,
    other: async () => {
      const other = (await Promise.all(peers)).find((peer) => peer !== one);
      assert.ok(other !== undefined);
      return other;
    },
  };
}

test("what is refused before its 200 is tried elsewhere, with what came early", async () => {
  const client = await http2Tunnel(outer.port("retries"), "early");
  const { one, other: next } = await asked();
  assert.match(await one.until("\r\n\r\n"), /^CONNECT db\.example:5432 HTTP\/1\.1\r\n/);
  await one.send("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
  const other = await next();
  assert.equal(one.received, "", "nothing of what is carried leaves before the way is there");
  await other.until("\r\n\r\n");
  await other.send("HTTP/1.1 200 OK\r\n\r\n");
  assert.equal(await client.status(), 200);
  assert.equal(await other.bytes(5), "early");
  client.reset();
  await other.untilEnd();
  one.socket.destroy();
  await outer.whenBalanced();
});

test("a proxy that is lost before its 200 is tried elsewhere; a 4xx is the answer", async () => {
  const client = await http1Tunnel(outer.port("retries"));
  const { one, other: next } = await asked();
  await one.until("\r\n\r\n");
  one.reset();
  const other = await next();
  await other.until("\r\n\r\n");
  await other.send("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
  assert.equal(await client.status(), 407);
  await client.untilEnd();
  other.socket.destroy();
  await outer.whenBalanced();
});

test("an endpoint that cannot be reached is one failed attempt, and without another the client is told", async () => {
  for (let round = 0; round < 2; round += 1) {
    const client = await http1Tunnel(outer.port("retries-end"));
    const peer = await raw.next();
    assert.equal(await client.status(), 200);
    client.reset();
    await peer.untilEnd();
  }
  assert.equal(await (await http2Tunnel(outer.port("gone"))).status(), 503);
  await outer.whenBalanced();
});

test("the cluster's limit of connections holds for CONNECT", async () => {
  const client = await http1Tunnel(outer.port("limited"));
  const peer = await raw.next();
  assert.equal(await client.status(), 200);
  assert.equal(await (await http2Tunnel(outer.port("limited"))).status(), 503);
  client.reset();
  await peer.untilEnd();
  await outer.whenBalanced();
  const next = await http1Tunnel(outer.port("limited"));
  assert.equal(await next.status(), 200, "its place was given back");
  next.reset();
  await (await raw.next()).untilEnd();
});

test("either side's reset reaches the other", async () => {
  for (const open of Object.values(clients)) {
    const client = await open(outer.port("end"));
    const peer = await raw.next();
    await client.status();
    client.reset();
    await peer.untilEnd();
    const other = await open(outer.port("end"));
    const second = await raw.next();
    await other.status();
    second.reset();
    await other.untilEnd();
    await outer.whenBalanced();
  }
});

test("what nothing moves through ends after the route's idle time", async () => {
  for (const open of Object.values(clients)) {
    const client = await open(outer.port("idle"));
    const peer = await raw.next();
    assert.equal(await client.status(), 200);
    await client.untilEnd();
    await peer.untilEnd();
  }
});

test("the log and the statistics tell of what CONNECT carried", async () => {
  const active = (): number => outer.generation.metrics.total("envoy_http_downstream_cx_upgrades_active");
  const { metrics } = outer.generation;
  const before = metrics.total("envoy_http_downstream_cx_upgrades_total");
  const client = await http1Tunnel(outer.port("end"));
  const peer = await raw.next();
  await client.status();
  client.send("12345678");
  await peer.bytes(8);
  assert.equal(active(), 1);
  await peer.send("123");
  await client.bytes(3);
  client.end();
  await peer.untilEnd();
  peer.end();
  await client.untilEnd();
  await untilLogged(join(folder, "access.log"), `CONNECT ${authority} 200 8 3 - raw`);
  assert.equal(active(), 0);
  assert.equal(metrics.total("envoy_http_downstream_cx_upgrades_total"), before + 1);
});
