import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
        tcpListener("dead", "dead"),
        tcpListener("missing", "nowhere"),
      ],
      [cluster("up", [upstream.port]), cluster("dead", [1])],
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
