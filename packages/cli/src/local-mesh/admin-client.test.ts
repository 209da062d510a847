import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { AdminClient, AdminRefused, AdminUnreachable, httpCall } from "./admin-client.ts";

async function serve(status: number, body: string) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.writeHead(status).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, seen, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("calls carry the token and give the parsed answer", async () => {
  const { server, seen, address } = await serve(201, '{"token":"t"}');
  const { token } = await new AdminClient(address, "secret").createJoinToken({ identity: "spiffe://a/ns/b/sa/c" });
  assert.equal(token, "t");
  assert.deepEqual(seen, ["POST /api/v1/join-tokens Bearer secret"]);
  server.close();
});

test("a refusal and a silence are two errors, each with address and reason", async () => {
  const { server, address } = await serve(403, '{"error":"wrong token"}\n');
  const client = new AdminClient(address, "wrong");
  await assert.rejects(
    client.proxies(),
    (error) => error instanceof AdminRefused && /403 .*wrong token/.test(error.message),
  );
  server.close();
  await once(server, "close");
  await assert.rejects(
    client.proxies(),
    (error) => error instanceof AdminUnreachable && error.message.startsWith(`${address} is not reachable`),
  );
});

test("who never answers is unreachable when the time is over", async () => {
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await assert.rejects(httpCall(`127.0.0.1:${port}`, "GET", "/", { timeoutMs: 20 }), AdminUnreachable);
  server.closeAllConnections();
  server.close();
});
