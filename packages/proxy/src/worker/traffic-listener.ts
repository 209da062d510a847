import { isDeepStrictEqual } from "node:util";
import { authorizeConnection, type BoundFilterChain, type BoundListener } from "@heddle/engine";
import {
  type ConnectionInspection,
  derBlocks,
  type Listener,
  openListener,
  type SocketAddress,
  type StreamSocket,
  verifyPeer,
} from "@heddle/net";
import type { CounterHandle } from "@heddle/telemetry";
import type { BoundAccessLog } from "./access-logs.ts";
import type { ConnectionAccount } from "./connection-account.ts";
import type { HeldStream } from "./held-streams.ts";
import { ListenerStats } from "./listener-stats.ts";
import { shedsLoad } from "./load-shedding.ts";
import type { ListenerSocket } from "./messages.ts";
import { type ConnectionHost, type ListenerServices, PendingConnection } from "./pending-connection.ts";
import type { ChainSlot, ServedConnection } from "./served-connection.ts";
import { listenerLimitKey, type WorkerLimit } from "./worker-load.ts";

/** One listener of one worker: it accepts, and knows every connection that came in by it. */
export class TrafficListener implements ConnectionHost {
  readonly services: ListenerServices;
  readonly stats: ListenerStats;
  bound: BoundListener;
  readonly #name: string;
  #listeners: { readonly socket: ListenerSocket; readonly listener: Listener }[] = [];
  readonly #connections = new Map<ServedConnection, ConnectionAccount>();
  readonly #pending = new Set<PendingConnection>();
  /** What connections of each chain serve from: the current version of the chain of that name. */
  readonly #slots = new Map<string, ChainSlot>();
  #accessLogs: readonly BoundAccessLog[];
  /** Connections of all workers; kept by this object, so that a listener that comes back under its name counts anew. */
  readonly #limit: WorkerLimit | undefined;
  /** What it is to listen on, also while it does not accept. */
  #sockets: readonly ListenerSocket[] = [];
  /** Connections accepted so far, refused ones included. */
  acceptedCount = 0;
  #isAccepting = true;
  #isClosed = false;

  constructor(bound: BoundListener, services: ListenerServices) {
    this.bound = bound;
    this.services = services;
    this.#name = bound.name;
    const { statPrefix, accessLogs } = bound.config;
    this.stats = new ListenerStats(
      services.worker.metrics,
      statPrefix === "" ? bound.name : statPrefix,
      services.worker.index,
    );
    this.#accessLogs = services.worker.accessLogs.bind(accessLogs);
    this.#limit = services.worker.load.limit(listenerLimitKey(bound.name));
  }

  get connectionCount(): number {
    return this.#connections.size + this.#pending.size;
  }

  /** What it stands for when the destination of a connection is looked up, also while it does not accept. */
  get addresses(): readonly SocketAddress[] {
    const { bindToPort, addresses } = this.bound.config;
    return bindToPort ? this.#sockets : addresses;
  }

  /** Listens on exactly these sockets; what is listened on already stays untouched. */
  async listen(sockets: readonly ListenerSocket[]): Promise<void> {
    this.#sockets = sockets;
    await this.#listenOn(this.#isAccepting ? sockets : []);
  }

  /**
   * While it does not accept, connections wait in the kernel's queue, and are refused when that is full.
   *
   * @throws ListenError (as a rejection) when a socket cannot be listened on; called again, it tries those that are left
   */
  async setAccepting(accepts: boolean): Promise<void> {
    if (this.#isClosed) return;
    this.#isAccepting = accepts;
    await this.#listenOn(accepts ? this.#sockets : []);
  }

  async #listenOn(sockets: readonly ListenerSocket[]): Promise<void> {
    const kept = this.#listeners.filter((open) => sockets.some(({ id }) => id === open.socket.id));
    const fresh = sockets.filter(({ id }) => !kept.some((open) => open.socket.id === id));
    for (const open of this.#listeners) if (!kept.includes(open)) open.listener.close();
    this.#listeners = kept;
    // One that cannot be had keeps nobody from the others.
    const outcomes = await Promise.allSettled(fresh.map((socket) => this.#open(socket)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  async #open(socket: ListenerSocket): Promise<void> {
    const { tcpBacklog } = this.bound.config;
    const listener = await openListener(
      { host: socket.host, port: socket.port },
      {
        descriptor: socket.fd,
        ...(tcpBacklog === undefined ? {} : { backlog: tcpBacklog }),
        giveAway: (descriptor) => this.services.balancer.giveAway(descriptor, socket.id),
        onConnection: (accepted) => this.#accept(accepted, undefined),
        onAcceptError: (cause) =>
          this.services.worker.logger.error("connections cannot be accepted", { listener: this.#name, cause }),
      },
    );
    if (this.#isClosed) listener.close();
    else this.#listeners.push({ socket, listener });
  }

  /**
   * Goes over to a new version. Connections stay, and their next request meets the new version of their chain; those whose
   * chain is gone, or takes other connections or secures them otherwise than it did, or that the new policy denies, end.
   */
  update(bound: BoundListener): void {
    this.bound = bound;
    this.#accessLogs = this.services.worker.accessLogs.bind(bound.config.accessLogs);
    for (const [name, slot] of this.#slots) {
      const next = chainOf(bound, name);
      if (next !== undefined && slot.chain !== undefined && takesSameConnections(slot.chain, next)) {
        slot.chain = next;
        slot.http = this.services.chains.of(bound, next);
      } else {
        slot.chain = undefined;
        slot.http = undefined;
        this.#slots.delete(name);
      }
    }
    for (const connection of this.#connections.keys()) {
      const { chain } = connection.slot;
      if (chain === undefined) connection.drain();
      else if (!authorizeConnection(chain, connection.view).allowed) connection.destroy();
    }
  }

  /**
   * Judges every peer again by the trust anchors and revocation lists of now, and ends the connections of those that would
   * no longer be accepted (design §5: what is denied now is closed).
   */
  judgePeersAgain(): void {
    const { tls, worker } = this.services;
    for (const connection of this.#connections.keys()) {
      const { peer } = connection.view;
      const config = connection.slot.chain?.config.tls;
      if (peer === undefined || config === undefined) continue;
      const built = tls.get(config);
      if (!built.ok || built.context.policy === undefined) continue;
      const verdict = verifyPeer(derBlocks(peer.chainPem, "CERTIFICATE") ?? [], built.context.policy, Date.now());
      if (verdict.ok) continue;
      worker.logger.info("a connection is closed: its peer is no longer accepted", {
        listener: this.#name,
        peer: peer.principal,
        reason: verdict.reason,
      });
      connection.destroy();
    }
  }

  /** Accepts nothing more; what is open ends with its next response. */
  drain(): void {
    this.#isClosed = true;
    for (const { listener } of this.#listeners) listener.close();
    this.#listeners = [];
    // Those that are still in their handshake are served: their client does not know yet that it came late.
    for (const connection of this.#connections.keys()) connection.drain();
  }

  /** The time to drain is over: ends everything. */
  cut(): void {
    this.drain();
    for (const pending of this.#pending) pending.destroy();
    for (const connection of this.#connections.keys()) connection.cut();
  }

  /** `reduce_timeouts` is active. */
  reduceTimeouts(nowMs: number): void {
    for (const pending of this.#pending) pending.reduceTimeouts(nowMs);
    for (const connection of this.#connections.keys()) connection.reduceTimeouts(nowMs);
  }

  /** Adds the streams of its connections that hold at least so many bytes. */
  findHeldStreams(leastBytes: number, found: HeldStream[]): void {
    for (const connection of this.#connections.keys()) connection.findHeldStreams?.(leastBytes, found);
  }

  /** @param chain what the connection chose when it was accepted, which may have been another version of the listener */
  slotOf(chain: BoundFilterChain): ChainSlot {
    const current = chainOf(this.bound, chain.name);
    if (current === undefined || !takesSameConnections(chain, current)) return { chain: undefined, http: undefined };
    let slot = this.#slots.get(chain.name);
    if (slot === undefined) {
      slot = { chain: current, http: this.services.chains.of(this.bound, current) };
      this.#slots.set(chain.name, slot);
    }
    return slot;
  }

  #accept(socket: StreamSocket, known: ConnectionInspection | undefined): void {
    this.acceptedCount += 1;
    const refusal = this.#refusal(known === undefined);
    if (refusal !== undefined) {
      refusal.add(1);
      socket.refuse("overflow");
      return;
    }
    this.#count(1);
    this.stats.inFilters.add(1);
    const pending = new PendingConnection(this, socket, known);
    this.#pending.add(pending);
    pending.begin();
  }

  /**
   * Why a connection is not taken, as the statistic that counts it.
   *
   * @param isNew no listener has taken it yet
   */
  #refusal(isNew: boolean): CounterHandle | undefined {
    const { load, random } = this.services.worker;
    const rejected = load.rejects;
    if (rejected > 0 && random() < rejected) return this.stats.overloadRejects;
    if (isNew && shedsLoad(this.services.worker, "envoy.load_shed_points.tcp_listener_accept"))
      return this.stats.overloadRejects;
    if (this.#limit?.isReached === true) return this.stats.overflow;
    return load.hasAllConnections && !this.bound.config.ignoresGlobalLimit ? this.stats.globalOverflow : undefined;
  }

  #count(count: number): void {
    this.#limit?.add(count);
    this.services.worker.load.addConnections(count);
  }

  /** Whether it listens, or would, on the socket of this number. */
  has(socketId: number): boolean {
    return this.#sockets.some(({ id }) => id === socketId);
  }

  /** @param known undefined: another worker has accepted it, and nobody has looked at it yet */
  takeOver(socket: StreamSocket, known: ConnectionInspection | undefined): void {
    this.#accept(socket, known);
  }

  onHandedOff(pending: PendingConnection): void {
    this.#pending.delete(pending);
    this.#count(-1);
    this.stats.inFilters.add(-1);
    this.services.onIdle();
  }

  serve(pending: PendingConnection, connection: ServedConnection): void {
    this.#pending.delete(pending);
    this.#connections.set(connection, pending.account);
    if (this.#isClosed || connection.slot.chain === undefined) connection.drain();
  }

  onPendingClosed(pending: PendingConnection): void {
    if (!this.#pending.delete(pending)) return;
    this.#count(-1);
    pending.account.limit?.add(-1);
    pending.account.write(this.#accessLogs);
    if (pending.isInFilters) this.stats.inFilters.add(-1);
    else this.stats.countEnd();
    this.services.onIdle();
  }

  onConnectionReplaced(connection: ServedConnection, next: ServedConnection): void {
    const account = this.#connections.get(connection);
    if (account === undefined) return;
    this.#connections.delete(connection);
    this.#connections.set(next, account);
    if (this.#isClosed) next.drain();
  }

  onConnectionClosed(connection: ServedConnection): void {
    const account = this.#connections.get(connection);
    if (account === undefined) return;
    this.#connections.delete(connection);
    this.#count(-1);
    account.limit?.add(-1);
    account.write(this.#accessLogs);
    this.stats.countEnd();
    this.services.onIdle();
  }
}

function chainOf({ chains, defaultChain }: BoundListener, name: string): BoundFilterChain | undefined {
  return chains.find((chain) => chain.name === name) ?? (defaultChain?.name === name ? defaultChain : undefined);
}

/**
 * Whether a connection of one version of a chain may be served by another: it would choose it again, and was secured as it
 * demands. A name alone says nothing of that; chains without one are told apart by their place.
 */
function takesSameConnections({ config: one }: BoundFilterChain, { config: other }: BoundFilterChain): boolean {
  return (
    one === other ||
    (one.terminal.kind === other.terminal.kind &&
      isDeepStrictEqual(one.match, other.match) &&
      isDeepStrictEqual(one.tls, other.tls))
  );
}
