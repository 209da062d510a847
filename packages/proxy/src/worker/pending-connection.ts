import { errorEntry, type TimerHandle } from "@heddle/core";
import {
  authorizeConnection,
  type BoundFilterChain,
  type BoundListener,
  type ConnectionView,
  matchFilterChain,
} from "@heddle/engine";
import {
  type ConnectionInspection,
  type StreamSocket,
  inspectConnection,
  type InspectionHandler,
  type InspectionStat,
  type Inspector,
  nothingKnown,
  type SocketAddress,
  type SocketFailure,
  type SocketHandler,
} from "@heddle/net";
import type { ConnectionBalancer } from "./connection-balancer.ts";
import { ConnectionAccount } from "./connection-account.ts";
import type { WorkerContext } from "./context.ts";
import { FirstBytes } from "./first-bytes.ts";
import type { HttpChain, HttpChains } from "./http-chain.ts";
import { Http1Connection } from "./http1-connection.ts";
import { Http2ServerConnection } from "./http2-connection.ts";
import type { ListenerStats } from "./listener-stats.ts";
import type { ServerTlsContexts } from "./server-tls-contexts.ts";
import type { ChainSlot, ConnectionObserver, ServedConnection } from "./served-connection.ts";
import { TcpRelay } from "./tcp-relay.ts";
import { chainLimitKey } from "./worker-load.ts";

/** A handshake that takes longer holds memory for nobody (Envoy has no limit unless `transport_socket_connect_timeout` sets one). */
export const defaultHandshakeMs = 15_000;

/** Timers of an idle worker are half a second late: who waits for less than this would notice. */
const preciseBelowMs = 2_000;

/** What a listener needs of its worker. */
export interface ListenerServices {
  readonly worker: WorkerContext;
  readonly chains: HttpChains;
  readonly tls: ServerTlsContexts;
  readonly onIdle: () => void;
  readonly balancer: ConnectionBalancer;
  /** The listener that stands for this destination; undefined: none. */
  readonly listenerAt: (destination: SocketAddress) => ConnectionHost | undefined;
}

/** What an accepted connection needs of its listener. */
export interface ConnectionHost extends ConnectionObserver {
  readonly bound: BoundListener;
  readonly services: ListenerServices;
  readonly stats: ListenerStats;
  slotOf(chain: BoundFilterChain): ChainSlot;
  /** Serves a connection that another listener accepted and that was meant for the address of this one. */
  takeOver(socket: StreamSocket, known: ConnectionInspection): void;
  /** Another listener has taken the connection over. */
  onHandedOff(pending: PendingConnection): void;
  /** The connection has passed everything before its terminal filter. */
  serve(pending: PendingConnection, connection: ServedConnection): void;
  onPendingClosed(pending: PendingConnection): void;
}

/** A connection between accept and its terminal filter. */
export class PendingConnection implements SocketHandler, InspectionHandler {
  readonly #listener: ConnectionHost;
  readonly #socket: StreamSocket;
  readonly account: ConnectionAccount;
  isInFilters = true;
  /** Timers are on time for its sake. */
  #isHurried = false;
  #chain: BoundFilterChain | undefined;
  #inspection: ConnectionInspection;
  readonly #mayBeHandedOff: boolean;
  #timer: TimerHandle | undefined;
  /** Time of the handshake that is in progress; 0: there is none. */
  #handshakeMs = 0;
  #handshakeAtMs = 0;

  /** @param known undefined: the listener has accepted it itself, and may hand it on */
  constructor(listener: ConnectionHost, socket: StreamSocket, known: ConnectionInspection | undefined) {
    this.#listener = listener;
    this.#inspection = known ?? nothingKnown;
    this.#mayBeHandedOff = known === undefined;
    this.#socket = socket;
    this.account = new ConnectionAccount(socket);
  }

  begin(): void {
    const { bound, services } = this.#listener;
    const { listenerFiltersTimeoutMs } = bound.config;
    this.#take();
    inspectConnection(
      this.#socket,
      bound.filters,
      listenerFiltersTimeoutMs,
      services.worker.timers,
      this,
      this.#inspection,
    );
    if (!this.isInFilters || listenerFiltersTimeoutMs <= 0 || listenerFiltersTimeoutMs > preciseBelowMs) return;
    this.#isHurried = true;
    services.worker.timers.enter();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** `reduce_timeouts` is active: a handshake that has taken its reduced time ends. */
  reduceTimeouts(nowMs: number): void {
    const fullMs = this.#handshakeMs;
    if (fullMs === 0) return;
    const byMs = this.#listener.services.worker.load.reductionMs("TRANSPORT_SOCKET_CONNECT", fullMs);
    if (byMs > 0 && nowMs - this.#handshakeAtMs >= fullMs - byMs) this.#socket.destroy();
  }

  onInspected(inspection: ConnectionInspection): void {
    const { bound, stats } = this.#listener;
    this.#leaveFilters();
    this.#inspection = inspection;
    if (inspection.decision === "timeout") stats.filtersTimedOut.add(1);
    this.#take();
    if (inspection.decision === "timeout" && !bound.config.continueOnListenerFiltersTimeout) this.#socket.destroy();
    else this.#settle();
  }

  onInspectionFailed(reason: string): void {
    const { bound, stats, services } = this.#listener;
    this.#leaveFilters();
    stats.filtersFailed.add(1);
    this.account.details = "listener_filter_failed";
    const from = this.#socket.directRemoteAddress.host;
    services.worker.logger.info("a connection was not accepted", { listener: bound.name, from, reason });
    this.#take();
    this.#socket.destroy();
  }

  onInspectionClosed(failure: SocketFailure | undefined): void {
    this.#listener.stats.closedInFilters.add(1);
    this.onClose(failure);
  }

  onInspectionStat(stat: InspectionStat, inspector: Inspector): void {
    this.#listener.services.worker.metrics
      .inspection(stat, "statPrefix" in inspector ? String(inspector.statPrefix) : "")
      .add(1);
  }

  #leaveFilters(): void {
    if (this.#isHurried) this.#listener.services.worker.timers.leave();
    this.#isHurried = false;
  }

  /** As in Envoy, all filters of the listener that accepted come first, and the one that takes over begins with its own. */
  #settle(): void {
    const { bound, services } = this.#listener;
    const { isDestinationRestored, localAddress } = this.#socket;
    const isForOther = this.#mayBeHandedOff && bound.config.handsOffByDestination && isDestinationRestored;
    const other = isForOther ? services.listenerAt(localAddress) : undefined;
    if (other === undefined || other === this.#listener) {
      this.isInFilters = false;
      this.#listener.stats.countConnection(this.#inspection.decision ?? "declared");
      return this.#choose();
    }
    this.isInFilters = false;
    // The other counts it before this one forgets it: a worker that drains must not take it for gone in between.
    other.takeOver(this.#socket, this.#inspection);
    this.#listener.onHandedOff(this);
  }

  #choose(): void {
    const { bound, stats, services } = this.#listener;
    const view = this.#view(undefined);
    this.account.view = view;
    const chain = matchFilterChain(bound, view);
    if (chain === undefined) {
      stats.noFilterChain.add(1);
      this.account.details = errorEntry("no_filter_chain").details;
      this.account.flag = "NR";
      services.worker.logger.debug("no filter chain for a connection", {
        listener: bound.name,
        from: view.remoteAddress.host,
        sni: view.sni,
        transport: view.transportProtocol,
      });
      return this.#socket.refuse("no_route");
    }
    this.#chain = chain;
    if (!this.#admit(chain)) return;
    if (chain.config.tls === undefined) return this.#enter(chain, view);
    const built = services.tls.get(chain.config.tls);
    if (!built.ok) {
      stats.sslErrors.add(1);
      services.worker.logger.error("a connection cannot be secured", { listener: bound.name, reason: built.reason });
      return this.#socket.destroy();
    }
    const { tlsHandshakeTimeoutMs } = chain.config;
    this.#handshakeMs = tlsHandshakeTimeoutMs > 0 ? tlsHandshakeTimeoutMs : defaultHandshakeMs;
    this.#handshakeAtMs = services.worker.timers.now();
    this.#timer = services.worker.timers.schedule(this.#handshakeMs, { onTimer: () => this.#endHandshake() });
    this.#socket.upgrade(built.context, Date.now, this);
  }

  #endHandshake(): void {
    this.#listener.stats.handshakesTimedOut.add(1);
    this.#socket.destroy();
  }

  /** The filter `connection_limit`: a connection above the limit of its chain is closed, after a while if that is wanted. */
  #admit({ name, config }: BoundFilterChain): boolean {
    const { connectionLimit } = config;
    if (connectionLimit === undefined) return true;
    const { bound, services } = this.#listener;
    const { load, metrics, timers } = services.worker;
    const limit = load.limit(chainLimitKey(bound.name, name));
    if (limit === undefined || !limit.isReached) {
      limit?.add(1);
      this.account.limit = limit;
      return true;
    }
    metrics.connectionsLimited(connectionLimit.statPrefix);
    this.account.details = "connection_limit";
    this.#take();
    if (connectionLimit.delayMs === 0) this.#socket.destroy();
    else this.#timer = timers.schedule(connectionLimit.delayMs, { onTimer: () => this.#socket.destroy() });
    return false;
  }

  /** The handshake is done and the peer is who it says. */
  onReady(): void {
    this.#cancelTimer();
    this.#handshakeMs = 0;
    if (this.#chain !== undefined) this.#enter(this.#chain, this.#view(this.#chain));
  }

  #enter(chain: BoundFilterChain, view: ConnectionView): void {
    const { bound, stats, services } = this.#listener;
    const { worker } = services;
    this.account.view = view;
    const decision = authorizeConnection(chain, view);
    if (!decision.allowed) {
      stats.denied.add(1);
      this.account.details = decision.details;
      worker.logger.info("a connection was denied", {
        listener: bound.name,
        from: view.peer?.principal ?? view.remoteAddress.host,
        details: decision.details,
      });
      return this.#socket.refuse("rbac_denied");
    }
    const { perConnectionBufferBytes } = bound.config;
    if (perConnectionBufferBytes > 0)
      this.#socket.highWaterBytes = Math.min(perConnectionBufferBytes, this.#socket.highWaterBytes);
    const slot = this.#listener.slotOf(chain);
    const http = services.chains.of(bound, chain);
    const connection =
      http === undefined
        ? new TcpRelay(worker, this.#socket, slot, this.account, view, this.#listener)
        : this.#serveHttp(slot, http, view);
    this.#listener.serve(this, connection);
    this.#socket.start(connection);
  }

  #serveHttp(slot: ChainSlot, http: HttpChain, view: ConnectionView): ServedConnection & SocketHandler {
    this.#socket.accept();
    http.stats.connectionsTotal.add(1);
    http.stats.connectionsActive.add(1);
    const Connection = connectionOf(http.hcm.config.codec, this.#socket.tls?.alpn ?? "");
    const { worker } = this.#listener.services;
    return new Connection({ worker, socket: this.#socket, slot, chain: http, view, observer: this.#listener });
  }

  /** What is known of the connection; `chain` when its TLS is established. */
  #view(chain: BoundFilterChain | undefined): ConnectionView {
    const { remoteAddress, directRemoteAddress, localAddress, tls } = this.#socket;
    return {
      peer: tls?.peer,
      localPrincipal: tls?.localPrincipal ?? "",
      remoteAddress,
      directRemoteAddress,
      localAddress,
      // What a tunnel carries is as safe as the tunnel.
      isTls: tls !== undefined,
      sni: tls?.sni ?? this.#inspection.sni,
      applicationProtocols: tls === undefined || tls.alpn === "" ? this.#inspection.applicationProtocols : [tls.alpn],
      transportProtocol: chain === undefined ? this.#inspection.transportProtocol : "tls",
      isDestinationRestored: this.#socket.isDestinationRestored,
      proxyTlvs: this.#inspection.proxyTlvs,
    };
  }

  /** The socket has no handler of its own until it is upgraded: this one hears of its end. */
  #take(): void {
    this.#socket.handler = this;
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#listener.services.worker.timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  onBytes(): number {
    return 0;
  }
  onEnd(): void {
    this.#socket.destroy();
  }
  onDrain(): void {}

  onClose(failure: SocketFailure | undefined): void {
    this.#leaveFilters();
    this.#cancelTimer();
    if (failure !== undefined && this.#chain !== undefined) {
      this.account.details = failure.text;
      const { bound, stats, services } = this.#listener;
      stats.sslErrors.add(1);
      services.worker.logger.info("a connection was not accepted", {
        listener: bound.name,
        from: this.#socket.remoteAddress.host,
        reason: failure.text,
      });
    }
    this.#listener.onPendingClosed(this);
  }
}

type HttpConnection = typeof Http1Connection | typeof Http2ServerConnection | typeof FirstBytes;

/** Configuration says what is spoken, else ALPN, else the first bytes. */
function connectionOf(codec: "auto" | "http1" | "http2", alpn: string): HttpConnection {
  if (codec === "http2" || (codec === "auto" && alpn === "h2")) return Http2ServerConnection;
  return codec === "http1" || alpn !== "" ? Http1Connection : FirstBytes;
}
