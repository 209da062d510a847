import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// Who does not read stops whoever writes to it: what is on its way fills the kernel's buffers and a bounded part of the proxy's.

/** More than the kernel holds on three loopback sockets, far less than a process has. */
const bytes = 96 * 1024 * 1024;
const content = Buffer.alloc(bytes, "0123456789abcdef");

let upstream: RawServer;
let proxy: TestProxy;

before(async () => {
  upstream = await startRawServer();
  const routes = [
    { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } },
    { match: { path: "/long" }, direct_response: { status: 200, body: { inline_string: "x".repeat(4000) } } },
    route("/", "up", { timeout: "0s" }),
  ];
  const listener = { per_connection_buffer_limit_bytes: 65_536 };
  proxy = await TestProxy.start(
    bootstrap([httpListener({ name: "web", routes, listener })], [cluster("up", [upstream.port])]),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
});

/** The same worker answers a request of another client. */
async function answersAnother(): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${proxy.port("web")}/direct`);
  await response.text();
}

/** Resolves when the same worker has answered many requests during which nothing more left `socket`, with what is still in it. */
async function stalled(socket: Socket): Promise<number> {
  for (let before = -1, turns = 0; turns < 50; turns += 1) {
    await answersAnother();
    if (socket.writableLength !== before) turns = 0;
    before = socket.writableLength;
    if (before === 0) return 0;
  }
  return socket.writableLength;
}

/** Waits until it is counted that one side had to wait, and that it went on: what clusters count is published a moment later. */
async function untilCounted(side: "http_downstream" | "cluster_upstream"): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  for (const what of ["paused", "resumed"]) {
    const name = `envoy_${side}_flow_control_${what}_reading_total`;
    while (proxy.generation.metrics.total(name) === 0) {
      assert.ok(performance.now() < giveUpAt, `${name} is 0`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

test("an upstream waits for a client that does not read, and the client gets everything when it does", async () => {
  const client = await connectRaw(proxy.port("web"));
  client.socket.pause();
  await client.send("GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  peer.socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${bytes}\r\n\r\n`);
  peer.socket.write(content);
  assert.ok((await stalled(peer.socket)) > bytes / 4, "most of it is still with the upstream");
  let received = 0;
  client.socket.removeAllListeners("data").on("data", (chunk: Buffer) => (received += chunk.length));
  client.socket.resume();
  peer.end();
  await once(client.socket, "end");
  assert.ok(received > bytes, "the head and every byte of the body");
  await untilCounted("cluster_upstream");
  client.socket.destroy();
});

test("a client waits for an upstream that does not read, and the upstream gets everything when it does", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send(`POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\n\r\n`);
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  peer.socket.pause();
  client.socket.write(content);
  assert.ok((await stalled(client.socket)) > bytes / 4, "most of it is still with the client");
  let received = 0;
  const whole = new Promise<void>((resolve) => {
    peer.socket.removeAllListeners("data").on("data", (chunk: Buffer) => {
      received += chunk.length;
      if (received === bytes) resolve();
    });
  });
  peer.socket.resume();
  await whole;
  await peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
  assert.equal((await client.response()).body, "ok");
  await untilCounted("http_downstream");
  client.socket.destroy();
});

test("pipelined requests wait for a client that does not read their answers, and are all answered when it does", async () => {
  const requests = 5000;
  const client = await connectRaw(proxy.port("web"));
  client.socket.pause();
  await client.send("GET /long HTTP/1.1\r\nhost: x\r\n\r\n".repeat(requests - 1));
  await client.send("GET /long HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  for (let turns = 0; turns < 50; turns += 1) await answersAnother();
  const answered = Number(/^http\.web\.downstream_rq_2xx: (\d+)$/m.exec(await proxy.admin("/stats"))?.[1]);
  assert.ok(answered < requests, `${answered} requests were answered`);
  const received: Buffer[] = [];
  client.socket.removeAllListeners("data").on("data", (chunk: Buffer) => received.push(chunk));
  client.socket.resume();
  await once(client.socket, "end");
  assert.equal(Buffer.concat(received).toString().split("HTTP/1.1 200 OK").length - 1, requests);
  client.socket.destroy();
});
