import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import {
  bootstrap,
  chainOf,
  cluster,
  httpInspector,
  httpListener,
  listenerFilter,
  networkRbac,
  route,
  tcpListener,
  tlsInspector,
} from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

const protocols = ["http/1.0", "http/1.1", "h2c"];
const routes = [{ match: { prefix: "/admin" }, direct_response: { status: 403 } }, route("/", "web")];

let proxy: TestProxy;
let web: RawServer;
let opaque: RawServer;

/** A listener for a port of which nobody said what it carries, as the compiler writes it. */
function detecting(name: string, more: Json = {}, networkFilters: readonly Json[] = []): Json {
  return {
    ...httpListener({ name, routes }),
    listener_filters: [listenerFilter(tlsInspector), listenerFilter(httpInspector)],
    listener_filters_timeout: "0.1s",
    continue_on_listener_filters_timeout: true,
    filter_chains: [
      chainOf(httpListener({ name, routes }), "http", {
        application_protocols: protocols,
        transport_protocol: "raw_buffer",
      }),
    ],
    default_filter_chain: chainOf(tcpListener(name, "opaque", networkFilters), "opaque", {}),
    ...more,
  };
}

/** The filters, of which each passes by the connections to ports that `disabled` tells of. */
function disabledFor(...disabled: readonly Json[]): Json {
  return {
    listener_filters: disabled.map((condition) => listenerFilter(httpInspector, {}, { filter_disabled: condition })),
  };
}

const anyPort = { destination_port_range: { start: 1, end: 65_536 } };
const noPort = { destination_port_range: { start: 1, end: 2 } };

before(async () => {
  web = await startRawServer();
  opaque = await startRawServer();
  proxy = await TestProxy.start(
    bootstrap(
      [
        detecting("auto"),
        detecting("guarded", {}, [networkRbac("ALLOW", { destination_port: 1 })]),
        detecting("patient", { listener_filters_timeout: "0s" }),
        detecting("disabled-by-range", disabledFor(anyPort)),
        detecting("disabled-by-any", disabledFor({ any_match: true })),
        detecting("disabled-by-not", disabledFor({ not_match: noPort })),
        detecting("disabled-by-or", disabledFor({ or_match: { rules: [noPort, anyPort] } })),
        detecting("disabled-by-and", disabledFor({ and_match: { rules: [anyPort, anyPort] } })),
        detecting("enabled-by-range", disabledFor(noPort)),
        detecting("enabled-by-and", disabledFor({ and_match: { rules: [noPort, anyPort] } })),
      ],
      [cluster("web", [web.port]), cluster("opaque", [opaque.port])],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await web?.[Symbol.asyncDispose]();
  await opaque?.[Symbol.asyncDispose]();
});

for (const [what, text] of [
  ["HTTP/1.1", "GET /admin HTTP/1.1\r\nhost: a\r\n\r\n"],
  ["HTTP/1.0", "GET /admin HTTP/1.0\r\nhost: a\r\n\r\n"],
] as const) {
  test(`${what} on a port of which nothing is known is served as what it is, byte by byte`, async () => {
    const client = await connectRaw(proxy.port("auto"));
    for (const byte of text) await client.send(byte);
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1\.\d (403|426) /);
    client.socket.destroy();
  });
}

test("HTTP/2 on a port of which nothing is known is served as what it is", async () => {
  const client = await connectRaw(proxy.port("auto"));
  await client.send(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0", "latin1"));
  // The server's SETTINGS: length, type 4.
  assert.equal((await client.bytes(4)).charCodeAt(3), 4);
  client.socket.destroy();
});

test("other bytes are opaque at once", async () => {
  const client = await connectRaw(proxy.port("patient"));
  await client.send("\u0001\u0002redis");
  const peer = await opaque.next();
  assert.equal(await peer.until("redis"), "\u0001\u0002redis");
  client.socket.destroy();
  await peer.untilEnd();
  await proxy.untilDecided("patient", "opaque", 1);
});

test("a client that waits for the server gets what the server says first", async () => {
  const client = await connectRaw(proxy.port("auto"));
  const peer = await opaque.next();
  await peer.send("220 mail.example ESMTP\r\n");
  assert.equal(await client.until("\r\n"), "220 mail.example ESMTP\r\n");
  await client.send("QUIT\r\n");
  assert.equal(await peer.until("\r\n"), "QUIT\r\n");
  client.socket.destroy();
  await peer.untilEnd();
  await proxy.untilDecided("auto", "timeout", 1);
  await proxy.untilStat("listener.auto.downstream_pre_cx_timeout", 1);
});

for (const [what, beginning] of [
  ["says nothing until it is opaque", ""],
  ["sends half a request line until it is opaque", "GET /ad"],
  ["sends half a ClientHello until it is opaque", "\u0016\u0003\u0001\u0001"],
] as const) {
  test(`a client that ${what} meets the policy for TCP, and does not get by HTTP's`, async () => {
    const [accepted, asked] = [opaque.connectionsAccepted, web.connectionsAccepted];
    const client = await connectRaw(proxy.port("guarded"));
    if (beginning !== "") await client.send(beginning);
    assert.equal(await client.untilEnd(), "");
    client.socket.destroy();
    assert.equal(opaque.connectionsAccepted, accepted);
    assert.equal(web.connectionsAccepted, asked);
  });
}

test("a connection that was judged opaque stays opaque, whatever comes later", async () => {
  const asked = web.connectionsAccepted;
  const client = await connectRaw(proxy.port("auto"));
  const peer = await opaque.next();
  await client.send("GET /admin HTTP/1.1\r\nhost: a\r\n\r\n");
  assert.match(await peer.until("\r\n\r\n"), /^GET \/admin/);
  assert.equal(web.connectionsAccepted, asked);
  client.socket.destroy();
  await peer.untilEnd();
});

test("a filter that is disabled for a port leaves its connections undecided", async () => {
  for (const listener of [
    "disabled-by-range",
    "disabled-by-any",
    "disabled-by-not",
    "disabled-by-or",
    "disabled-by-and",
  ]) {
    const client = await connectRaw(proxy.port(listener));
    await client.send("GET /admin HTTP/1.1\r\nhost: a\r\n\r\n");
    const peer = await opaque.next();
    assert.match(await peer.until("\r\n\r\n"), /^GET \/admin/, listener);
    client.socket.destroy();
    await peer.untilEnd();
    await proxy.untilDecided(listener, "declared", 1);
  }
  for (const listener of ["enabled-by-range", "enabled-by-and"]) {
    const client = await connectRaw(proxy.port(listener));
    await client.send("GET /admin HTTP/1.1\r\nhost: a\r\n\r\n");
    assert.match(await client.until("\r\n\r\n"), /^HTTP\/1\.1 403 /, listener);
    client.socket.destroy();
  }
});

test("silent clients are held in bounded time where time is set, and counted while they are", async () => {
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectRaw(proxy.port("patient"))));
  await proxy.untilStat("listener.patient.downstream_pre_cx_active", 20);
  for (const client of clients) client.socket.destroy();
  await proxy.untilStat("listener.patient.downstream_pre_cx_active", 0);
});
