import assert from "node:assert/strict";
import type { AddressInfo, Socket } from "node:net";
import { createServer } from "node:net";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { DeltaDiscoveryRequest } from "../api/index.ts";
import { CLUSTER_TYPE, DeltaDiscoveryRequestSchema } from "../api/index.ts";
import { AdsFixture } from "../testing/ads-fixture.ts";
import { ManualTimers } from "../testing/manual-timers.ts";
import { snapshot } from "../testing/resources.ts";
import { delta } from "./delta.ts";
import { dialHttp2 } from "./dial.ts";
import { RequestQueue } from "./request-queue.ts";

describe("dialling", () => {
  it("gives up on a control plane that accepts the connection and says nothing", async (t) => {
    const { url, close } = await silentServer();
    t.after(close);
    const timers = new ManualTimers();
    const dialling = dialHttp2({ url, connectTimeoutMs: 3000, timers }, new AbortController().signal);
    const refused = assert.rejects(dialling, /no connection after 3000 ms/);
    assert.equal(await timers.fire(), 3000);
    await refused;
  });

  it("sends no PING on a connection that was closed under its stream", async (t) => {
    const fixture = new AdsFixture();
    fixture.snapshots.set("p", snapshot("1", {}));
    await fixture.listen(t);
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const timers = { setTimeout, clearTimeout };
    const connection = await dialHttp2(
      { url: fixture.url, connectTimeoutMs: 3000, timers },
      new AbortController().signal,
    );
    const requests = new RequestQueue<DeltaDiscoveryRequest>();
    const responses = delta.open(connection.transport, requests, {})[Symbol.asyncIterator]();
    requests.push(create(DeltaDiscoveryRequestSchema, { node: { id: "p" }, typeUrl: CLUSTER_TYPE }));
    assert.equal((await responses.next()).done, false);
    connection.close();
    await assert.rejects(responses.next());
    requests.close();
    await fixture.changes.until("the server to see it", () => fixture.calls.includes("gone p"));
    t.mock.timers.tick(60_000);
  });

  it("ends when it is aborted, and leaves no timer", async (t) => {
    const { url, close } = await silentServer();
    t.after(close);
    const timers = new ManualTimers();
    const stopping = new AbortController();
    const dialling = dialHttp2({ url, connectTimeoutMs: 3000, timers }, stopping.signal);
    const refused = assert.rejects(dialling);
    stopping.abort();
    await refused;
    assert.deepEqual(timers.delays, []);
  });
});

/** Takes TCP connections and never answers the TLS handshake. */
async function silentServer(): Promise<{ url: string; close: () => void }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {
      // The client goes away in the middle of its handshake: that is what is tested.
    });
    socket.resume();
    sockets.add(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
