import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { FastSocket, type SocketHandler } from "./fast-socket.ts";
import { libc } from "./libc.ts";
import type { SocketFailure } from "./socket-failure.ts";
import { setTcpKeepalive, type TcpKeepalive } from "./tcp-keepalive.ts";

const isLinux = process.platform === "linux";
const skip = isLinux ? false : "the option numbers in this test are Linux's";

async function serve(context: TestContext): Promise<number> {
  const accepted: Socket[] = [];
  const server = createServer((socket) => accepted.push(socket)).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    for (const socket of accepted) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function read(descriptor: number, level: number, name: number): number {
  const value = Buffer.alloc(4);
  const size = Buffer.from(Int32Array.of(4).buffer);
  assert.equal(libc()?.getsockopt(descriptor, level, name, value, size), 0);
  return new Int32Array(value.buffer, value.byteOffset, 1)[0]!;
}

/** SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT. */
function optionsOf(descriptor: number): number[] {
  return [read(descriptor, 1, 9), read(descriptor, 6, 4), read(descriptor, 6, 5), read(descriptor, 6, 6)];
}

function descriptorOf(socket: Socket): number {
  return (socket as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}

test("probes, time and interval are set as given, and what is not given stays the system's", {
  skip,
}, async (context) => {
  const port = await serve(context);
  const plain = connect(port, "127.0.0.1");
  await once(plain, "connect");
  const [off, time, interval, probes] = optionsOf(descriptorOf(plain));
  assert.equal(off, 0);
  const cases: readonly [TcpKeepalive, (number | undefined)[]][] = [
    [{ probes: 3, timeSeconds: 60, intervalSeconds: 5 }, [1, 60, 5, 3]],
    [{}, [1, time, interval, probes]],
    [{ timeSeconds: 61 }, [1, 61, interval, probes]],
    [{ intervalSeconds: 6 }, [1, time, 6, probes]],
    [{ probes: 4 }, [1, time, interval, 4]],
  ];
  plain.destroy();
  for (const [wanted, expected] of cases) {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    assert.equal(setTcpKeepalive(descriptorOf(socket), wanted), undefined);
    assert.deepEqual(optionsOf(descriptorOf(socket)), expected, JSON.stringify(wanted));
    socket.destroy();
  }
});

test("a value that the system refuses fails the connection, which says which", { skip }, async (context) => {
  const port = await serve(context);
  const { promise, resolve } = Promise.withResolvers<SocketFailure | undefined>();
  const handler: SocketHandler = {
    onReady: () => assert.fail("the connection must not be used"),
    onBytes: (_bytes, start, end) => end - start,
    onEnd: () => undefined,
    onDrain: () => undefined,
    onClose: resolve,
  };
  FastSocket.connect({ host: "127.0.0.1", port }, handler, { keepalive: { probes: 100_000 } });
  const failure = await promise;
  assert.deepEqual(
    [failure?.code, failure?.text],
    ["upstream_connect_failed", "the system refuses 100000 as keepalive_probes"],
  );
});
