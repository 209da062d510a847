import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { connectRaw } from "@heddle/testkit";
import { duplicateDescriptor } from "./descriptor.ts";
import {
  formatInheritedDescriptors,
  listenDescriptorsVariable,
  parseInheritedDescriptors,
} from "./inherited-descriptors.ts";
import { formatAddress } from "./ip-address.ts";
import { libc } from "./libc.ts";
import { holdPort, ListenError, openListener } from "./listener.ts";

const anyPort = { host: "127.0.0.1", port: 0 };
const greeter = new URL("./testdata/greeter.ts", import.meta.url);

test("a listener tells the port that it got, on IPv4 and on IPv6", async () => {
  for (const host of ["127.0.0.1", "::1"]) {
    const listener = await openListener({ host, port: 0 }, { onConnection: (socket) => socket.destroy() });
    assert.equal(listener.address.host, host);
    assert.ok(listener.address.port > 0);
    const client = await connectRaw(listener.address.port, host);
    await client.untilEnd();
    listener.close();
    assert.equal(listener.isListening, false);
  }
});

test("the kernel holds as many waiting connections as the backlog says", {
  skip: process.platform === "linux" ? false : "TCP_INFO of a listening socket is Linux's",
}, async () => {
  const held = holdPort(anyPort);
  const listener = await openListener(held.address, {
    backlog: 7,
    descriptor: held.descriptor,
    onConnection: (socket) => socket.destroy(),
  });
  const info = Buffer.alloc(104);
  const tcpInfo = 11;
  assert.equal(
    libc()?.getsockopt(held.descriptor, 6, tcpInfo, info, Buffer.from(Int32Array.of(info.length).buffer)),
    0,
  );
  // `tcpi_sacked` of a listening socket is its backlog (tcp_get_info).
  assert.equal(new Uint32Array(info.buffer, info.byteOffset + 28, 1)[0], 7);
  listener.close();
  held.close();
});

test("an IPv4 client of a dual-stack listener has its IPv4 address", async () => {
  let remote = "";
  let local = "";
  const listener = await openListener(
    { host: "::", port: 0 },
    {
      onConnection(socket) {
        remote = socket.remoteAddress.host;
        local = socket.localAddress.host;
        socket.destroy();
      },
    },
  );
  const client = await connectRaw(listener.address.port, "127.0.0.1");
  await client.untilEnd();
  listener.close();
  assert.equal(remote, "127.0.0.1");
  assert.equal(local, "127.0.0.1");
});

describe("an address that cannot be had", () => {
  const refuse = (address: { host: string; port: number }): Promise<ListenError> =>
    openListener(address, { onConnection() {} }).then(
      () => assert.fail("it listens"),
      (error: unknown) => {
        assert.ok(error instanceof ListenError);
        return error;
      },
    );

  test("is named when it is in use", async () => {
    const first = await openListener(anyPort, { onConnection() {} });
    const error = await refuse(first.address);
    assert.equal(error.code, "port_in_use");
    assert.equal(
      error.message,
      `cannot listen on 127.0.0.1:${first.address.port}: the port is already in use by another process`,
    );
    assert.throws(() => holdPort(first.address), { code: "port_in_use" });
    first.close();
  });

  test("is named when it is not this host's", async () => {
    const error = await refuse({ host: "203.0.113.1", port: 0 });
    assert.equal(error.code, "config_invalid");
    assert.match(error.message, /203\.0\.113\.1:0: the address does not belong to this host/);
  });
});

describe("a held port", () => {
  test("refuses connections until somebody listens, and outlives each who does", async () => {
    const held = holdPort(anyPort);
    const [error] = (await once(connect(held.address.port, "127.0.0.1"), "error")) as [NodeJS.ErrnoException];
    assert.equal(error.code, "ECONNREFUSED");
    for (const greeting of ["first", "second"]) {
      const listener = await openListener(held.address, {
        descriptor: held.descriptor,
        onConnection(socket) {
          socket.start({ onReady() {}, onBytes: () => 0, onEnd() {}, onDrain() {}, onClose() {} });
          socket.write(Buffer.from(greeting), 0, greeting.length);
          socket.end();
        },
      });
      assert.deepEqual(listener.address, held.address);
      const client = await connectRaw(held.address.port);
      assert.equal(await client.untilEnd(), greeting);
      client.end();
      listener.close();
    }
    held.close();
  });

  test("keeps connections waiting while its process is replaced by another", async () => {
    const held = holdPort(anyPort);
    const start = async (name: string) => {
      const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", greeter.pathname, name], {
        stdio: ["ignore", "pipe", "inherit", held.descriptor],
        env: {
          ...process.env,
          [listenDescriptorsVariable]: formatInheritedDescriptors(
            new Map([[formatAddress(held.address.host, held.address.port), 3]]),
          ),
        },
      });
      assert.ok(child.stdout);
      await once(child.stdout, "data");
      return child;
    };
    const first = await start("first");
    const before = await connectRaw(held.address.port);
    assert.equal(await before.untilEnd(), "first");
    before.end();
    first.kill("SIGKILL");
    await once(first, "exit");
    const waiting = await connectRaw(held.address.port);
    const second = await start("second");
    assert.equal(await waiting.untilEnd(), "second");
    waiting.end();
    second.kill("SIGKILL");
    await once(second, "exit");
    held.close();
  });

  test("serves several workers, each with a descriptor of its own, one of which may end", async () => {
    const held = holdPort(anyPort);
    const startWorker = async (name: string) => {
      const worker = new Worker(greeter, { workerData: { name, address: held.address, descriptor: held.descriptor } });
      await once(worker, "message");
      return worker;
    };
    const first = await startWorker("a");
    const second = await startWorker("b");
    const greetings = new Set<string>();
    while (greetings.size < 2) {
      const client = await connectRaw(held.address.port);
      greetings.add(await client.untilEnd());
      client.end();
    }
    first.postMessage("close");
    await once(first, "exit");
    for (let i = 0; i < 5; i += 1) {
      const client = await connectRaw(held.address.port);
      assert.equal(await client.untilEnd(), "b");
      client.end();
    }
    second.postMessage("close");
    await once(second, "exit");
    held.close();
  });
});

test("a descriptor that is not open cannot be duplicated", () => {
  assert.equal(duplicateDescriptor(9_999), undefined);
});

test("the list of inherited descriptors is read strictly", () => {
  const read = (value: string | undefined) => {
    const descriptors = parseInheritedDescriptors(value);
    return descriptors === undefined ? undefined : [...descriptors];
  };
  assert.deepEqual(read(undefined), []);
  assert.deepEqual(read(""), []);
  assert.deepEqual(read("127.0.0.1:41000=4,[::1]:41001=5"), [
    ["127.0.0.1:41000", 4],
    ["[::1]:41001", 5],
  ]);
  assert.deepEqual(read("[::ffff:127.0.0.1]:1=7"), [["127.0.0.1:1", 7]]);
  for (const wrong of [
    "127.0.0.1:41000",
    "127.0.0.1=4",
    "127.0.0.1:1=2",
    "127.0.0.1:1=x",
    "127.0.0.1:1=4,",
    "127.0.0.1:1=4,127.0.0.1:1=5",
    "=4",
  ]) {
    assert.equal(read(wrong), undefined, wrong);
  }
});
