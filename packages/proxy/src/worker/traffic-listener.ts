import type { TimerHandle, TimerWheel } from "@heddle/core";
import {
  authorizeConnection,
  type BoundFilterChain,
  type BoundListener,
  type ConnectionView,
  matchFilterChain,
} from "@heddle/engine";
import {
  type ConnectionInspection,
  type FastSocket,
  inspectConnection,
  type Inspector,
  type Listener,
  openListener,
  type SocketFailure,
  type SocketHandler,
} from "@heddle/net";
import type { CounterHandle, GaugeHandle } from "@heddle/telemetry";
import type { ChainSlot, ServedConnection } from "./served-connection.ts";
import type { WorkerContext } from "./context.ts";
import type { HttpChains } from "./http-chain.ts";
import { Http1Connection } from "./http1-connection.ts";
import type { ListenerSocket } from "./messages.ts";
import type { ServerTlsContexts } from "./secret-store.ts";
import { TcpRelay } from "./tcp-relay.ts";

/** A handshake that takes longer holds memory for nobody (Envoy has no limit unless `transport_socket_connect_timeout` sets one). */
const defaultHandshakeMs = 15_000;
/** Connections of one listener on one worker; hardening's 10,000. */
const maxConnections = 10_000;

/** What a listener needs of its worker. */
export interface ListenerServices {
  readonly worker: WorkerContext;
  readonly chains: HttpChains;
  readonly tls: ServerTlsContexts;
  readonly onIdle: () => void;
}

/** Envoy's statistics of one listener: `listener.<address>.*`. */
class ListenerStats {
  readonly total: CounterHandle;
  readonly active: GaugeHandle;
  readonly overflow: CounterHandle;
  readonly noFilterChain: CounterHandle;
  readonly sslErrors: CounterHandle;
  readonly denied: CounterHandle;

  constructor({ metrics }: WorkerContext, name: string) {
    const labels = [["envoy_listener_address", name]] as const;
    const counter = (stat: string, help: string): CounterHandle =>
      metrics.writer.counter(`envoy_listener_${stat}`, help, labels, `listener.${name}.${stat}`);
    this.total = counter("downstream_cx_total", "Connections accepted.");
    this.active = metrics.writer.gauge(
      "envoy_listener_downstream_cx_active",
      "Connections open.",
      labels,
      `listener.${name}.downstream_cx_active`,
    );
    this.overflow = counter("downstream_cx_overflow", "Connections refused because too many were open.");
    this.noFilterChain = counter("no_filter_chain_match", "Connections that no filter chain wanted.");
    this.sslErrors = counter("ssl_connection_error", "TLS handshakes that failed.");
    this.denied = counter("rbac_denied", "Connections that policy denied.");
  }
}

/** One listener of one worker: accepts, looks at first bytes, picks the filter chain, does TLS and network policy. */
export class TrafficListener {
  readonly services: ListenerServices;
  readonly stats: ListenerStats;
  bound: BoundListener;
  readonly #name: string;
  #listeners: { readonly socket: ListenerSocket; readonly listener: Listener }[] = [];
  readonly #connections = new Set<ServedConnection>();
  readonly #pending = new Set<PendingConnection>();
  /** What connections of each chain serve from: the current version of the chain of that name. */
  readonly #slots = new Map<string, ChainSlot>();
  #isClosed = false;

  constructor(bound: BoundListener, services: ListenerServices) {
    this.bound = bound;
    this.services = services;
    this.#name = bound.name;
    this.stats = new ListenerStats(
      services.worker,
      bound.config.statPrefix === "" ? bound.name : bound.config.statPrefix,
    );
  }

  get connectionCount(): number {
    return this.#connections.size + this.#pending.size;
  }

  /** Listens on exactly these sockets; what is listened on already stays untouched. */
  async listen(sockets: readonly ListenerSocket[]): Promise<void> {
    const kept = this.#listeners.filter((open) => sockets.some((socket) => isSame(socket, open.socket)));
    const fresh = sockets.filter((socket) => !this.#listeners.some((open) => isSame(socket, open.socket)));
    for (const open of this.#listeners) if (!kept.includes(open)) open.listener.close();
    this.#listeners = kept;
    for (const socket of fresh) {
      const { tcpBacklog } = this.bound.config;
      const listener = await openListener(
        { host: socket.host, port: socket.port },
        {
          descriptor: socket.fd,
          ...(tcpBacklog === undefined ? {} : { backlog: tcpBacklog }),
          onConnection: (accepted) => this.#accept(accepted),
          onAcceptError: (cause) =>
            this.services.worker.logger.error("connections cannot be accepted", { listener: this.#name, cause }),
        },
      );
      if (this.#isClosed) listener.close();
      else this.#listeners.push({ socket, listener });
    }
  }

  /**
   * Goes over to a new version. Connections stay, and their next request meets the new version of their chain; those whose
   * chain is gone, or that the new policy denies, end.
   */
  update(bound: BoundListener): void {
    this.bound = bound;
    const chains = new Map(
      [...bound.chains, ...(bound.defaultChain === undefined ? [] : [bound.defaultChain])].map((chain) => [
        chain.name,
        chain,
      ]),
    );
    for (const [name, slot] of this.#slots) {
      const chain = chains.get(name);
      slot.chain = chain;
      slot.http = chain === undefined ? undefined : this.services.chains.of(bound, chain);
    }
    for (const connection of this.#connections) {
      const { chain } = connection.slot;
      if (chain === undefined) connection.drain();
      else if (!authorizeConnection(chain, connection.view).allowed) connection.destroy();
    }
  }

  /** Accepts nothing more; what is open ends with its next response. */
  drain(): void {
    this.#isClosed = true;
    for (const { listener } of this.#listeners) listener.close();
    this.#listeners = [];
    for (const pending of this.#pending) pending.destroy();
    for (const connection of this.#connections) connection.drain();
  }

  /** Ends everything now. */
  close(): void {
    this.drain();
    for (const connection of this.#connections) connection.destroy();
  }

  slotOf(chain: BoundFilterChain): ChainSlot {
    let slot = this.#slots.get(chain.name);
    if (slot === undefined) {
      slot = { chain, http: this.services.chains.of(this.bound, chain) };
      this.#slots.set(chain.name, slot);
    }
    return slot;
  }

  #accept(socket: FastSocket): void {
    this.stats.total.add(1);
    if (this.connectionCount >= maxConnections) {
      this.stats.overflow.add(1);
      socket.destroy();
      return;
    }
    this.stats.active.add(1);
    const pending = new PendingConnection(this, socket);
    this.#pending.add(pending);
    pending.begin();
  }

  /** A connection has passed everything before its terminal filter. */
  serve(pending: PendingConnection, connection: ServedConnection): void {
    this.#pending.delete(pending);
    this.#connections.add(connection);
    if (this.#isClosed) connection.drain();
  }

  onPendingClosed(pending: PendingConnection): void {
    if (!this.#pending.delete(pending)) return;
    this.stats.active.add(-1);
    this.services.onIdle();
  }

  onConnectionClosed(connection: ServedConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.stats.active.add(-1);
    this.services.onIdle();
  }
}

/** A connection between accept and its terminal filter. */
class PendingConnection implements SocketHandler {
  readonly #listener: TrafficListener;
  readonly #socket: FastSocket;
  #chain: BoundFilterChain | undefined;
  #inspection: ConnectionInspection = notInspected;
  #timer: TimerHandle | undefined;

  constructor(listener: TrafficListener, socket: FastSocket) {
    this.#listener = listener;
    this.#socket = socket;
  }

  begin(): void {
    const { bound, services } = this.#listener;
    const inspectors = inspectorsOf(bound);
    if (inspectors.length === 0) return this.#choose();
    const timers = services.worker.timers as unknown as TimerWheel;
    inspectConnection(this.#socket, inspectors, bound.config.listenerFiltersTimeoutMs, timers, {
      onInspected: (_socket, inspection) => {
        this.#inspection = inspection;
        if (inspection.hasTimedOut && !bound.config.continueOnListenerFiltersTimeout) this.#socket.destroy();
        else this.#choose();
      },
      onInspectionClosed: () => this.onClose(undefined),
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #choose(): void {
    const { bound, stats, services } = this.#listener;
    const view = this.#view(undefined);
    const chain = matchFilterChain(bound, view);
    if (chain === undefined) {
      stats.noFilterChain.add(1);
      services.worker.logger.debug("no filter chain for a connection", {
        listener: bound.name,
        from: view.remoteAddress.host,
        sni: view.sni,
        transport: view.transportProtocol,
      });
      this.#take();
      return this.#socket.destroy();
    }
    this.#chain = chain;
    if (chain.config.tls === undefined) return this.#enter(chain, view);
    const built = services.tls.get(chain.config.tls);
    if (!built.ok) {
      stats.sslErrors.add(1);
      services.worker.logger.error("a connection cannot be secured", { listener: bound.name, reason: built.reason });
      this.#take();
      return this.#socket.destroy();
    }
    const timeoutMs = chain.config.tlsHandshakeTimeoutMs > 0 ? chain.config.tlsHandshakeTimeoutMs : defaultHandshakeMs;
    this.#timer = services.worker.timers.schedule(timeoutMs, { onTimer: () => this.#socket.destroy() });
    this.#socket.upgrade(built.context, Date.now, this);
  }

  /** The handshake is done and the peer is who it says. */
  onReady(): void {
    this.#cancelTimer();
    if (this.#chain !== undefined) this.#enter(this.#chain, this.#view(this.#chain));
  }

  #enter(chain: BoundFilterChain, view: ConnectionView): void {
    const { bound, stats, services } = this.#listener;
    const { worker } = services;
    const decision = authorizeConnection(chain, view);
    if (!decision.allowed) {
      stats.denied.add(1);
      worker.logger.info("a connection was denied", {
        listener: bound.name,
        from: view.peer?.principal ?? view.remoteAddress.host,
        details: decision.details,
      });
      this.#take();
      return this.#socket.destroy();
    }
    const slot = this.#listener.slotOf(chain);
    const http = services.chains.of(bound, chain);
    const connection =
      http === undefined
        ? new TcpRelay(worker, this.#socket, slot, view, this.#listener)
        : new Http1Connection(worker, this.#socket, slot, http, view, this.#listener);
    this.#listener.serve(this, connection);
    this.#socket.start(connection);
  }

  /** What is known of the connection; `chain` when its TLS is established. */
  #view(chain: BoundFilterChain | undefined): ConnectionView {
    const { remoteAddress, localAddress, tls } = this.#socket;
    return {
      peer: tls?.peer,
      localPrincipal: tls?.localPrincipal ?? "",
      remoteAddress,
      localAddress,
      isTls: chain !== undefined,
      sni: tls?.sni ?? this.#inspection.sni,
      applicationProtocols: tls === undefined || tls.alpn === "" ? this.#inspection.applicationProtocols : [tls.alpn],
      transportProtocol: chain === undefined ? this.#inspection.transportProtocol : "tls",
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
    this.#cancelTimer();
    if (failure !== undefined && this.#chain !== undefined) {
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

const notInspected: ConnectionInspection = {
  transportProtocol: "raw_buffer",
  sni: "",
  applicationProtocols: [],
  hasTimedOut: false,
};
const bothInspectors: readonly Inspector[] = ["tls_inspector", "http_inspector"];
const tlsInspector: readonly Inspector[] = ["tls_inspector"];
const httpInspector: readonly Inspector[] = ["http_inspector"];
const noInspector: readonly Inspector[] = [];

/** The configured inspectors; the TLS inspector also where a chain could not be chosen without it, as Envoy injects it. */
function inspectorsOf({ config }: BoundListener): readonly Inspector[] {
  const usesHttp = config.listenerFilters.includes("http_inspector");
  const usesTls =
    config.listenerFilters.includes("tls_inspector") ||
    config.filterChains.some(
      ({ match }) =>
        match.serverNames.length > 0 || match.transportProtocol !== "" || match.applicationProtocols.length > 0,
    );
  if (usesTls) return usesHttp ? bothInspectors : tlsInspector;
  return usesHttp ? httpInspector : noInspector;
}

function isSame(left: ListenerSocket, right: ListenerSocket): boolean {
  return left.fd === right.fd && left.host === right.host && left.port === right.port;
}
