import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { credentials, status } from "@grpc/grpc-js";
import { EventWaiter, ThrowawayCa } from "@heddle/testkit";
import {
  bootstrap,
  clientTls,
  cluster,
  http2Cluster,
  httpListener,
  route,
  serverTls,
  type TlsMaterial,
} from "../testing/bootstrap-json.ts";
import { GrpcApp, GrpcClient, grpcPath } from "../testing/grpc-app.ts";
import { TestProxy } from "../testing/test-proxy.ts";

// gRPC's own client and server (@grpc/grpc-js), with the proxy between them.

const webUri = "spiffe://cluster.local/ns/shop/sa/web";
const booksUri = "spiffe://cluster.local/ns/shop/sa/books";

let app: GrpcApp;
let outbound: TestProxy;
let inbound: TestProxy;
let web: TlsMaterial;

before(async () => {
  const ca = await ThrowawayCa.create();
  const anchorsPem = ca.certificatePem;
  web = { ...(await ca.issue(webUri)), anchorsPem };
  const books = { ...(await ca.issue(booksUri)), anchorsPem };
  app = await GrpcApp.start();
  const direct = { match: { path: grpcPath("Direct") }, direct_response: { status: 200 } };
  const routes = [direct, route("/", "app", { timeout: "0s" })];
  const listener = { per_connection_buffer_limit_bytes: 65_536 };
  inbound = await TestProxy.start(
    bootstrap(
      [
        httpListener({ name: "plain", routes, listener }),
        httpListener({
          name: "secure",
          direction: "INBOUND",
          routes,
          listener,
          transportSocket: serverTls(books, {}, ["h2", "http/1.1"]),
        }),
      ],
      [cluster("app", [app.port], http2Cluster())],
    ),
  );
  const secured = { ...http2Cluster(), transport_socket: clientTls(web, booksUri) };
  outbound = await TestProxy.start(
    bootstrap(
      [httpListener({ name: "web", direction: "OUTBOUND", routes, listener })],
      [cluster("app", [inbound.port("secure")], secured)],
    ),
  );
});

after(async () => {
  await outbound?.[Symbol.asyncDispose]();
  await inbound?.[Symbol.asyncDispose]();
  await app?.[Symbol.asyncDispose]();
});

const ways: readonly (readonly [way: string, connect: () => GrpcClient])[] = [
  ["one proxy in plaintext", () => new GrpcClient(`127.0.0.1:${inbound.port("plain")}`)],
  [
    "one proxy over mutual TLS",
    () => {
      const [roots, key, chain] = [web.anchorsPem, web.privateKeyPem, web.chainPem].map((text) => Buffer.from(text));
      // A SPIFFE certificate names no host.
      const options = { checkServerIdentity: () => undefined };
      return new GrpcClient(`127.0.0.1:${inbound.port("secure")}`, credentials.createSsl(roots, key, chain, options), {
        "grpc.ssl_target_name_override": "books.shop",
      });
    },
  ],
  ["two proxies with mutual TLS between them", () => new GrpcClient(`127.0.0.1:${outbound.port("web")}`)],
];

async function withClient(connect: () => GrpcClient, run: (client: GrpcClient) => Promise<void>): Promise<void> {
  const client = connect();
  try {
    await run(client);
    await outbound.whenBalanced();
    await inbound.whenBalanced();
  } finally {
    client.close();
  }
}

for (const [way, connect] of ways) {
  test(`a unary call crosses ${way} with metadata in both directions and its trailers`, () =>
    withClient(connect, async (client) => {
      const answer = await client.unary("Echo", "hello", { "x-caller": "test" });
      assert.deepEqual([answer.code, answer.details, answer.message.toString()], [status.OK, "OK", "hello"]);
      assert.deepEqual(answer.metadata.get("x-head"), ["of the application"]);
      assert.deepEqual(answer.trailers.get("x-trailer"), ["of the application"]);
      assert.deepEqual(app.last.get("x-caller"), ["test"]);
    }));

  test(`an error that is a trailers-only answer crosses ${way} with its code, message and trailers`, () =>
    withClient(connect, async (client) => {
      const answer = await client.unary("Fail", "", { "x-code": "FAILED_PRECONDITION" });
      assert.deepEqual([answer.code, answer.details], [status.FAILED_PRECONDITION, "not today: 100 %, ä"]);
      assert.deepEqual(answer.trailers.get("x-trailer"), ["of the application"]);
    }));

  test(`an error after a message crosses ${way} in the trailers`, () =>
    withClient(connect, async (client) => {
      const call = client.list("FailLate", "", { "x-code": "DATA_LOSS" });
      const messages: string[] = [];
      call.on("data", (message: Buffer) => messages.push(message.toString()));
      const [error] = (await once(call, "error")) as [{ code: number; details: string }];
      assert.deepEqual([messages, error.code, error.details], [["first"], status.DATA_LOSS, "no second"]);
    }));

  test(`messages of four megabytes in both directions cross ${way}`, () =>
    withClient(connect, async (client) => {
      const large = "large message ".repeat(300_000);
      const answer = await client.unary("Echo", large);
      assert.ok(answer.message.equals(Buffer.from(large)));
    }));

  test(`a conversation crosses ${way} message by message`, () =>
    withClient(connect, async (client) => {
      const call = client.chat("Chat");
      const events = new EventWaiter();
      const answers: string[] = [];
      call.on("data", (message: Buffer) => {
        answers.push(message.toString());
        events.notify();
      });
      for (let i = 1; i <= 20; i++) {
        call.write(Buffer.from(`question ${i}`));
        await events.until(`answer ${i}`, () => answers.length === i);
      }
      call.end();
      const [end] = (await once(call, "status")) as [{ code: number }];
      assert.equal(end.code, status.OK);
      assert.deepEqual([answers[0], answers[19]], ["re: question 1", "re: question 20"]);
    }));

  test(`a server whose client does not read waits, through ${way}, and every message arrives when it does`, () =>
    withClient(connect, async (client) => {
      const [count, size] = [320, 65_536];
      app.messages = 0;
      const call = client.list("List", `${count}x${size}`);
      call.pause();
      await stalled(connect, () => app.messages);
      assert.ok(app.messages < count * 0.9, `${app.messages} of ${count} messages were written to nobody`);
      let received = 0;
      call.on("data", (message: Buffer) => (received += message.length));
      call.resume();
      await once(call, "end");
      assert.equal(received, count * size);
    }));

  test(`a client whose server does not read waits, through ${way}, and every message arrives when it does`, () =>
    withClient(connect, async (client) => {
      const [count, size] = [320, 65_536];
      let written = 0;
      const answer = new Promise<string>((resolve, reject) => {
        const call = client.send("SumLater", (error, value) =>
          error === null ? resolve(String(value)) : reject(error),
        );
        const message = Buffer.alloc(size, "m");
        const write = (left: number): void => {
          for (; left > 0; left--) {
            written += 1;
            if (call.write(message)) continue;
            call.once("drain", () => write(left - 1));
            return;
          }
          call.end();
        };
        write(count);
      });
      await app.events.until("the call", () => app.calls.at(-1)?.method === "SumLater");
      await stalled(connect, () => written);
      assert.ok(written < count * 0.9, `${written} of ${count} messages were written to nobody`);
      app.readNow();
      assert.equal(await answer, String(count * size));
    }));

  test(`a client that cancels ends the call at the application, through ${way}`, () =>
    withClient(connect, async (client) => {
      const [calls, cancelled] = [app.count("Hang"), app.cancelled];
      const call = client.chat("Hang");
      call.on("error", () => {});
      call.write(Buffer.from("x"));
      await app.events.until("the call", () => app.count("Hang") > calls);
      call.cancel();
      await app.events.until("the cancellation", () => app.cancelled > cancelled);
    }));

  test(`a deadline that passes ends the call at the client and at the application, through ${way}`, () =>
    withClient(connect, async (client) => {
      const [calls, cancelled] = [app.count("Hang"), app.cancelled];
      // One that passes before the application has the call says nothing of it.
      for (let timeoutMs = 200; app.count("Hang") === calls; timeoutMs *= 2) {
        const call = client.chat("Hang", {}, timeoutMs);
        call.write(Buffer.from("x"));
        const [error] = (await once(call, "error")) as [{ code: number }];
        assert.equal(error.code, status.DEADLINE_EXCEEDED);
      }
      // The application knew the deadline and ends the call by itself, or hears of it.
      await app.events.until("the end at the application", () => app.cancelled > cancelled);
    }));
}

/** Resolves when the proxy has answered many calls of another connection during which a count did not change. */
async function stalled(connect: () => GrpcClient, count: () => number): Promise<void> {
  const client = connect();
  for (let before = -1, turns = 0; turns < 20; turns += 1) {
    await client.unary("Direct", "x");
    if (count() !== before) turns = 0;
    before = count();
  }
  client.close();
}
