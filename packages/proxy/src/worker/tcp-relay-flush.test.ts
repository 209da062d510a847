// A relay on sockets of this thread, so that the test sees what waits in memory: how much the kernel takes differs from machine to machine.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { silentLogger } from "@heddle/core";
import { applyDelta, type ConnectionView, emptySnapshot, LiveState } from "@heddle/engine";
import { loadCluster, loadListener } from "@heddle/engine/load";
import { type FastSocket, openListener } from "@heddle/net";
import { MetricWriter } from "@heddle/telemetry";
import { connectRaw, startRawServer } from "@heddle/testkit";
import { ClientTlsContexts, Tunnels } from "@heddle/upstream";
import { ClusterSchema, fromJson, ListenerSchema, typeRegistry } from "@heddle/xds/api";
import { cluster, tcpListener } from "../testing/bootstrap-json.ts";
import { LineLogger } from "../line-logger.ts";
import { SharedLoad } from "../overload/shared-load.ts";
import { AccessLogs } from "./access-logs.ts";
import { ConnectionAccount } from "./connection-account.ts";
import type { WorkerContext } from "./context.ts";
import { WorkerMetrics } from "./metrics.ts";
import { SecretStore } from "./secret-store.ts";
import { TcpRelay } from "./tcp-relay.ts";
import { Timers } from "./timers.ts";
import { WorkerLoad } from "./worker-load.ts";

/** Longer than Envoy's `delayed_close_timeout`, which is no matter of relays. */
const patienceMs = 2_000;

/** What of a worker a relay to one plain endpoint uses. */
function contextFor(upstreamPort: number): WorkerContext {
  const registry = { registry: typeRegistry };
  const up = loadCluster(fromJson(ClusterSchema, cluster("up", [upstreamPort]) as never, registry)).config;
  const relay = loadListener(fromJson(ListenerSchema, tcpListener("relay", "up") as never, registry)).config;
  assert.ok(up && relay);
  const timers = new Timers();
  const upstreamTls = new ClientTlsContexts(new SecretStore());
  const metrics = new WorkerMetrics(new MetricWriter({ announce: () => undefined }));
  return {
    snapshot: applyDelta(emptySnapshot, {
      clusters: { set: [up], remove: [] },
      listeners: { set: [relay], remove: [] },
    }),
    live: new LiveState(),
    random: Math.random,
    timers,
    upstreamTls,
    tunnels: new Tunnels({ timers, tls: upstreamTls, wallMs: Date.now }),
    metrics,
    load: new WorkerLoad(SharedLoad.create(1).buffer, 0),
    accessLogs: new AccessLogs(new LineLogger("relay", "off"), metrics.accessLogLinesLost),
    logger: silentLogger,
  } as Partial<WorkerContext> as WorkerContext;
}

test("a client that stops reading when both sides have ended has as long as it likes for what waits in memory", async (t) => {
  const upstream = await startRawServer();
  t.after(() => upstream[Symbol.asyncDispose]());
  const worker = contextFor(upstream.port);
  t.after(() => worker.timers.stop());
  const chain = worker.snapshot.listeners.get("relay")?.chains[0];
  assert.ok(chain);
  const closed = Promise.withResolvers<void>();
  const accepted = Promise.withResolvers<FastSocket>();
  const listener = await openListener(
    { host: "127.0.0.1", port: 0 },
    { onConnection: (socket) => accepted.resolve(socket) },
  );
  t.after(() => listener.close());
  const client = await connectRaw(listener.address.port);
  t.after(() => client[Symbol.asyncDispose]());
  const socket = await accepted.promise;
  const { remoteAddress, directRemoteAddress, localAddress } = socket;
  const view: ConnectionView = {
    peer: undefined,
    localPrincipal: "",
    remoteAddress,
    directRemoteAddress,
    localAddress,
    isDestinationRestored: false,
    isTls: false,
    sni: "",
    applicationProtocols: [],
    transportProtocol: "raw_buffer",
    proxyTlvs: [],
  };
  const observer = { onConnectionClosed: () => closed.resolve(), onConnectionReplaced: () => undefined };
  const slot = { chain, http: undefined };
  socket.start(new TcpRelay(worker, socket, slot, new ConnectionAccount(socket), view, observer));
  client.socket.pause();
  client.end();
  const peer = await upstream.next();
  await peer.untilEnd();
  // Small pieces, until the kernel takes no more and the relay keeps one.
  const piece = Buffer.alloc(16_384, "x");
  let sent = 0;
  while (socket.queuedBytes === 0) {
    await peer.send(piece);
    sent += piece.length;
    while (socket.bytesWritten + socket.queuedBytes < sent) await new Promise((resolve) => setImmediate(resolve));
  }
  peer.end();
  await once(peer.socket, "close");
  await new Promise<void>((resolve) => worker.timers.schedule(patienceMs, { onTimer: resolve }));
  client.socket.resume();
  const got = await client.untilEnd();
  assert.equal(got.length, sent);
  await closed.promise;
});
