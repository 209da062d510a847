import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { connectRaw, RawPeer, type RawServer, startRawServer, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  chainOf,
  cluster,
  fileLog,
  httpListener,
  listenerFilter,
  networkRbac,
  proxyProtocol,
  route,
  serverTls,
  tcpListener,
} from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

const header = "PROXY TCP4 192.0.2.7 10.96.0.1 1234 9080\r\n";
const denied = { remote_ip: { address_prefix: "192.0.2.0", prefix_len: 24 } };

let proxy: TestProxy;
let upstream: RawServer;
let other: RawServer;
let folder: string;
let ca: ThrowawayCa;

function taking(listener: Json, config: Json = {}, more: Json = {}): Json {
  return { ...listener, listener_filters: [listenerFilter(proxyProtocol, config)], ...more };
}

before(async () => {
  upstream = await startRawServer();
  other = await startRawServer();
  folder = await mkdtemp(join(tmpdir(), "heddle-proxy-protocol-"));
  ca = await ThrowawayCa.create();
  const material = { ...(await ca.issue("spiffe://cluster.local/ns/default/sa/up")), anchorsPem: ca.certificatePem };
  const format =
    "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_ADDRESS% %BYTES_RECEIVED%";
  const web = httpListener({ name: "web", routes: [route("/", "up")], manager: { use_remote_address: true } });
  const tls = httpListener({
    name: "tls",
    routes: [route("/", "up")],
    manager: { use_remote_address: true },
    transportSocket: serverTls(material, { require_client_certificate: false }),
  });
  const byClient = tcpListener("by-client", "up");
  proxy = await TestProxy.start(
    bootstrap(
      [
        taking(web),
        taking(tls),
        taking(tcpListener("logged", "up"), {}, fileLog(join(folder, "relay.log"), format)),
        taking(tcpListener("denied", "up", [networkRbac("DENY", { any: true }, denied)])),
        taking(
          tcpListener("direct", "up", [networkRbac("DENY", { any: true }, { direct_remote_ip: denied.remote_ip })]),
        ),
        taking(
          byClient,
          {},
          {
            filter_chains: [
              chainOf(tcpListener("other", "other"), "named", {
                source_prefix_ranges: [{ address_prefix: "192.0.2.7", prefix_len: 32 }],
                source_ports: [1234],
              }),
            ],
            default_filter_chain: chainOf(byClient, "rest", {}),
          },
        ),
        taking(tcpListener("handing-off", "up"), {}, { use_original_dst: true }),
        {
          ...tcpListener("destination", "other"),
          address: { socket_address: { address: "10.96.0.1", port_value: 9080 } },
          bind_to_port: false,
        },
        taking(tcpListener("version-1", "up"), { disallowed_versions: ["V2"], stat_prefix: "only1" }),
        taking(tcpListener("lenient", "up"), { allow_requests_without_proxy_protocol: true }),
        tcpListener("plain", "up"),
      ],
      [cluster("up", [upstream.port]), cluster("other", [other.port])],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  await other?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("an application hears of the client that the header names", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send(`${header}GET / HTTP/1.1\r\nhost: a\r\n\r\n`);
  const peer = await upstream.next();
  assert.match(await peer.until("\r\n\r\n"), /\r\nx-forwarded-for: 192\.0\.2\.7\r\n/);
  await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  assert.match((await client.response()).head, / 200 /);
  client.socket.destroy();
  peer.socket.destroy();
});

test("TLS begins behind the header", async () => {
  const client = await connectRaw(proxy.port("tls"));
  for (const byte of header) await client.send(byte);
  client.socket.removeAllListeners("data");
  const secure = new RawPeer(
    connectTls({ socket: client.socket, ca: ca.certificatePem, checkServerIdentity: () => undefined }),
  );
  await secure.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  const peer = await upstream.next();
  assert.match(await peer.until("\r\n\r\n"), /\r\nx-forwarded-for: 192\.0\.2\.7\r\n/);
  secure.socket.destroy();
  client.socket.destroy();
  await peer.untilEnd();
});

test("the log has both, and the header is no payload", async () => {
  const client = await connectRaw(proxy.port("logged"));
  await client.send(`${header}12345`);
  const peer = await upstream.next();
  assert.equal(await peer.until("12345"), "12345");
  client.end();
  peer.end();
  await client.untilEnd();
  client.socket.destroy();
  await untilLogged(join(folder, "relay.log"), "192.0.2.7:1234 127.0.0.1 10.96.0.1:9080 5\n");
});

test("policy judges the client that the header names, unless it asks for the peer", async () => {
  const refused = await connectRaw(proxy.port("denied"));
  await refused.send(`${header}x`);
  assert.equal(await refused.untilEnd(), "");
  for (const [listener, text] of [
    ["denied", header.replace("192.0.2.7", "192.0.3.7")],
    ["direct", header],
  ] as const) {
    const allowed = await connectRaw(proxy.port(listener));
    await allowed.send(`${text}x`);
    const peer = await upstream.next();
    assert.equal(await peer.until("x"), "x");
    allowed.socket.destroy();
    await peer.untilEnd();
  }
  refused.socket.destroy();
});

test("filter chains are chosen by the client that the header names", async () => {
  for (const [text, server] of [
    [header, other],
    [header.replace(" 1234 ", " 1235 "), upstream],
  ] as const) {
    const client = await connectRaw(proxy.port("by-client"));
    await client.send(`${text}x`);
    const peer = await server.next();
    assert.equal(await peer.until("x"), "x");
    client.socket.destroy();
    await peer.untilEnd();
  }
});

test("where destinations have listeners of their own, the one that the header names serves", async () => {
  const client = await connectRaw(proxy.port("handing-off"));
  await client.send(`${header}hello`);
  const peer = await other.next();
  assert.equal(await peer.until("hello"), "hello");
  await peer.send("back");
  assert.equal(await client.until("back"), "back");
  client.socket.destroy();
  await peer.untilEnd();
});

for (const [listener, text, stat] of [
  ["web", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "proxy_proto.not_found_disallowed"],
  ["web", "PROXY TCP4 nonsense\r\n", "proxy_proto.versions.v1.error"],
] as const) {
  test(`a connection that begins ${JSON.stringify(text.slice(0, 24))} is closed, and counted as ${stat}`, async () => {
    const accepted = upstream.connectionsAccepted;
    const client = await connectRaw(proxy.port(listener));
    await client.send(text);
    assert.equal(await client.untilEnd(), "");
    client.socket.destroy();
    assert.equal(upstream.connectionsAccepted, accepted);
    await proxy.untilStat(stat, 1);
  });
}

test("a version that is not allowed is turned away, and counted under the filter's prefix", async () => {
  const client = await connectRaw(proxy.port("version-1"));
  await client.send("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00");
  assert.equal(await client.untilEnd(), "");
  client.socket.destroy();
  await proxy.untilStat("proxy_proto.only1.versions.v2.disallowed", 1);
});

test("what a listener filter turns away counts at its listener, and not as a connection", async () => {
  await proxy.untilStat("listener.version-1.downstream_listener_filter_error", 1);
  await proxy.untilStat("listener.version-1.downstream_pre_cx_active", 0);
  await proxy.untilStat("listener.version-1.downstream_cx_total", 0);
});

test("a listener that allows it takes connections without header, and waits no longer than it needs to see that", async () => {
  const client = await connectRaw(proxy.port("lenient"));
  await client.send("PROX");
  await client.send("!");
  const peer = await upstream.next();
  assert.equal(await peer.until("PROX!"), "PROX!");
  client.socket.destroy();
  await peer.untilEnd();
});

test("a listener that was not told to believes no header: it is payload", async () => {
  const client = await connectRaw(proxy.port("plain"));
  await client.send(header);
  const peer = await upstream.next();
  assert.equal(await peer.until(header), header);
  client.socket.destroy();
  await peer.untilEnd();
});
