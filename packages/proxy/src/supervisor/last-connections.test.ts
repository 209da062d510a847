import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { connectRaw } from "@heddle/testkit";
import { bootstrap, httpListener } from "../testing/bootstrap-json.ts";
import { childrenOf, listenerPort, ProxyProcess, temporaryFolder } from "../testing/proxy-process.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };

const skip = process.platform !== "linux" && "needs a socket filter";
test("connections that wait to be accepted when the proxy is told to end are served, not reset", {
  skip,
}, async (t) => {
  const config = join(await temporaryFolder(t), "envoy.json");
  await writeFile(config, JSON.stringify(bootstrap([httpListener({ name: "web", routes: [direct] })], [])));
  const proxy = new ProxyProcess(["-c", config]);
  t.after(() => proxy[Symbol.asyncDispose]());
  const port = await listenerPort(await proxy.ready(), "web");
  const [generation] = await childrenOf(proxy.process.pid!);
  // While it stands still the kernel goes on taking connections for it.
  process.kill(generation!, "SIGSTOP");
  const clients = await Promise.all(Array.from({ length: 50 }, () => connectRaw(port)));
  t.after(() => clients.forEach(({ socket }) => socket.destroy()));
  proxy.kill("SIGTERM");
  await Promise.all(clients.map((client) => client.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n")));
  process.kill(generation!, "SIGCONT");
  for (const client of clients) {
    const { head, body } = await client.response();
    // Whoever is answered before the worker has heard that it drains is told at a later answer, or by the end of the connection.
    assert.match(head, /^HTTP\/1\.1 200 /);
    assert.equal(body, "direct");
  }
  assert.equal(await proxy.exited(), 0);
});
