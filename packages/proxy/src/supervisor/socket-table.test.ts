import assert from "node:assert/strict";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { SocketTable } from "./socket-table.ts";

test("one user gets the same socket again, and another user on port 0 another one", (t) => {
  const table = new SocketTable();
  t.after(() => table.close());
  const first = table.take("a", "127.0.0.1", 0);
  const again = table.take("a", "127.0.0.1", 0);
  const other = table.take("b", "127.0.0.1", 0);
  assert.ok(first.socket !== undefined && again.socket !== undefined && other.socket !== undefined);
  assert.equal(first.socket, again.socket);
  assert.notEqual(first.port, 0);
  assert.notEqual(first.port, other.port);
});

test("a port on which somebody listens is refused by name", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const table = new SocketTable();
  t.after(() => table.close());
  const result = table.take("a", "127.0.0.1", port);
  assert.ok(result.socket === undefined);
  assert.equal(result.code, "port_in_use");
  assert.match(result.message, new RegExp(`127\\.0\\.0\\.1:${port}: the port is already in use`));
});

test("a released port can be bound again by somebody else", (t) => {
  const table = new SocketTable();
  t.after(() => table.close());
  const first = table.take("a", "127.0.0.1", 0);
  assert.ok(first.socket !== undefined);
  table.release("a", "127.0.0.1", 0);
  const second = table.take("b", "127.0.0.1", first.port);
  assert.ok(second.socket !== undefined);
});
