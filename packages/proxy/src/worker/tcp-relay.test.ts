import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import { untilLogged } from "../testing/log-file.ts";
import { bootstrap, cluster, fileLog, networkRbac, tcpListener } from "../testing/bootstrap-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

let proxy: TestProxy;
let upstream: RawServer;
let folder: string;

before(async () => {
  upstream = await startRawServer();
  folder = await mkdtemp(join(tmpdir(), "heddle-relay-"));
  const deny = networkRbac("DENY", { any: true });
  const flagged = (name: string) => fileLog(join(folder, `${name}.log`), "%RESPONSE_FLAGS%");
  proxy = await TestProxy.start(
    bootstrap(
      [
        tcpListener("open", "up"),
        {
          ...tcpListener(
            "logged",
            "up",
            [],
            fileLog(
              join(folder, "relay.log"),
              "%BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %RESPONSE_FLAGS%",
            ),
          ),
          ...fileLog(join(folder, "listener.log"), "%BYTES_RECEIVED% %BYTES_SENT% %CONNECTION_TERMINATION_DETAILS%"),
        },
        tcpListener("denied", "up", [deny]),
        tcpListener("dead", "dead", [], flagged("dead")),
        tcpListener("missing", "nowhere", [], flagged("missing")),
        tcpListener("empty", "empty", [], flagged("empty")),
        tcpListener("counted", "up", [], { idle_timeout: "0.2s" }),
        tcpListener("aged", "up", [], {
          max_downstream_connection_duration: "0.05s",
          ...fileLog(join(folder, "aged.log"), "%RESPONSE_FLAGS% %CONNECTION_TERMINATION_DETAILS%"),
        }),
      ],
      [cluster("up", [upstream.port]), cluster("dead", [1]), cluster("empty", [])],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("bytes go both ways, and each side's end by itself", async () => {
  const client = await connectRaw(proxy.port("open"));
  await client.send("ping");
  const peer = await upstream.next();
  assert.equal(await peer.until("ping"), "ping");
  client.end();
  assert.equal(await peer.untilEnd(), "");
  await peer.send("answer after the end");
  assert.equal(await client.until("answer after the end"), "answer after the end");
  peer.end();
  assert.equal(await client.untilEnd(), "");
  client.socket.destroy();
});

test("a connection is logged by its listener and by its relay when it ends", async () => {
  const client = await connectRaw(proxy.port("logged"));
  await client.send("12345");
  const peer = await upstream.next();
  await peer.until("12345");
  await peer.send("ok");
  await client.until("ok");
  client.end();
  peer.end();
  await client.untilEnd();
  client.socket.destroy();
  await untilLogged(join(folder, "relay.log"), `5 2 up 127.0.0.1:${upstream.port} -`);
  await untilLogged(join(folder, "listener.log"), "5 2 -");
});

test("a reset of one side is a reset for the other", async () => {
  const client = await connectRaw(proxy.port("open"));
  await client.send("x");
  const peer = await upstream.next();
  await peer.until("x");
  client.reset();
  await peer.untilEnd();
  assert.match(peer.error?.message ?? "", /ECONNRESET/);
  const second = await connectRaw(proxy.port("open"));
  await second.send("y");
  const other = await upstream.next();
  await other.until("y");
  other.reset();
  await second.untilEnd();
  assert.match(second.error?.message ?? "", /ECONNRESET/);
});

test("a megabyte crosses in each direction whole", async () => {
  const client = await connectRaw(proxy.port("open"));
  const bytes = Buffer.alloc(1_000_000, "0123456789");
  await client.send("!");
  const peer = await upstream.next();
  await peer.until("!");
  const [there, back] = await Promise.all([
    peer.bytes(bytes.length),
    client.bytes(bytes.length),
    client.send(bytes),
    peer.send(bytes),
  ]);
  assert.equal(there, bytes.toString("latin1"));
  assert.equal(back, bytes.toString("latin1"));
  client.socket.destroy();
  peer.socket.destroy();
});

test("what a client has sent arrives whole, though both sides have ended and the server reads late", async () => {
  const client = await connectRaw(proxy.port("open"));
  await client.send("!");
  const peer = await upstream.next();
  await peer.until("!");
  peer.end();
  await client.untilEnd();
  peer.socket.pause();
  const bytes = Buffer.alloc(8_000_000, "0123456789");
  client.socket.end(bytes);
  await once(client.socket, "close");
  peer.socket.resume();
  const got = await peer.untilEnd();
  assert.equal(got.length, bytes.length);
  await proxy.untilStat("tcp.open.upstream_flush_active", 0);
  peer.socket.destroy();
});

test("what a server has sent arrives whole, though it has closed and the client reads slowly", async () => {
  const client = await connectRaw(proxy.port("open"));
  await client.send("!");
  const peer = await upstream.next();
  await peer.until("!");
  client.socket.removeAllListeners("data").pause();
  const bytes = Buffer.alloc(4_000_000, "0123456789");
  peer.socket.end(bytes);
  // Reads so slowly that the end takes longer than a connection may linger.
  let got = 0;
  while (got < bytes.length && !client.socket.readableEnded) {
    got += (client.socket.read(Math.min(30_000, bytes.length - got)) as Buffer | null)?.length ?? 0;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(got, bytes.length);
  client.socket.destroy();
});

test("statistics tell how connections fared while they last", async () => {
  const client = await connectRaw(proxy.port("counted"));
  await client.send("12345");
  const peer = await upstream.next();
  await peer.until("12345");
  await peer.send("ok");
  await client.until("ok");
  await proxy.untilStat("tcp.counted.downstream_cx_rx_bytes_total", 5);
  await proxy.untilStat("tcp.counted.downstream_cx_tx_bytes_total", 2);
  await Promise.all([client.untilEnd(), peer.untilEnd()]);
  await proxy.untilStat("tcp.counted.idle_timeout", 1);
  client.socket.destroy();
  const old = await connectRaw(proxy.port("aged"));
  await old.untilEnd();
  await proxy.untilStat("tcp.aged.max_downstream_connection_duration", 1);
  old.socket.destroy();
  (await upstream.next()).socket.destroy();
});

for (const [listener, flags] of [
  ["dead", "UF,URX"],
  ["missing", "NC"],
  ["empty", "UH"],
  ["aged", "DT duration_timeout"],
] as const) {
  test(`the log says of a connection to the listener "${listener}" that it ended with ${flags}`, async () => {
    const client = await connectRaw(proxy.port(listener));
    await client.untilEnd();
    client.socket.destroy();
    await untilLogged(join(folder, `${listener}.log`), `${flags}\n`);
  });
}

test("only a cluster that is missing counts as no route", async () => {
  await proxy.untilStat("tcp.missing.downstream_cx_no_route", 1);
  await proxy.untilStat("tcp.dead.downstream_cx_no_route", 0);
});

for (const listener of ["denied", "dead", "missing"]) {
  test(`a connection to the listener "${listener}" is closed and nothing of it is forwarded`, async () => {
    const before = upstream.connectionsAccepted;
    const client = await connectRaw(proxy.port(listener));
    await client.send("x");
    assert.equal(await client.untilEnd(), "");
    assert.equal(upstream.connectionsAccepted, before);
    client.socket.destroy();
  });
}
