import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectRaw, type RawServer, startRawServer } from "@heddle/testkit";
import { bootstrap, cluster, httpListener, route } from "../testing/bootstrap-json.ts";
import { untilLogged } from "../testing/log-file.ts";
import { accessLog } from "../testing/mesh-json.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// In HTTP/1.1 the end of what a client sends is the end of its connection, as in Envoy (envoyproxy/envoy#2066; seen of 1.40: flag DC, and the client reads
// the end at once). An upstream is not kept at work for somebody who is most likely gone.

let folder: string;
let upstream: RawServer;
let proxy: TestProxy;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "heddle-half-close-"));
  upstream = await startRawServer();
  const log = accessLog(
    join(folder, "access.log"),
    "%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%",
  );
  proxy = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "web", routes: [route("/", "up")], manager: log })],
      [cluster("up", [upstream.port])],
    ),
  );
});

after(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await upstream?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

for (const [what, path, request] of [
  ["a request", "/plain", "GET /plain HTTP/1.1\r\nhost: x\r\n\r\n"],
  ["its last request", "/last", "GET /last HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"],
  ["a request with a body", "/body", "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nbody"],
  ["half of a body", "/half", "POST /half HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nhalf"],
] as const) {
  test(`a client that closes its half behind ${what} has given it up: the upstream is told, and there is no answer`, async () => {
    const client = await connectRaw(proxy.port("web"));
    await client.send(request);
    const peer = await upstream.next();
    await peer.until(request.slice(-4));
    client.end();
    await peer.untilEnd();
    assert.equal(await client.untilEnd(), "");
    await untilLogged(join(folder, "access.log"), `${path} 0 DC downstream_remote_disconnect`);
    await proxy.whenBalanced();
  });
}

test("a client that closes its half behind its answer is closed in order", async () => {
  const client = await connectRaw(proxy.port("web"));
  await client.send("GET /answered HTTP/1.1\r\nhost: x\r\n\r\n");
  const peer = await upstream.next();
  await peer.until("\r\n\r\n");
  await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  assert.equal((await client.response()).body, "ok");
  client.end();
  assert.equal(await client.untilEnd(), "");
  await untilLogged(join(folder, "access.log"), "/answered 200 - via_upstream");
  await proxy.whenBalanced();
});
