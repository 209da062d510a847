import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { connectRaw, type RawPeer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

const skip = process.platform === "linux" ? false : "connections are looked up in Linux's /proc/net/tcp";
const timeSeconds = 600;

/** Seconds until the kernel's keep-alive timer of the connection to this peer fires; undefined when none runs (proc(5)). */
function keepaliveTimer({ socket }: RawPeer): number | undefined {
  const hex = (port: number | undefined): string => (port ?? 0).toString(16).toUpperCase().padStart(4, "0");
  for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n")) {
    const [, local, remote, , , timer] = line.trim().split(/\s+/);
    if (local?.endsWith(`:${hex(socket.remotePort)}`) !== true || !remote?.endsWith(`:${hex(socket.localPort)}`))
      continue;
    const [kind, jiffies] = timer?.split(":") ?? [];
    return kind === "02" ? Number.parseInt(jiffies ?? "", 16) / 100 : undefined;
  }
  return undefined;
}

test("connections to a cluster with tcp_keepalive are probed when idle, those to others are not", {
  skip,
}, async () => {
  const upstream = await startRawServer();
  const keepalive = { upstream_connection_options: { tcp_keepalive: { keepalive_time: timeSeconds } } };
  const proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes: [route("/plain", "plain"), route("/", "probed")] }),
        tcpListener("tcp", "probed"),
      ],
      [cluster("probed", [upstream.port], keepalive), cluster("plain", [upstream.port])],
    ),
  );
  try {
    for (const [listener, path, isProbed] of [
      ["web", "/", true],
      ["web", "/plain", false],
      ["tcp", "/", true],
    ] as const) {
      const client = await connectRaw(proxy.port(listener));
      await client.send(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      const peer = await upstream.next();
      await peer.until("\r\n\r\n");
      await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      // With its answer everything that was sent is acknowledged: another timer would hide this one.
      await client.until("ok");
      const timer = keepaliveTimer(peer);
      assert.equal(
        timer !== undefined && timer > timeSeconds / 2 && timer <= timeSeconds,
        isProbed,
        `${listener} ${path}`,
      );
      client.socket.destroy();
      peer.socket.destroy();
    }
  } finally {
    await proxy[Symbol.asyncDispose]();
    await upstream[Symbol.asyncDispose]();
  }
});
