import type { MessagePort } from "node:worker_threads";
import { Action, type ConfigDelta, emptySnapshot, LiveState, type Snapshot, SnapshotBinder } from "@heddle/engine";
import { defaultHttp1Limits, type Http2Rule } from "@heddle/http";
import { type FastSocket, logTlsKeysTo, selfTestRuntime } from "@heddle/net";
import { MetricWriter, type MetricAnnouncement } from "@heddle/telemetry";
import {
  ClientTlsContexts,
  DnsClusters,
  HealthChecks,
  PooledTransport,
  systemResolver,
  Tunnels,
} from "@heddle/upstream";
import { LineLogger } from "../line-logger.ts";
import { HeapShrinker } from "../overload/heap-shrinker.ts";
import { SharedClusterCounts } from "../overload/shared-cluster-counts.ts";
import { SharedQueues } from "../overload/shared-queues.ts";
import { RequestTaps } from "../tap/request-taps.ts";
import { AccessLogs } from "./access-logs.ts";
import { describeClusters } from "./cluster-views.ts";
import { ConnectionBalancer } from "./connection-balancer.ts";
import type { WorkerContext } from "./context.ts";
import { DestinationIndex } from "./destination-index.ts";
import { type HeldStream, resetHeldStreams } from "./held-streams.ts";
import { HttpChains } from "./http-chain.ts";
import { HttpDate } from "./http-date.ts";
import type { WorkerCommand, WorkerReport, WorkerSetup } from "./messages.ts";
import { WorkerMetrics } from "./metrics.ts";
import { Mirrors } from "./mirror.ts";
import { PeerMetadataCodec } from "./peer-metadata.ts";
import type { ListenerServices } from "./pending-connection.ts";
import { SecretStore } from "./secret-store.ts";
import { ServerTlsContexts } from "./server-tls-contexts.ts";
import { SharedSessions } from "./shared-sessions.ts";
import { Timers } from "./timers.ts";
import { TrafficListener } from "./traffic-listener.ts";
import { shedsLoad } from "./load-shedding.ts";
import { WorkerLoad } from "./worker-load.ts";

/** Longest time that binding configuration may keep requests waiting. */
const sliceMs = 2;
const heartbeatMs = 250;
const publishMs = 1_000;
/** A worker that is told to drain goes on accepting for this many times the wait, if connections go on coming. */
const mostQuietWaits = 40;
const quietTurnsWanted = 3;

const keyLogWarning = "TLS secrets are written to a file: whoever reads it reads the traffic (--tls-key-log)";

type Configure = Extract<WorkerCommand, { type: "configure" }>;

/** Begins to work; what follows comes over the port. */
export function startTrafficWorker(port: MessagePort, setup: WorkerSetup): TrafficWorker {
  return new TrafficWorker(port, setup);
}

/** One thread that carries traffic. It gets plain configuration and descriptors, and reports metrics and its pulse. */
class TrafficWorker {
  readonly #port: MessagePort;
  readonly #logger: LineLogger;
  readonly #context: WorkerContext;
  readonly #services: ListenerServices;
  readonly #secrets = new SecretStore();
  readonly #accessLogs: AccessLogs;
  readonly #dns: DnsClusters;
  readonly #health: HealthChecks;
  readonly #isFirst: boolean;
  /** Nobody is accepted any more, or soon. */
  #isStopping = false;
  readonly #listeners = new Map<string, TrafficListener>();
  readonly #destinations = new DestinationIndex<TrafficListener>();
  /** Removed listeners whose connections are not all gone. */
  readonly #retired = new Set<TrafficListener>();
  readonly #shrinker: HeapShrinker;
  /** undefined: not all listeners could do as they were told. */
  #isAccepting: boolean | undefined = true;
  #isSwitching = false;
  /** It drains, and nobody can come any more. */
  #hasStoppedAccepting = false;
  /** Other workers may give it connections. */
  #takesConnections = false;
  #tail: Promise<void>;
  #announcements: MetricAnnouncement[] = [];

  constructor(port: MessagePort, setup: WorkerSetup) {
    this.#port = port;
    this.#logger = new LineLogger(`worker-${setup.index}`, setup.logLevel);
    if (setup.tlsKeyLogFile !== undefined) {
      logTlsKeysTo(setup.tlsKeyLogFile);
      this.#logger.warn(keyLogWarning, { file: setup.tlsKeyLogFile });
    }
    const live = new LiveState();
    const timers = new Timers();
    const upstreamTls = new ClientTlsContexts(this.#secrets);
    const metrics = new WorkerMetrics(new MetricWriter({ announce: (series) => this.#announce(series) }));
    this.#accessLogs = new AccessLogs(this.#logger, metrics.accessLogLinesLost);
    this.#shrinker = new HeapShrinker(metrics.writer);
    const load = new WorkerLoad(setup.load, setup.index);
    const connecting = {
      timers,
      tls: upstreamTls,
      wallMs: Date.now,
      onHttp2Fault: (name: string, fault: Http2Rule | "keepAliveTimeout") => metrics.clusterHttp2(name).count(fault),
    };
    const tunnels = new Tunnels(connecting);
    this.#context = {
      snapshot: emptySnapshot,
      live,
      action: new Action(),
      random: Math.random,
      timers,
      // Whether trailers go on is for the client's side to decide (`enable_trailers`).
      transport: new PooledTransport({
        ...connecting,
        live,
        // Asked for what is wanted, not for the carrier that it may need, nor for health checks.
        shedsConnection: () =>
          shedsLoad({ load, metrics, random: Math.random }, "envoy.load_shed_points.connection_pool_new_connection"),
        http1Limits: { ...defaultHttp1Limits, enableTrailers: true },
        dial: (options) => tunnels.dial(options),
      }),
      tunnels,
      listenerNamed: (name) => this.#listeners.get(name),
      upstreamTls,
      failEndpoint: (cluster, endpoint) => this.#failEndpoint(cluster, endpoint),
      mirrors: new Mirrors(),
      peerMetadata: new PeerMetadataCodec(),
      metrics,
      load,
      index: setup.index,
      accessLogs: this.#accessLogs,
      taps: new RequestTaps(setup.index, (id, lines) => this.#report({ type: "tap-lines", id, lines })),
      date: new HttpDate(),
      logger: this.#logger,
      isDraining: false,
    };
    this.#services = {
      worker: this.#context,
      chains: new HttpChains(metrics, this.#accessLogs),
      tls: new ServerTlsContexts(this.#secrets, new SharedSessions(setup.sessions, setup.index)),
      onIdle: () => this.#reportIfDrained(),
      balancer: new ConnectionBalancer(setup.index, this.#context.load.shared, new SharedQueues(setup.queues)),
      listenerAt: (destination) => this.#destinations.find(destination),
    };
    this.#dns = new DnsClusters({
      resolve: systemResolver,
      timers,
      random: Math.random,
      logger: this.#logger,
      onLookup: (cluster, outcome) => metrics.cluster(cluster).countLookup(outcome),
      onEndpoints: (endpoints) => this.#inTurn(() => this.#swap({ endpoints: { set: [endpoints], remove: [] } })),
    });
    this.#isFirst = setup.index === 0;
    this.#health = new HealthChecks({
      live,
      timers,
      tls: upstreamTls,
      random: Math.random,
      wallMs: Date.now,
      dial: (options) => tunnels.dial(options),
      logger: this.#logger,
      onCount: (cluster, what) => metrics.cluster(cluster).countCheck(what),
      onHealth: (health) => {
        this.#report({ type: "health", health });
        this.#inTurn(() => this.#swap({ health }));
      },
    });
    const heartbeat = new Int32Array(setup.heartbeat);
    setInterval(() => {
      Atomics.add(heartbeat, 0, 1);
      this.#lookAtLoad();
    }, heartbeatMs);
    setInterval(() => this.#publish(), publishMs);
    setInterval(() => this.#sweep(), publishMs);
    this.#tail = this.#selfTest();
    port.on("message", (command: WorkerCommand) => this.#onCommand(command));
  }

  async #selfTest(): Promise<void> {
    for (const { edge, transport, isUsed, reason } of await selfTestRuntime()) {
      if (!isUsed) this.#logger.warn("a fast path of the runtime is not used", { edge, transport, reason });
    }
  }

  #onCommand(command: WorkerCommand): void {
    switch (command.type) {
      case "configure":
        return this.#inTurn(() => this.#configure(command));
      case "health":
        return this.#inTurn(() => this.#swap({ health: command.health }));
      case "endpoint-failed":
        return this.#failEndpoint(command.cluster, command.endpoint);
      case "describe":
        return this.#report({
          type: "described",
          requestId: command.requestId,
          clusters: describeClusters(this.#context.snapshot, this.#context.live),
        });
      case "tap-open":
        this.#context.taps.open(command.setup, this.#context.timers.now());
        return this.#report({ type: "tap-opened", id: command.setup.id });
      case "tap-close":
        return this.#context.taps.close(command.id);
      case "log-level":
        return this.#logger.setLevel(command.level);
      case "announce-end":
        this.#context.isDraining = true;
        return;
      case "drain":
        this.#isStopping = true;
        this.#context.isDraining = true;
        return this.#stopAccepting(command.acceptMs);
      case "cut":
        return this.#cut();
    }
  }

  #failEndpoint(cluster: string, endpoint: string): void {
    if (this.#isFirst) this.#health.failAtOnce(cluster, endpoint);
    else this.#report({ type: "endpoint-failed", cluster, endpoint });
  }

  /** One change after the other: a change is bound in slices and must not see half of another. */
  #inTurn(action: () => Promise<void>): void {
    this.#tail = this.#tail.then(action).catch((error: unknown) => {
      this.#logger.error("a change of configuration failed", {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    });
  }

  async #configure(command: Configure): Promise<void> {
    let problem: string | undefined;
    try {
      this.#secrets.apply(command.secrets);
      for (const { name, buffer } of command.clusterCounts)
        this.#context.live.share(name, new SharedClusterCounts(buffer, this.#context.index));
      await this.#swap(command.delta);
      problem = await this.#applyListeners(command);
      if (command.secrets.set.some(({ secret }) => secret.kind === "validation")) {
        for (const listener of this.#listeners.values()) listener.judgePeersAgain();
      }
      const { tunnels, snapshot } = this.#context;
      if (command.secrets.set.length > 0 || command.delta.clusters !== undefined)
        tunnels.judgePeersAgain(snapshot.clusters, (denied) =>
          this.#logger.info("a connection is closed: its server is no longer accepted", { ...denied }),
        );
    } catch (error) {
      problem = (error as Error).message;
    }
    this.#report({ type: "configured", sequence: command.sequence, problem });
  }

  /** Binds a change piece by piece, and puts it in force between two requests. */
  async #swap(delta: ConfigDelta): Promise<void> {
    const binder = new SnapshotBinder(this.#context.snapshot, delta);
    let sliceEnd = performance.now() + sliceMs;
    while (binder.step()) {
      if (performance.now() < sliceEnd) continue;
      await new Promise((resolve) => setImmediate(resolve));
      sliceEnd = performance.now() + sliceMs;
    }
    const snapshot: Snapshot = binder.snapshot;
    const { live, transport, tunnels } = this.#context;
    this.#context.snapshot = snapshot;
    if (delta.clusters === undefined && delta.endpoints === undefined && delta.health === undefined) return;
    live.prune(snapshot);
    transport.retain(snapshot.clusters);
    tunnels.retain(snapshot.clusters);
    this.#dns.update(snapshot.clusters);
    // Endpoints are asked once, however many workers there are.
    if (this.#isFirst) this.#health.update(snapshot.clusters);
  }

  /**
   * One that cannot listen keeps nobody from the others, and is tried again with the next pulse: its configuration does not come twice.
   *
   * @returns which listeners could not listen, and why; undefined: all could
   */
  async #applyListeners({ delta, sockets, limits }: Configure): Promise<string | undefined> {
    const failures: string[] = [];
    for (const name of delta.listeners?.remove ?? []) {
      const listener = this.#listeners.get(name);
      if (listener === undefined) continue;
      this.#listeners.delete(name);
      this.#context.load.forget(name);
      this.#retired.add(listener);
      listener.drain();
    }
    this.#context.load.apply(limits);
    for (const { name } of delta.listeners?.set ?? []) {
      const bound = this.#context.snapshot.listeners.get(name);
      if (bound === undefined) continue;
      let listener = this.#listeners.get(name);
      if (listener === undefined) {
        this.#listeners.set(name, (listener = new TrafficListener(bound, this.#services)));
        await listener.setAccepting(this.#isAccepting ?? !this.#context.load.stopsConnections);
      } else listener.update(bound);
      try {
        await listener.listen(sockets.filter((socket) => socket.listener === name));
      } catch (error) {
        failures.push(`listener ${name}: ${(error as Error).message}`);
        this.#isAccepting = undefined;
      }
      if (this.#isStopping) listener.drain();
    }
    this.#destinations.rebuild(this.#listeners.values());
    if (this.#listeners.size > 0 && !this.#takesConnections && !this.#isStopping) {
      this.#takesConnections = true;
      this.#services.balancer.open(this.#onGiven);
    }
    return failures.length === 0 ? undefined : failures.join("; ");
  }

  /** A connection that another worker has accepted. A listener that is gone meanwhile serves nobody. */
  readonly #onGiven = (socket: FastSocket, listeningSocketId: number): void => {
    const listeners = [...this.#listeners.values(), ...this.#retired];
    const listener = listeners.find((candidate) => candidate.has(listeningSocketId));
    if (listener === undefined) socket.destroy();
    else listener.takeOver(socket, undefined);
  };

  /** What an overload demands of the thread as a whole, and of what is open and waits; what it demands of what comes is seen there. */
  #lookAtLoad(): void {
    const { load } = this.#context;
    load.sampleHeap();
    this.#shrinker.run(load.shared, performance.now());
    if (load.reducesTimeouts) {
      const now = this.#context.timers.now();
      for (const listener of [...this.#listeners.values(), ...this.#retired]) listener.reduceTimeouts(now);
    }
    const resets = resetHeldStreams(load, (leastBytes) => this.#heldStreams(leastBytes));
    if (resets > 0) this.#context.metrics.streamsReset(resets);
    if (this.#isAccepting === !load.stopsConnections || this.#isSwitching) return;
    this.#isSwitching = true;
    this.#inTurn(() => this.#switchAccepting());
  }

  #heldStreams(leastBytes: number): HeldStream[] {
    const found: HeldStream[] = [];
    for (const listener of [...this.#listeners.values(), ...this.#retired]) listener.findHeldStreams(leastBytes, found);
    return found;
  }

  /** Tried with each pulse until it is done: an overload may leave no descriptors to listen with. */
  async #switchAccepting(): Promise<void> {
    const accepts = !this.#context.load.stopsConnections;
    const outcomes = await Promise.allSettled(
      [...this.#listeners.values()].map((listener) => listener.setAccepting(accepts)),
    );
    this.#isSwitching = false;
    const failed = outcomes.find((outcome) => outcome.status === "rejected");
    if (failed === undefined) {
      this.#isAccepting = accepts;
      this.#logger.info(accepts ? "connections are accepted again" : "connections are not accepted: overload");
      return;
    }
    if (this.#isAccepting !== undefined)
      this.#logger.error("connections cannot be accepted again; tried until they can", { error: failed.reason });
    this.#isAccepting = undefined;
  }

  /** Goes on accepting until nobody has come for a while: whoever waits when a socket is closed is reset. */
  #stopAccepting(quietMs: number): void {
    if (quietMs === 0) return this.#inTurn(async () => this.#drain());
    const accepted = (): number =>
      [...this.#listeners.values()].reduce((sum, listener) => sum + listener.acceptedCount, 0);
    let [before, waits, quietTurns] = [accepted(), 0, 0];
    const look = (): void => {
      const now = accepted();
      const isQuiet = now === before;
      before = now;
      quietTurns = isQuiet ? quietTurns + 1 : 0;
      // A turn accepts one connection, however long it takes: a few without any show that nobody waits. Bounded, for where the kernel cannot be told to begin no more.
      if (quietTurns > quietTurnsWanted || waits >= mostQuietWaits) return this.#inTurn(async () => this.#drain());
      if (isQuiet) setImmediate(look);
      else {
        waits += 1;
        setTimeout(look, quietMs);
      }
    };
    setTimeout(look, quietMs);
  }

  #drain(): void {
    this.#hasStoppedAccepting = true;
    for (const listener of this.#listeners.values()) listener.drain();
    // The others may have given it something until now; whatever comes later they keep.
    this.#services.balancer.close(this.#onGiven);
    this.#reportIfDrained();
  }

  #cut(): void {
    this.#isStopping = true;
    this.#context.isDraining = true;
    this.#hasStoppedAccepting = true;
    for (const listener of [...this.#listeners.values(), ...this.#retired]) listener.cut();
    this.#reportIfDrained();
  }

  #reportIfDrained(): void {
    for (const retired of this.#retired) if (retired.connectionCount === 0) this.#retired.delete(retired);
    if (!this.#hasStoppedAccepting) return;
    const open = [...this.#listeners.values(), ...this.#retired].reduce(
      (sum, listener) => sum + listener.connectionCount,
      0,
    );
    if (open > 0) return;
    // Whoever takes over counts on from what is published now.
    this.#publish();
    void this.#accessLogs.flush().then(() => this.#report({ type: "drained" }));
  }

  /** Endpoints of ORIGINAL_DST clusters that nobody wants any more go, and their idle connections with them. */
  #sweep(): void {
    const { live, snapshot, transport, timers } = this.#context;
    if (live.sweepDestinations(snapshot, timers.now())) transport.retain(snapshot.clusters);
  }

  #publish(): void {
    const { metrics, live, snapshot } = this.#context;
    metrics.publish(live, snapshot.clusters.values(), this.#isFirst);
  }

  #announce(series: MetricAnnouncement): void {
    this.#announcements.push(series);
    if (this.#announcements.length > 1) return;
    setImmediate(() => {
      const announcements = this.#announcements;
      this.#announcements = [];
      this.#report({ type: "series", announcements });
    });
  }

  #report(report: WorkerReport): void {
    this.#port.postMessage(report);
  }
}
