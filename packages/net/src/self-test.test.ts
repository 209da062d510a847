import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { libc } from "./libc.ts";
import { handleOf, runtimeEdges } from "./runtime-edges.ts";
import { selfTestRuntime } from "./self-test.ts";

let before: typeof runtimeEdges;

beforeEach(() => {
  before = { ...runtimeEdges };
});

afterEach(() => {
  Object.assign(runtimeEdges, before);
});

test("every private edge works on the pinned runtime, over TCP and TLS", async () => {
  const reports = await selfTestRuntime();
  assert.equal(reports.length, process.platform === "linux" ? 8 : 6);
  for (const report of reports) assert.deepEqual(report, { ...report, isUsed: true, reason: "" });
});

test("an edge that does nothing is noticed, switched off and named", async (t) => {
  const prototype = await tcpHandlePrototype();
  const original = prototype["useUserBuffer"];
  prototype["useUserBuffer"] = () => {};
  t.after(() => {
    prototype["useUserBuffer"] = original;
  });
  const reports = await selfTestRuntime(300);
  const tcp = reports.find((report) => report.edge === "sharedReadBuffer" && report.transport === "tcp");
  assert.equal(tcp?.isUsed, false);
  assert.notEqual(tcp?.reason, "");
  assert.equal(runtimeEdges.sharedReadBuffer, false);
  assert.equal(runtimeEdges.directWrite, true);
});

test("a write that fails in a new way is noticed, too", async (t) => {
  const prototype = await tcpHandlePrototype();
  const original = prototype["writeBuffer"] as (...args: unknown[]) => unknown;
  prototype["writeBuffer"] = function writeBuffer(this: unknown, request: unknown, ...others: unknown[]) {
    if (request === null && Buffer.isBuffer(others[0]) && others[0].toString("latin1") === "heddle!") return -22;
    return original.call(this, request, ...others);
  };
  t.after(() => {
    prototype["writeBuffer"] = original;
  });
  const reports = await selfTestRuntime(300);
  const tcp = reports.find((report) => report.edge === "directWrite" && report.transport === "tcp");
  assert.equal(tcp?.isUsed, false);
  assert.match(tcp?.reason ?? "", /-22/);
  assert.equal(runtimeEdges.sharedReadBuffer, true);
});

test("a kernel that takes nothing past the runtime is noticed, and writes go through the runtime", async (t) => {
  const functions = libc();
  assert.ok(functions);
  t.mock.method(functions, "send", () => -1);
  const reports = await selfTestRuntime(300);
  assert.deepEqual(
    reports.find(({ edge }) => edge === "kernelSend"),
    { edge: "kernelSend", transport: "tcp", isUsed: false, reason: "the kernel took 0 of 7 bytes" },
  );
  assert.equal(runtimeEdges.directWrite, true);
});

/** The runtime's class of TCP handles, reached through a connection. */
async function tcpHandlePrototype(): Promise<Record<string, unknown>> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const socket = connect(address.port, "127.0.0.1");
  const handle = handleOf(socket);
  assert.ok(handle);
  let prototype = Object.getPrototypeOf(handle) as Record<string, unknown>;
  while (!Object.hasOwn(prototype, "useUserBuffer"))
    prototype = Object.getPrototypeOf(prototype) as Record<string, unknown>;
  await new Promise<void>((resolve) => {
    socket.on("error", () => socket.destroy());
    socket.on("close", () => server.close(() => resolve()));
    socket.resume();
  });
  return prototype;
}
