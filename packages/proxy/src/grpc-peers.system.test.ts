// gRPC's C core (Debian's python3-grpcio) on both sides of the proxy, which shares no code with @grpc/grpc-js or node:http2.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  http2Cluster,
  httpListener,
  route,
  serverTls,
} from "./testing/bootstrap-json.ts";
import { TestProxy } from "./testing/test-proxy.ts";

const script = join(import.meta.dirname, "testing", "grpc_peer.py");
const booksUri = "spiffe://cluster.local/ns/shop/sa/books";

let server: ChildProcess;
let inbound: TestProxy;
let outbound: TestProxy;

/** Debian's own interpreter, whatever other stands first on the PATH. */
function python(...args: string[]): ChildProcess {
  return spawn("/usr/bin/python3", [script, ...args], { stdio: ["pipe", "pipe", "inherit"] });
}

before(async () => {
  server = python("serve");
  const [line] = (await once(server.stdout!, "data")) as [Buffer];
  const ca = await ThrowawayCa.create();
  const anchorsPem = ca.certificatePem;
  const web = { ...(await ca.issue("spiffe://cluster.local/ns/shop/sa/web")), anchorsPem };
  const books = { ...(await ca.issue(booksUri)), anchorsPem };
  const routes = [route("/", "app")];
  inbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "plain", routes }),
        httpListener({ name: "secure", routes, transportSocket: serverTls(books, {}, ["h2"]) }),
      ],
      [cluster("app", [Number(line)], http2Cluster())],
    ),
  );
  const secured = { ...http2Cluster(), transport_socket: clientTls(web, booksUri) };
  outbound = await TestProxy.start(
    bootstrap([httpListener({ name: "web", routes })], [cluster("app", [inbound.port("secure")], secured)]),
  );
});

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  server?.stdin?.end();
  if (server !== undefined && server.exitCode === null) await once(server, "exit");
});

const ways: readonly (readonly [way: string, port: () => number])[] = [
  ["one proxy", () => inbound.port("plain")],
  ["two proxies with mutual TLS between them", () => outbound.port("web")],
];
for (const [way, port] of ways) {
  test(`gRPC's C core speaks through ${way}: unary, errors, streams, conversations and deadlines`, async () => {
    const client = python("call", `127.0.0.1:${port()}`);
    let words = "";
    client.stdout!.on("data", (chunk: Buffer) => (words += chunk.toString()));
    await once(client, "close");
    assert.doesNotMatch(words, /not ok/);
    assert.equal(client.exitCode, 0, words);
    assert.match(words, /ok: the end of its call at the server/);
    await outbound.whenBalanced();
    await inbound.whenBalanced();
  });
}
