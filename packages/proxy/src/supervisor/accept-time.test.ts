import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:http2";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connectRaw } from "@heddle/testkit";
import { bootstrap, httpListener } from "../testing/bootstrap-json.ts";
import { adminGet, listenerPort, ProxyProcess, temporaryFolder } from "../testing/proxy-process.ts";

const direct = { match: { path: "/direct" }, direct_response: { status: 200, body: { inline_string: "direct" } } };

async function start(t: TestContext, acceptTimeS: number): Promise<ProxyProcess> {
  const config = join(await temporaryFolder(t), "envoy.json");
  await writeFile(config, JSON.stringify(bootstrap([httpListener({ name: "web", routes: [direct] })], [])));
  const proxy = new ProxyProcess(["-c", config, "--drain-time-s", "600", "--accept-time-s", String(acceptTimeS)], {
    patienceMs: 60_000,
  });
  t.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

test("a proxy that is told to end serves whoever does not know yet, and says that it ends", async (t) => {
  const proxy = await start(t, 600);
  const admin = await proxy.ready();
  const port = await listenerPort(admin, "web");
  proxy.kill("SIGTERM");
  const first = await connectRaw(port);
  for (let head = ""; !/\r\nconnection: close\r\n/.test(head); { head } = await first.response())
    await first.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  await first.untilEnd();
  assert.equal(await adminGet(admin, "/ready"), "DRAINING\n");
  const late = await connectRaw(port);
  await late.send("GET /direct HTTP/1.1\r\nhost: x\r\n\r\n");
  assert.match(await late.untilEnd(), /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n/);
  const session = connect(`http://127.0.0.1:${port}`);
  t.after(() => session.destroy());
  const stream = session.request({ ":path": "/direct" });
  const [[head]] = await Promise.all([once(stream, "response"), once(session, "goaway")]);
  assert.equal(head[":status"], 200);
});

test("a proxy that has told its end for long enough accepts nobody more, and ends when nothing is open", async (t) => {
  const proxy = await start(t, 1);
  await proxy.ready();
  proxy.kill("SIGTERM");
  await proxy.logged(/ending soon[^]*draining[^]*drained/);
  assert.equal(await proxy.exited(), 0);
});
