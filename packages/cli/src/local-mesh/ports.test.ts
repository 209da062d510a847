import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ApplicationPorts, inheritPorts, PortProblem, takePort, takePorts } from "./ports.ts";

test("a port in use is refused with its number and what to do", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  assert.throws(
    () => takePort("127.0.0.1", port),
    (error) =>
      error instanceof PortProblem &&
      error.message === `port ${port} on 127.0.0.1 is in use: end the program that listens there, or set another port`,
  );
  server.close();
});

test("an address that is not this host's is refused", () => {
  assert.throws(() => takePort("192.0.2.1", 0), PortProblem);
});

test("of several ports all are held, or none", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: taken } = server.address() as AddressInfo;
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  const wanted = [0, 0].map((port) => ({ host: "127.0.0.1", port }));
  assert.throws(() => takePorts([...wanted, { host: "127.0.0.1", port: taken }]), PortProblem);
  assert.equal(open(), before);
  const held = takePorts(wanted);
  assert.equal(open(), before + 2);
  for (const port of held) port.close();
  assert.equal(open(), before);
  server.close();
});

test("connections wait while the process that accepts them is killed and started again", {
  timeout: 20_000,
}, async () => {
  const port = takePort("127.0.0.1", 0);
  const server = `require("node:net").createServer((socket) => socket.end(process.argv[1])).listen({ fd: 4 }, () => process.send("up"));`;
  const start = async (name: string): Promise<ReturnType<typeof spawn>> => {
    const child = spawn(process.execPath, ["-e", server, name], {
      stdio: ["ignore", "ignore", "inherit", "ipc", port.descriptor],
    });
    await once(child, "message");
    return child;
  };
  const ask = async (): Promise<string> => {
    const socket = connect(port.address.port, "127.0.0.1");
    let answer = "";
    socket.on("data", (bytes: Buffer) => (answer += bytes.toString()));
    await once(socket, "close");
    return answer;
  };
  const first = await start("first");
  assert.equal(await ask(), "first");
  first.kill("SIGKILL");
  await once(first, "exit");
  const waiting = ask();
  const second = await start("second");
  assert.equal(await waiting, "second");
  second.kill("SIGKILL");
  await once(second, "exit");
  port.close();
});

test("descriptors are named in the order in which the child gets them", () => {
  const ports = [takePort("127.0.0.1", 0), takePort("127.0.0.1", 0)];
  const { stdio, environment } = inheritPorts(ports);
  const [first, second] = ports.map(({ address }) => address.port);
  assert.deepEqual(
    stdio,
    ports.map(({ descriptor }) => descriptor),
  );
  assert.deepEqual(environment, { HEDDLE_LISTEN_FDS: `127.0.0.1:${first}=4,127.0.0.1:${second}=5` });
  for (const port of ports) port.close();
});

test("ports of applications are free, differ, and lie below those of outgoing connections", async () => {
  const ports = await ApplicationPorts.open();
  const taken = [await ports.take("127.0.0.1"), await ports.take("127.0.0.1"), await ports.take("127.0.0.1")];
  assert.equal(new Set(taken).size, taken.length);
  for (const port of taken) {
    assert.ok(port >= 10_000 && port < 32_768);
    const server = createServer().listen(port, "127.0.0.1");
    await once(server, "listening");
    server.close();
  }
});
