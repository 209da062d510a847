import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { RawPeer } from "@heddle/testkit";
import { connectRaw, startRawServer } from "@heddle/testkit";
import type { SocketHandler } from "./fast-socket.ts";
import { FastSocket } from "./fast-socket.ts";
import { openListener } from "./listener.ts";
import type { Flushable } from "./turn.ts";
import { enterTurn, flushShared, flushWithCallback, leaveTurn } from "./turn.ts";

const byte = Buffer.from("x");

/** Answers each byte with one, which the next tick may look at. */
class Echo implements SocketHandler {
  readonly socket: FastSocket;
  readonly #onByte: (socket: FastSocket) => void;

  constructor(socket: FastSocket, onByte: (socket: FastSocket) => void) {
    this.socket = socket;
    this.#onByte = onByte;
    socket.start(this);
  }

  onReady(): void {}
  onBytes(_bytes: Buffer, start: number, end: number): number {
    this.socket.write(byte, 0, 1);
    this.#onByte(this.socket);
    return end - start;
  }
  onEnd(): void {}
  onDrain(): void {}
  onClose(): void {}
}

/** So many clients, each of which is answered one byte for one byte, and a turn of the event loop in which all of them speak. */
async function startClients(
  context: TestContext,
  count: number,
): Promise<{ everyone: (onByte?: (socket: FastSocket) => void) => Promise<void>; clients: readonly RawPeer[] }> {
  let listen: (socket: FastSocket) => void = () => {};
  const listener = await openListener(
    { host: "127.0.0.1", port: 0 },
    { onConnection: (socket) => void new Echo(socket, (from) => listen(from)) },
  );
  context.after(() => listener.close());
  const clients: RawPeer[] = [];
  for (let i = 0; i < count; i += 1) clients.push(await connectRaw(listener.address.port));
  context.after(() => clients.forEach((client) => client.socket.destroy()));
  return {
    clients,
    everyone: async (onByte = () => {}) => {
      listen = onByte;
      // Loopback: what one callback writes is there for the next wait of the event loop, all of it.
      for (const client of clients) client.socket.write(byte);
      await Promise.all(clients.map((client) => client.bytes(1)));
    },
  };
}

/** As many turns as it takes for what was before to be forgotten. */
const settled = 60;

test("in a crowded turn all connections are read before the first of them is written to", async (context) => {
  const { everyone } = await startClients(context, 8);
  for (let i = 0; i < settled; i += 1) await everyone();
  const read: FastSocket[] = [];
  const waiting: number[] = [];
  await everyone((socket) => {
    read.push(socket);
    waiting.push(read.filter(({ queuedBytes }) => queuedBytes === 1).length);
  });
  assert.deepEqual(waiting, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test("no more connections wait for the end of a turn than the processor's caches hold", async (context) => {
  const { everyone } = await startClients(context, 100);
  for (let i = 0; i < settled; i += 1) await everyone();
  const read: FastSocket[] = [];
  let most = 0;
  await everyone((socket) => {
    read.push(socket);
    most = Math.max(most, read.filter(({ queuedBytes }) => queuedBytes === 1).length);
  });
  assert.equal(most, 64);
});

test("bulk leaves with its callback also in a crowd", async (context) => {
  const { everyone, clients } = await startClients(context, 8);
  for (let i = 0; i < settled; i += 1) await everyone();
  const waiting: number[] = [];
  const bulk = Buffer.alloc(10_000, "y");
  await everyone((socket) => {
    socket.write(bulk, 0, bulk.length);
    process.nextTick(() => waiting.push(socket.queuedBytes));
  });
  await Promise.all(clients.map((client) => client.bytes(bulk.length)));
  assert.deepEqual(waiting, [0, 0, 0, 0, 0, 0, 0, 0]);
});

for (const [what, length] of [
  ["little", 1],
  ["bulk", 10_000],
] as const) {
  test(`${what} that is written while the turn's output leaves goes with it`, async (context) => {
    const { everyone, clients } = await startClients(context, 8);
    for (let i = 0; i < settled; i += 1) await everyone();
    const bytes = Buffer.alloc(length, "y");
    // As an HTTP/2 connection does, whose frames come to be when they can leave.
    await everyone((socket) => flushShared({ flush: () => void socket.write(bytes, 0, length) }, 2));
    await Promise.all(clients.map((client) => client.bytes(length)));
  });
}

test("connections that write when they are flushed are a crowd, too", async (context) => {
  const { everyone, clients } = await startClients(context, 3);
  for (let i = 0; i < settled; i += 1) {
    await everyone((socket) => {
      socket.flush();
      const flush = (): void => {
        socket.write(byte, 0, 1);
        socket.flush();
      };
      flushShared({ flush }, 2);
    });
    await Promise.all(clients.map((client) => client.bytes(1)));
  }
  const waiting: number[] = [];
  await everyone((socket) => process.nextTick(() => waiting.push(socket.queuedBytes)));
  assert.deepEqual(waiting, [1, 1, 1]);
});

test("a connection that is alone is answered with the callback, also after a crowd", async (context) => {
  const crowd = await startClients(context, 8);
  for (let i = 0; i < settled; i += 1) await crowd.everyone();
  const { everyone } = await startClients(context, 1);
  for (let i = 0; i < settled; i += 1) await everyone();
  const waiting: number[] = [];
  await everyone((socket) => process.nextTick(() => waiting.push(socket.queuedBytes)));
  assert.deepEqual(waiting, [0]);
});

test("an answer that waits when its connection is destroyed arrives all the same", async (context) => {
  const { everyone, clients } = await startClients(context, 8);
  for (let i = 0; i < settled; i += 1) await everyone();
  await everyone((socket) => socket.destroy());
  for (const client of clients) assert.equal(await client.untilEnd(), "");
});

test("a request that waits when its connection is destroyed never leaves: it may be sent again elsewhere", async (context) => {
  const server = await startRawServer();
  context.after(() => server[Symbol.asyncDispose]());
  const onReady = (): void => {
    socket.write(byte, 0, 1);
    socket.destroy();
  };
  const handler = { onReady, onBytes: () => 0, onEnd() {}, onDrain() {}, onClose() {} };
  const socket = FastSocket.connect({ host: "127.0.0.1", port: server.port }, handler);
  const peer = await server.next();
  assert.equal(await peer.untilEnd(), "");
});

for (const { what, list, count } of [
  { what: "callback", list: flushWithCallback, count: 2 },
  // So many do not wait for the turn's end.
  { what: "turn", list: (target: Flushable) => flushShared(target, 2), count: 64 },
]) {
  test(`whose flush throws keeps nobody else's output from leaving with the ${what}`, () => {
    const broken = new Error("broken");
    let flushed = 0;
    enterTurn();
    list({
      flush: () => {
        throw broken;
      },
    });
    for (let i = 1; i < count; i += 1) list({ flush: () => void (flushed += 1) });
    assert.throws(leaveTurn, broken);
    assert.equal(flushed, count - 1);
  });
}
