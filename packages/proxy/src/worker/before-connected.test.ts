import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectRaw, type RawServer, startRawServer, ThrowawayCa } from "@heddle/testkit";
import { bootstrap, clientTls, cluster, httpListener, route, tcpListener } from "../testing/bootstrap-json.ts";
import { LateTlsServer } from "../testing/late-tls-server.ts";
import { TestProxy } from "../testing/test-proxy.ts";

/** What a client sends while the connection to the endpoint is still being made, and that connection then fails. */
const identity = "spiffe://cluster.local/ns/default/sa/books";
let ca: ThrowawayCa;
let other: RawServer;

before(async () => {
  ca = await ThrowawayCa.create();
  other = await startRawServer();
});

after(async () => {
  await other?.[Symbol.asyncDispose]();
});

async function withProxy(run: (proxy: TestProxy, books: LateTlsServer) => Promise<void>): Promise<void> {
  const web = { ...(await ca.issue("spiffe://cluster.local/ns/default/sa/web")), anchorsPem: ca.certificatePem };
  const books = await LateTlsServer.start(await ca.issue(identity));
  const retry = { retry_policy: { retry_on: "connect-failure", num_retries: 2 } };
  const proxy = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "web", routes: [route("/other", "other"), route("/", "books", retry)] }),
        tcpListener("tcp", "books", [], { max_connect_attempts: 2 }),
      ],
      [cluster("books", [books.port], { transport_socket: clientTls(web, identity) }), cluster("other", [other.port])],
    ),
  );
  try {
    await run(proxy, books);
  } finally {
    await books[Symbol.asyncDispose]();
    await proxy[Symbol.asyncDispose]();
  }
}

/** Two answers to another client: meanwhile the worker has read what was sent before. */
async function untilWorkerHasRead(proxy: TestProxy): Promise<void> {
  const bystander = await connectRaw(proxy.port("web"));
  for (let count = 0; count < 2; count += 1) {
    await bystander.send("GET /other HTTP/1.1\r\nhost: x\r\n\r\n");
    const peer = await other.next();
    await peer.until("\r\n\r\n");
    await peer.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
    await bystander.response();
  }
  bystander.socket.destroy();
}

test(
  "a body of any length is sent whole to another endpoint while no byte of the request was written",
  { timeout: 60_000 },
  () =>
    withProxy(async (proxy, books) => {
      const body = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff));
      const client = await connectRaw(proxy.port("web"));
      await client.send(`POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`);
      const first = await books.connection(0);
      await client.send(body);
      await untilWorkerHasRead(proxy);
      first.resetAndDestroy();
      const peer = await books.serve(1);
      await peer.until("\r\n\r\n");
      assert.ok((await peer.bytes(body.length)) === body.toString("latin1"));
      await peer.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      assert.equal((await client.response()).body, "ok");
      client.socket.destroy();
      await proxy.whenBalanced();
    }),
);

test(
  "a half of a byte stream that ends before its endpoint is there ends at the endpoint that serves it",
  { timeout: 60_000 },
  () =>
    withProxy(async (proxy, books) => {
      const client = await connectRaw(proxy.port("tcp"));
      client.end();
      const first = await books.connection(0);
      await untilWorkerHasRead(proxy);
      first.resetAndDestroy();
      const peer = await books.serve(1);
      assert.equal(await peer.untilEnd(), "");
      await peer.send("answer after the end");
      peer.end();
      assert.equal(await client.untilEnd(), "answer after the end");
      client.socket.destroy();
    }),
);
