import assert from "node:assert/strict";
import { test } from "node:test";
import { connectRaw, type RawServer, startRawServer, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  cluster,
  httpListener,
  listenerFilter,
  route,
  serverTls,
  tcpListener,
  tlsInspector,
} from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

type Json = Record<string, unknown>;

const anyPort = { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } };
async function withProxy(
  listeners: readonly Json[],
  run: (proxy: TestProxy, upstream: RawServer) => Promise<void>,
  more: Json = {},
): Promise<void> {
  const upstream = await startRawServer();
  const proxy = await TestProxy.start(bootstrap(listeners, [cluster("up", [upstream.port], more)]));
  try {
    await run(proxy, upstream);
  } finally {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  }
}

test("a listener serves on its additional addresses too, and one that does not bind is on none", () =>
  withProxy(
    [
      { ...tcpListener("two", "up"), additional_addresses: [anyPort] },
      { ...tcpListener("none", "up"), bind_to_port: false },
    ],
    async (proxy, upstream) => {
      const listeners = proxy.generation.listeners();
      const two = listeners.find(({ name }) => name === "two")?.addresses ?? [];
      assert.equal(two.length, 2);
      assert.notEqual(two[0]?.port, two[1]?.port);
      for (const { host, port } of two) {
        const client = await connectRaw(port, host);
        await client.send("hello");
        const peer = await upstream.next();
        assert.equal(await peer.until("hello"), "hello");
        client.socket.destroy();
      }
      assert.deepEqual(listeners.find(({ name }) => name === "none")?.addresses ?? [], []);
    },
  ));

test("a client that says nothing to be inspected is given up after listener_filters_timeout, or served where the listener goes on", () => {
  const inspected = { listener_filters: [listenerFilter(tlsInspector)], listener_filters_timeout: "0.05s" };
  return withProxy(
    [
      { ...tcpListener("gives-up", "up"), ...inspected },
      { ...tcpListener("goes-on", "up"), ...inspected, continue_on_listener_filters_timeout: true },
    ],
    async (proxy, upstream) => {
      const refused = await connectRaw(proxy.port("gives-up"));
      assert.equal(await refused.untilEnd(), "");
      assert.equal(upstream.connectionsAccepted, 0);
      const served = await connectRaw(proxy.port("goes-on"));
      const peer = await upstream.next();
      await peer.send("the server speaks first");
      assert.equal(await served.until("first"), "the server speaks first");
      refused.socket.destroy();
      served.socket.destroy();
    },
  );
});

test("a handshake that does not end within transport_socket_connect_timeout ends its connection", async () => {
  const ca = await ThrowawayCa.create();
  const material = { ...(await ca.issue("spiffe://cluster.local/ns/default/sa/up")), anchorsPem: ca.certificatePem };
  const listener = httpListener({ name: "tls", routes: [route("/", "up")], transportSocket: serverTls(material) });
  const [chain] = listener["filter_chains"] as [Json];
  await withProxy(
    [{ ...listener, filter_chains: [{ ...chain, transport_socket_connect_timeout: "0.05s" }] }],
    async (proxy) => {
      const client = await connectRaw(proxy.port("tls"));
      assert.equal(await client.untilEnd(), "");
      client.socket.destroy();
      await proxy.untilStat("listener.tls.downstream_cx_transport_socket_connect_timeout", 1);
    },
  );
});

test("a relay closes a connection on which nothing moves, and one that has lived its time", () =>
  withProxy(
    [
      tcpListener("idle", "up", [], { idle_timeout: "0.05s" }),
      tcpListener("old", "up", [], { max_downstream_connection_duration: "0.05s" }),
    ],
    async (proxy, upstream) => {
      for (const name of ["idle", "old"]) {
        const client = await connectRaw(proxy.port(name));
        const peer = await upstream.next();
        await Promise.all([client.untilEnd(), peer.untilEnd()]);
        client.socket.destroy();
      }
    },
  ));

test("an HTTP/1.0 request without a host goes to the host that the listener names for it", () =>
  withProxy(
    [
      httpListener({
        name: "old",
        routes: [route("/", "up")],
        manager: { http_protocol_options: { accept_http_10: true, default_host_for_http_10: "old.example" } },
      }),
    ],
    async (proxy, upstream) => {
      const client = await connectRaw(proxy.port("old"));
      await client.send("GET / HTTP/1.0\r\n\r\n");
      const peer = await upstream.next();
      assert.match(await peer.until("\r\n\r\n"), /\r\nhost: old\.example\r\n/);
      await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      assert.match((await client.response()).head, / 200 /);
      client.socket.destroy();
      await proxy.whenBalanced();
    },
  ));

test("an HTTP/1.0 request without a host is refused where the listener names none for it, and reaches no endpoint", () =>
  withProxy(
    [
      httpListener({
        name: "old",
        routes: [route("/", "up")],
        manager: { http_protocol_options: { accept_http_10: true } },
      }),
    ],
    async (proxy, upstream) => {
      const client = await connectRaw(proxy.port("old"));
      await client.send("GET / HTTP/1.0\r\n\r\n");
      assert.match(await client.untilEnd(), /^HTTP\/1\.0 400 /);
      client.socket.destroy();
      await proxy.whenBalanced();
      assert.equal(upstream.connectionsAccepted, 0);
    },
  ));

test("a client that stays after the last answer is cut off after delayed_close_timeout", () =>
  withProxy(
    [httpListener({ name: "web", routes: [route("/", "up")], manager: { delayed_close_timeout: "0.05s" } })],
    async (proxy) => {
      const client = await connectRaw(proxy.port("web"));
      await client.send("no request at all\r\n\r\n");
      assert.match(await client.untilEnd(), /^HTTP\/1\.1 400 /);
      // Until then what is written is read and thrown away; afterwards it is answered with a reset.
      while (client.error === undefined) {
        client.socket.write("x");
        await new Promise((resolve) => setImmediate(resolve));
      }
      assert.match(client.error.message, /ECONNRESET|EPIPE/);
      client.socket.destroy();
    },
  ));
