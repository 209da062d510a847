import assert from "node:assert/strict";
import { test } from "node:test";
import type { SocketName } from "./messages.ts";
import { type HeldSocket, SocketTable } from "./socket-table.ts";

class Held implements HeldSocket {
  isClosed = false;
  readonly #fd: number;
  constructor(fd: number) {
    this.#fd = fd;
  }
  fd(): number {
    return this.#fd;
  }
  close(): void {
    this.isClosed = true;
  }
}

const web: SocketName = { key: "web", host: "127.0.0.1", port: 0, boundPort: 4000 };

test("held sockets are listed for the next generation until they are released", () => {
  const table = new SocketTable();
  const socket = new Held(7);
  table.hold(web, socket);
  assert.deepEqual(table.list(), [{ ...web, fd: 7 }]);
  table.release(web);
  assert.deepEqual(table.list(), []);
  assert.equal(socket.isClosed, true);
});

test("a socket of the same user and address replaces the one before, and other users keep theirs", () => {
  const table = new SocketTable();
  const [first, other, second] = [new Held(1), new Held(2), new Held(3)];
  table.hold(web, first);
  table.hold({ ...web, key: "api" }, other);
  table.hold({ ...web, boundPort: 4001 }, second);
  assert.deepEqual([first.isClosed, other.isClosed, second.isClosed], [true, false, false]);
  table.close();
  assert.deepEqual([other.isClosed, second.isClosed], [true, true]);
});
