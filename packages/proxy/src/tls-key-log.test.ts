import assert from "node:assert/strict";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connect, createServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { ThrowawayCa } from "@heddle/testkit";
import { bootstrap, clientTls, cluster, httpListener, route, serverTls } from "./testing/bootstrap-json.ts";
import { listenerPort, ProxyProcess } from "./testing/proxy-process.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-keys-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const web = "spiffe://cluster.local/ns/default/sa/web";
const books = "spiffe://cluster.local/ns/default/sa/books";

test("secrets of both sides' handshakes are written only when the flag is given, for the owner alone, with a loud warning", async (t) => {
  const folder = folderOf(t);
  const ca = await ThrowawayCa.create();
  const [mine, theirs] = [await ca.issue(web), await ca.issue(books)];
  const application = createServer(
    { cert: theirs.chainPem, key: theirs.privateKeyPem, ca: ca.certificatePem, requestCert: true },
    (socket) => {
      socket.on("error", () => socket.destroy());
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"));
    },
  );
  // The other side of each connection logs what it knows: it must be the same.
  const known = { client: "", application: "" };
  application.on("keylog", (line: Buffer) => (known.application += line.toString()));
  application.listen(0, "127.0.0.1");
  await once(application, "listening");
  t.after(() => application.close());
  const material = { chainPem: mine.chainPem, privateKeyPem: mine.privateKeyPem, anchorsPem: ca.certificatePem };
  const port = (application.address() as AddressInfo).port;
  const json = bootstrap(
    [httpListener({ name: "web", routes: [route("/", "app")], transportSocket: serverTls(material) })],
    [cluster("app", [port], { transport_socket: clientTls(material, books) })],
  );
  const config = join(folder, "bootstrap.json");
  writeFileSync(config, JSON.stringify(json));
  for (const isAsked of [false, true]) {
    const keys = join(folder, "keys.log");
    // One that others may read is closed to them.
    if (isAsked) writeFileSync(keys, "# mine\n", { mode: 0o644 });
    if (isAsked) chmodSync(keys, 0o644);
    const flags = isAsked ? ["--tls-key-log", keys] : [];
    const proxy = new ProxyProcess(["-c", config, ...flags]);
    t.after(() => proxy[Symbol.asyncDispose]());
    const admin = await proxy.ready();
    [known.client, known.application] = ["", ""];
    const client = connect({
      port: await listenerPort(admin, "web"),
      host: "127.0.0.1",
      cert: mine.chainPem,
      key: mine.privateKeyPem,
      rejectUnauthorized: false,
    });
    client.on("keylog", (line: Buffer) => (known.client += line.toString()));
    client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    const [answer] = (await once(client, "data")) as [Buffer];
    assert.match(answer.toString(), /hi$/);
    client.destroy();
    if (!isAsked) {
      assert.equal(existsSync(keys), false);
      assert.doesNotMatch(proxy.log, /secret/i);
      continue;
    }
    const written = readFileSync(keys, "utf8");
    assert.match(written, /^# mine\n/);
    const secrets = (text: string) => text.split("\n").filter((line) => line.includes("TRAFFIC_SECRET_0"));
    assert.equal(secrets(known.client).length, 2);
    assert.equal(secrets(known.application).length, 2);
    for (const line of [...secrets(known.client), ...secrets(known.application)]) assert.ok(written.includes(line));
    assert.equal(statSync(keys).mode & 0o777, 0o600);
    assert.match(proxy.log, /WARNING: the secrets of every TLS session are written to .*keys\.log/);
    assert.match(proxy.log, /TLS secrets are written to a file/);
  }
});

test("a key log that cannot be written, or is a link to somewhere else, stops the start", async (t) => {
  const folder = folderOf(t);
  symlinkSync(join(folder, "elsewhere"), join(folder, "link"));
  for (const file of [join(folder, "no", "such", "folder"), join(folder, "link")]) {
    const proxy = new ProxyProcess(["--config-yaml", "{}", "--tls-key-log", file]);
    t.after(() => proxy[Symbol.asyncDispose]());
    assert.equal(await proxy.exited(), 1);
    assert.match(proxy.log, /--tls-key-log: E(NOENT|LOOP)/);
  }
  assert.equal(existsSync(join(folder, "elsewhere")), false);
});
