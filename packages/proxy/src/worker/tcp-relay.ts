import { type ErrorCode, errorEntry } from "@heddle/core";
import {
  type BoundCluster,
  type BoundEndpoint,
  chooseTcpCluster,
  type ConnectionView,
  pickEndpoint,
} from "@heddle/engine";
import type { ClientTlsContext, SocketFailure, SocketHandler, StreamSocket } from "@heddle/net";
import type { Dialing, DialOwner } from "@heddle/upstream";
import type { BoundAccessLog } from "./access-logs.ts";
import type { ConnectionAccount } from "./connection-account.ts";
import type { WorkerContext } from "./context.ts";
import { type Deadline, deadline, type DeadlineOwner, Deadlines } from "./deadlines.ts";
import { shedsLoad } from "./load-shedding.ts";
import type { TcpStats } from "./metrics.ts";
import { encodePeerMetadata } from "./peer-metadata.ts";
import type { ChainSlot, ConnectionObserver, ServedConnection } from "./served-connection.ts";

/**
 * The `tcp_proxy` filter: bytes both ways between a client and an endpoint, each side's end passed on by itself. A side that
 * reads slowly stops the other from being read. Nothing is written to the client before the endpoint is there.
 */
export class TcpRelay implements ServedConnection, SocketHandler, DeadlineOwner {
  readonly view: ConnectionView;
  readonly slot: ChainSlot;
  readonly #worker: WorkerContext;
  readonly #client: StreamSocket;
  readonly #account: ConnectionAccount;
  readonly #observer: ConnectionObserver;
  /** As configured when the connection came: a chain that is gone must not take its log with it. */
  readonly #logs: readonly BoundAccessLog[];
  readonly #deadlines: Deadlines;
  readonly #idleTimeoutMs: number;
  readonly #stats: TcpStats;
  #attemptsLeft: number;
  #upstream: UpstreamLeg | undefined;
  #hasClientEnded = false;
  #isClosed = false;
  /** Broken off by this side. */
  #isDestroyed = false;
  /** Both sides have ended, and the client is gone; what it sent is still on its way. */
  #isFlushing = false;
  /** Why there is no endpoint. */
  #failureCode: ErrorCode = "no_healthy_upstream";

  constructor(
    worker: WorkerContext,
    client: StreamSocket,
    slot: ChainSlot,
    account: ConnectionAccount,
    view: ConnectionView,
    observer: ConnectionObserver,
  ) {
    this.#worker = worker;
    this.#client = client;
    this.slot = slot;
    this.#account = account;
    this.view = view;
    this.#observer = observer;
    this.#deadlines = new Deadlines(worker.timers, this);
    const tcp = slot.chain?.tcp;
    this.#logs = worker.accessLogs.bind(tcp?.accessLogs ?? []);
    this.#stats = worker.metrics.tcp(tcp?.statPrefix ?? "");
    this.#stats.connections.add(1);
    this.#idleTimeoutMs = tcp?.idleTimeoutMs ?? 0;
    this.#attemptsLeft = tcp?.maxConnectAttempts ?? 1;
    const now = worker.timers.now();
    this.#deadlines.set(deadline.idle, now, this.#idleTimeoutMs);
    this.#deadlines.set(deadline.connectionDuration, now, tcp?.maxDownstreamConnectionDurationMs ?? 0);
    this.#connect();
  }

  /** A byte stream has no place at which it could be ended without loss: it ends with the worker. */
  drain(): void {
    if (this.slot.chain === undefined) this.destroy();
  }

  /** By a reset, so that nobody takes what came so far for the whole. */
  cut(): void {
    this.#account.details = errorEntry("draining").details;
    this.#account.flag = errorEntry("draining").flag;
    this.#isDestroyed = true;
    this.#client.reset();
    this.#upstream?.reset();
  }

  /** Its idle time is none of those that `reduce_timeouts` knows. */
  reduceTimeouts(): void {}

  destroy(): void {
    this.#isDestroyed = true;
    this.#client.destroy();
    this.#upstream?.destroy();
  }

  #connect(): void {
    const { worker, chain } = { worker: this.#worker, chain: this.slot.chain };
    const cluster = chain === undefined ? undefined : chooseTcpCluster(worker.snapshot, chain, worker.random);
    const endpoint =
      cluster === undefined ? undefined : pickEndpoint(worker.live, cluster, worker.random, this.view, undefined);
    if (cluster === undefined || endpoint === undefined || this.#attemptsLeft <= 0) {
      worker.logger.info("a TCP connection has no endpoint", {
        cluster: cluster?.name ?? "",
        from: this.view.remoteAddress.host,
      });
      const hasFailed = this.#account.transportFailure !== "";
      if (cluster === undefined) this.#stats.noRoute.add(1);
      if (cluster === undefined) this.#account.flag = "NC";
      else if (this.#attemptsLeft <= 0) this.#account.flag = "UF,URX";
      else this.#account.flag = hasFailed ? "UF,UH" : "UH";
      return this.#client.refuse(cluster === undefined ? "no_cluster" : this.#failureCode);
    }
    this.#attemptsLeft -= 1;
    this.#account.upstreamCluster = cluster.name;
    this.#account.upstreamHost = endpoint.address;
    const tls = endpoint.tls === undefined ? undefined : worker.upstreamTls.get(endpoint.tls);
    // Never in plaintext instead: an endpoint that wants TLS gets TLS or nothing.
    if (tls?.ok === false) {
      this.#account.transportFailure = `TLS error: ${tls.reason}`;
      return this.#connect();
    }
    if (
      !worker.live.mayConnect(cluster) ||
      shedsLoad(worker, "envoy.load_shed_points.connection_pool_new_connection")
    ) {
      this.#account.flag = "UO";
      return this.#client.refuse("overflow");
    }
    worker.live.acquireConnection(cluster, endpoint);
    const leg = new UpstreamLeg(this, worker, cluster, endpoint);
    this.#upstream = leg;
    leg.connect(tls?.context);
  }

  /** @internal what a tunnel to the endpoint says of who it is for */
  get announcement(): string | undefined {
    const local = this.slot.chain?.config.peerMetadata;
    return local === undefined ? undefined : encodePeerMetadata(local);
  }

  // The client's side ---------------------------------------------------------------------------

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    this.#touch();
    const upstream = this.#upstream;
    // Kept by the socket until the endpoint is there.
    if (upstream?.socket === undefined) return 0;
    this.#stats.receivedBytes.add(end - start);
    if (upstream.socket.write(bytes, start, end)) return end - start;
    this.#stats.pausedReading.add(1);
    this.#client.pause();
    return end - start;
  }

  onEnd(): void {
    this.#hasClientEnded = true;
    // An endpoint that is not there yet is told when it is: this one may fail, and TLS cannot begin on a half that has ended.
    this.#upstream?.socket?.end();
  }

  onDrain(): void {
    this.#upstream?.socket?.resume();
  }

  onClose(failure: SocketFailure | undefined): void {
    if (this.#isClosed) return;
    if (failure !== undefined) this.#upstream?.reset();
    else if (this.#isDestroyed || this.#upstream?.socket === undefined) this.#upstream?.destroy();
    else {
      // In order: the endpoint has ended, too, and its connection closes when it has taken the rest (Envoy's upstream flush).
      this.#isFlushing = true;
      this.#stats.flushed.add(1);
      this.#stats.flushing.add(1);
      return this.#touch();
    }
    this.#finish();
  }

  #finish(): void {
    this.#isClosed = true;
    this.#deadlines.stop();
    if (this.#isFlushing) this.#stats.flushing.add(-1);
    this.#account.write(this.#logs);
    this.#observer.onConnectionClosed(this);
  }

  onDeadline(which: Deadline): void {
    if (which === deadline.idle) this.#stats.idleTimeouts.add(1);
    if (which === deadline.connectionDuration) {
      this.#stats.aged.add(1);
      const { details, flag } = errorEntry("connection_duration");
      this.#account.details = details;
      this.#account.flag = flag;
    }
    this.destroy();
  }

  // The endpoint's side -------------------------------------------------------------------------

  /** @internal */
  upstreamReady(): void {
    this.#touch();
    this.#client.accept();
    this.#client.resume();
    if (this.#hasClientEnded) this.#upstream?.socket?.end();
  }

  /** @internal */
  upstreamBytes(bytes: Buffer, start: number, end: number): void {
    this.#touch();
    this.#stats.sentBytes.add(end - start);
    if (!this.#client.write(bytes, start, end)) this.#upstream?.socket?.pause();
  }

  /** @internal */
  upstreamEnded(): void {
    this.#client.end();
  }

  /** @internal */
  upstreamDrained(): void {
    this.#stats.resumedReading.add(1);
    this.#client.resume();
  }

  /** @internal */
  upstreamClosed(wasReady: boolean, failure: SocketFailure | undefined): void {
    this.#upstream = undefined;
    if (this.#isClosed) return;
    if (this.#isFlushing) return this.#finish();
    this.#account.transportFailure = failure?.text ?? "";
    this.#failureCode = failure?.code ?? "upstream_connect_failed";
    if (!wasReady) return this.#connect();
    // In order: both sides have ended. The client's connection closes by itself when it has taken the rest, for which it has as long as nothing
    // else ends it (Envoy's FlushWrite).
    if (failure !== undefined) this.#client.reset();
  }

  #touch(): void {
    this.#deadlines.set(deadline.idle, this.#worker.timers.now(), this.#idleTimeoutMs);
  }
}

/** The connection to an endpoint. */
class UpstreamLeg implements SocketHandler, DialOwner {
  readonly #relay: TcpRelay;
  readonly #worker: WorkerContext;
  readonly #cluster: BoundCluster;
  readonly #endpoint: BoundEndpoint;
  #dial: Dialing | undefined;
  #socket: StreamSocket | undefined;

  constructor(relay: TcpRelay, worker: WorkerContext, cluster: BoundCluster, endpoint: BoundEndpoint) {
    this.#relay = relay;
    this.#worker = worker;
    this.#cluster = cluster;
    this.#endpoint = endpoint;
  }

  /** The outcome, be it that the endpoint cannot be had at all, comes to the relay. */
  connect(tls: ClientTlsContext | undefined): void {
    const { timers } = this.#worker;
    const [cluster, endpoint] = [this.#cluster, this.#endpoint];
    const client = this.#relay.view;
    const { announcement } = this.#relay;
    this.#dial = this.#worker.tunnels.dial({
      cluster,
      endpoint,
      tls,
      isTunnelled: endpoint.tunnel !== undefined,
      client,
      timers,
      wallMs: Date.now,
      owner: this,
      announcement,
    });
  }

  /** undefined until the endpoint is there. */
  get socket(): StreamSocket | undefined {
    return this.#socket;
  }

  get isReady(): boolean {
    return this.#socket !== undefined;
  }

  destroy(): void {
    if (this.#socket === undefined) this.#dial?.close();
    else this.#socket.destroy();
  }

  /** Passes on that the client broke the connection off. */
  reset(): void {
    if (this.#socket === undefined) this.#dial?.close();
    else this.#socket.reset();
  }

  onDialed(_dial: Dialing, socket: StreamSocket): void {
    this.#socket = socket;
    socket.start(this);
    this.#relay.upstreamReady();
  }

  onDialFailed(_dial: Dialing, failure: SocketFailure, isCountedElsewhere = false): void {
    if (failure.code === "upstream_connect_timeout" && !isCountedElsewhere)
      this.#worker.live.cluster(this.#cluster).connectTimeouts++;
    this.#over(failure);
  }

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    this.#relay.upstreamBytes(bytes, start, end);
    return end - start;
  }

  onEnd(): void {
    this.#relay.upstreamEnded();
  }

  onDrain(): void {
    this.#relay.upstreamDrained();
  }

  onClose(failure: SocketFailure | undefined): void {
    this.#over(failure);
  }

  #over(failure: SocketFailure | undefined): void {
    this.#worker.live.releaseConnection(this.#cluster, this.#endpoint);
    this.#relay.upstreamClosed(this.isReady, failure);
  }
}
