import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { EdgeClient } from "./edge-client.ts";
import { LineLog } from "./line-log.ts";
import { Load, sendMany } from "./load.ts";

async function clientOf(context: TestContext, listener: RequestListener): Promise<EdgeClient> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = new EdgeClient(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  context.after(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  return client;
}

test("so many requests are sent, at most so many at once", async (context) => {
  let open = 0;
  let most = 0;
  const client = await clientOf(context, (_request, response) => {
    open += 1;
    most = Math.max(most, open);
    setImmediate(() => {
      open -= 1;
      response.end("ok");
    });
  });
  const outcomes = await sendMany(client, 50, 4, () => ({ path: "/x" }));
  assert.equal(outcomes.length, 50);
  assert.ok(outcomes.every(({ status, body, error }) => status === 200 && body === "ok" && error === ""));
  assert.ok(most <= 4);
});

test("what goes wrong is an outcome: no response, half a response, a server's error", async (context) => {
  const client = await clientOf(context, (request, response) => {
    if (request.url === "/none") request.socket.destroy();
    else if (request.url === "/half") {
      response.writeHead(200, { "content-length": 10 });
      response.write("half", () => request.socket.destroy());
    } else response.writeHead(503).end("no");
  });
  const none = await client.send("/none");
  assert.deepEqual([none.status, none.error !== ""], [0, true]);
  const half = await client.send("/half");
  assert.deepEqual([half.status, half.error !== ""], [200, true]);
  const error = await client.send("/error", { method: "POST", body: "x" });
  assert.deepEqual([error.status, error.body, error.error, error.method], [503, "no", "", "POST"]);
});

test("a load goes on until it is stopped, and every request has an outcome", async (context) => {
  let served = 0;
  const { promise: enough, resolve } = Promise.withResolvers<void>();
  const client = await clientOf(context, (_request, response) => {
    served += 1;
    if (served === 10) resolve();
    response.end();
  });
  const load = new Load(client, 500, () => ({ path: "/" }));
  await enough;
  const outcomes = await load.stop();
  assert.equal(outcomes.length, served);
});

test("a line that has come is found, and one that comes is waited for", async () => {
  const log = new LineLog();
  log.write("books", "one policy");
  assert.equal(await log.find("books", (line) => line.includes("policy"), 10_000), "one policy");
  const later = log.find("books", (line) => line.includes("later"), 10_000);
  log.write("web", "later, elsewhere");
  log.write("books", "later");
  assert.equal(await later, "later");
  assert.equal(await log.find("books", (line) => line.includes("never"), 1), undefined);
});

test("a client that was closed ends what is open and sends nothing more", async (context) => {
  const client = await clientOf(context, () => undefined);
  const open = client.send("/never");
  client.close();
  const later = await client.send("/later");
  assert.deepEqual([(await open).status, later.status], [0, 0]);
});
