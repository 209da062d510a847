import assert from "node:assert/strict";
import { test } from "node:test";
import { connectRaw, startRawServer } from "@heddle/testkit";
import {
  bootstrap,
  httpListener,
  listenerFilter,
  proxyProtocol,
  route,
  tcpListener,
} from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

test("bytes and requests go where their connection was meant to go, or where the header says, and to no circle", async (t) => {
  const upstream = await startRawServer();
  const pass = (name: string, own: object = {}) => ({
    name,
    type: "ORIGINAL_DST",
    lb_policy: "CLUSTER_PROVIDED",
    connect_timeout: "5s",
    cleanup_interval: "1s",
    ...own,
  });
  const told = { listener_filters: [listenerFilter(proxyProtocol, { allow_requests_without_proxy_protocol: true })] };
  const proxy = await TestProxy.start(
    bootstrap(
      [
        { ...tcpListener("bytes", "pass"), ...told },
        httpListener({ name: "web", routes: [route("/", "by-header")], listener: told }),
      ],
      [pass("pass"), pass("by-header", { original_dst_lb_config: { use_http_header: true } })],
    ),
  );
  t.after(async () => {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  });
  const header = `PROXY TCP4 192.0.2.7 127.0.0.1 1234 ${upstream.port}\r\n`;
  const bytes = await connectRaw(proxy.port("bytes"));
  await bytes.send(`${header}hello`);
  const served = await upstream.next();
  await served.until("hello");
  await served.send("there");
  await bytes.until("there");
  assert.match(await proxy.admin("/clusters"), new RegExp(`pass::127\\.0\\.0\\.1:${upstream.port}::cx_active::1\n`));
  bytes.socket.destroy();
  served.socket.destroy();

  const get = (fields: string) => `GET / HTTP/1.1\r\nhost: x\r\n${fields}\r\n`;
  for (const [first, request] of [
    [header, get("")],
    ["", get(`x-envoy-original-dst-host: 127.0.0.1:${upstream.port}\r\n`)],
  ] as const) {
    const client = await connectRaw(proxy.port("web"));
    await client.send(first + request);
    const peer = await upstream.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
    await client.until("ok");
    client.socket.destroy();
    peer.socket.destroy();
  }
  const lost = await connectRaw(proxy.port("web"));
  await lost.send(get(""));
  await lost.until("503 Service Unavailable");
  lost.socket.destroy();
  const giveUpAt = performance.now() + 15_000;
  while (/::127\.0\.0\.1:/.test(await proxy.admin("/clusters")))
    assert.ok(performance.now() < giveUpAt, "not forgotten");
});
