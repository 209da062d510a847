import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { applyDelta, type BoundCluster, emptySnapshot } from "@heddle/engine";
import {
  buildClientContext,
  type ClientTlsContext,
  type FastSocket,
  type SocketAddress,
  type SocketFailure,
} from "@heddle/net";
import { freePort, ThrowawayCa } from "@heddle/testkit";
import { Dial, type DialOwner } from "./dial.ts";
import { makeCluster, ManualTimers } from "./testing/fixture.ts";

/** A server on the loopback network that takes connections and says nothing. */
async function listen(t: TestContext, host = "127.0.0.1"): Promise<{ address: SocketAddress; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => socket.destroy()).resume();
  });
  server.listen(0, host);
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: { host, port: (server.address() as AddressInfo).port }, sockets };
}

async function listenTls(t: TestContext, host = "127.0.0.1"): Promise<SocketAddress> {
  const { chainPem, privateKeyPem } = await (await ThrowawayCa.create()).issue(
    "spiffe://cluster.local/ns/default/sa/web",
  );
  const sockets: TLSSocket[] = [];
  const server = createTlsServer({ cert: chainPem, key: privateKeyPem }, (socket) => {
    sockets.push(socket);
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, host);
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host, port: (server.address() as AddressInfo).port };
}

/** One endpoint at these addresses. */
function clusterAt([address, ...additionalAddresses]: readonly SocketAddress[]): BoundCluster {
  const { config } = makeCluster([1]);
  const [locality] = config.inlineEndpoints!.localities;
  const endpoint = { ...locality!.endpoints[0]!, address: address!, additionalAddresses };
  const inlineEndpoints = { ...config.inlineEndpoints!, localities: [{ ...locality!, endpoints: [endpoint] }] };
  return applyDelta(emptySnapshot, { clusters: { set: [{ ...config, inlineEndpoints }], remove: [] } }).clusters.get(
    "test",
  )!;
}

class Outcome implements DialOwner {
  readonly timers = new ManualTimers();
  readonly dial: Dial;
  socket: FastSocket | undefined;
  failure: SocketFailure | undefined;
  get isSettled(): boolean {
    return this.socket !== undefined || this.failure !== undefined;
  }
  #settle: () => void = () => {};
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(t: TestContext, cluster: BoundCluster, tls?: ClientTlsContext) {
    const endpoint = cluster.endpoints[0]!;
    this.dial = new Dial({
      cluster,
      endpoint,
      tls,
      isTunnelled: false,
      timers: this.timers,
      wallMs: Date.now,
      owner: this,
    });
    t.after(() => this.socket?.destroy());
  }

  onDialed(_dial: Dial, socket: FastSocket): void {
    this.socket = socket;
    this.#settle();
  }

  onDialFailed(_dial: Dial, failure: SocketFailure): void {
    this.failure = failure;
    this.#settle();
  }
}

const anyServer = (): ClientTlsContext => {
  const built = buildClientContext({
    epoch: 1,
    certificate: undefined,
    minVersion: "1.3",
    maxVersion: "1.3",
    alpn: [],
    policy: undefined,
    sni: "",
  });
  assert.ok(built.ok);
  return built.context;
};

test("an address that refuses is left for the next one at once", async (t) => {
  const there = await listen(t, "127.0.0.2");
  const outcome = new Outcome(t, clusterAt([{ host: "127.0.0.1", port: await freePort() }, there.address]));
  await outcome.settled;
  assert.deepEqual(outcome.socket?.remoteAddress, there.address);
  assert.equal(outcome.failure, undefined);
});

test("an address that keeps silent is joined by the next after 300 ms, and the first that is ready wins", async (t) => {
  const silent = await listen(t);
  const there = await listenTls(t, "127.0.0.2");
  const outcome = new Outcome(t, clusterAt([silent.address, there]), anyServer());
  while (silent.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const closed = once(silent.sockets[0]!, "close");
  outcome.timers.advance(250);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(!outcome.isSettled);
  outcome.timers.advance(100);
  await outcome.settled;
  assert.deepEqual(outcome.socket?.remoteAddress, there);
  await closed;
});

test("when every address fails the attempt has failed, once", async (t) => {
  const gone = async (): Promise<SocketAddress> => ({ host: "127.0.0.1", port: await freePort() });
  const outcome = new Outcome(t, clusterAt([await gone(), await gone()]));
  await outcome.settled;
  assert.equal(outcome.failure?.code, "upstream_connect_failed");
});

test("the connect timeout holds for all addresses together", async (t) => {
  const silent = [await listen(t), await listen(t, "127.0.0.2")];
  const outcome = new Outcome(t, clusterAt(silent.map(({ address }) => address)), anyServer());
  outcome.timers.advance(4900);
  while (silent.some(({ sockets }) => sockets.length === 0)) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(!outcome.isSettled);
  outcome.timers.advance(200);
  await outcome.settled;
  assert.equal(outcome.failure?.code, "upstream_connect_timeout");
});
