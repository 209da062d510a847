import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { handleOf } from "./runtime-edges.ts";
import { beginNoConnections } from "./refuse-connections.ts";

const skip = process.platform !== "linux" && "socket filters are Linux's";
test("a socket that begins no connections still carries those that it has, and takes no other", { skip }, async (t) => {
  const server = createServer((socket: Socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const first = connect(port, "127.0.0.1");
  t.after(() => {
    first.destroy();
    server.close();
  });
  await once(first, "connect");
  const { fd } = handleOf(server as unknown as Socket) as { fd: number };
  assert.equal(beginNoConnections(fd), true);
  const late = connect(port, "127.0.0.1");
  const outcome = new Promise((resolve) => {
    late.on("connect", () => resolve("connected"));
    late.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  first.write("x");
  assert.equal(String(await once(first, "data")), "x");
  server.close();
  first.end();
  // Its first segment was dropped; the second, a second later, meets no socket.
  assert.equal(await outcome, "ECONNREFUSED");
  late.destroy();
});
