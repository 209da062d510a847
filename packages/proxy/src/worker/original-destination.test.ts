// A PROXY protocol header restores a destination as a redirection does, and needs no privilege.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { connectRaw } from "@heddle/testkit";
import { bootstrap, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const proxyProtocol = {
  name: "proxy_protocol",
  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol" },
};
const passthrough = { name: "through", type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED", connect_timeout: "1s" };
const source = (address: string) => ({ address, port_value: 0 });

/** Tells each client who it is. */
async function startMirror(t: TestContext, host: string): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", () => socket.end(`HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nyou are ${socket.remoteAddress}`));
  }).listen(0, host);
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

async function start(t: TestContext, cluster: Readonly<Record<string, unknown>>): Promise<TestProxy> {
  const listener_filters = [proxyProtocol];
  const proxy = await TestProxy.start(
    bootstrap(
      [
        { ...tcpListener("tcp", "through"), listener_filters },
        { ...httpListener({ name: "http", routes: [route("/", "through")] }), listener_filters },
        tcpListener("direct", "through"),
      ],
      [cluster],
    ),
  );
  t.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function ask(t: TestContext, port: number, header: string): Promise<string> {
  const client = await connectRaw(port);
  t.after(() => client.socket.destroy());
  await client.send(`${header}GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
  return client.untilEnd();
}

test("a connection goes where it was meant to go, from the address that upstream_bind_config names", async (t) => {
  const [v4, v6] = [await startMirror(t, "127.0.0.1"), await startMirror(t, "::1")];
  const to4 = `PROXY TCP4 192.0.2.1 127.0.0.1 40000 ${v4}\r\n`;
  const to6 = `PROXY TCP6 2001:db8::1 ::1 40000 ${v6}\r\n`;
  const bound = await start(t, { ...passthrough, upstream_bind_config: { source_address: source("127.0.0.6") } });
  for (const listener of ["tcp", "http"]) {
    assert.match(await ask(t, bound.port(listener), to4), /you are 127\.0\.0\.6\b/, listener);
    // The family without a source of its own is left to the system.
    assert.match(await ask(t, bound.port(listener), to6), /you are ::1\b/, listener);
  }
  const extra_source_addresses = [{ address: source("127.0.0.7") }];
  const both = await start(t, {
    ...passthrough,
    upstream_bind_config: { source_address: source("::1"), extra_source_addresses },
  });
  assert.match(await ask(t, both.port("tcp"), to4), /you are 127\.0\.0\.7$/);
  assert.match(await ask(t, both.port("tcp"), to6), /you are ::1$/);
});

test("a connection that nobody redirected has no destination but the proxy itself, and is closed", async (t) => {
  const proxy = await start(t, passthrough);
  assert.equal(await ask(t, proxy.port("direct"), ""), "");
});
