import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint } from "@heddle/engine";
import type { ClientTlsContext, SocketAddress, SocketFailure, SocketHandler, StreamSocket } from "@heddle/net";
import { FastSocket, formatAddress } from "@heddle/net";
import { type ProxiedClient, proxyPreface } from "./proxy-preface.ts";
import type { UpstreamTimers } from "./timers.ts";

/** An attempt to connect to an endpoint. */
export interface Dialing {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  /** The owner hears of it as of a failure, unless the connection had been made. */
  close(): void;
}

/** What becomes of an attempt to connect; exactly one of the two is called, and never while it is begun. */
export interface DialOwner {
  /** The socket is connected, and secured where it was to be; it waits for `start`. */
  onDialed(dial: Dialing, socket: StreamSocket): void;
  /** @param isCountedElsewhere several waited for what was not made, a carrier, and another one of them counts that */
  onDialFailed(dial: Dialing, failure: SocketFailure, isCountedElsewhere?: boolean): void;
}

export interface DialOptions {
  readonly endpoint: BoundEndpoint;
  readonly cluster: BoundCluster;
  readonly tls: ClientTlsContext | undefined;
  /** It is to be a stream of a carrier; only to an endpoint that takes them. */
  readonly isTunnelled: boolean;
  /** Whose connection is passed on; undefined: this is one of the proxy's own. */
  readonly client?: ProxiedClient | undefined;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly owner: DialOwner;
  /** What the workload says of itself, for the CONNECT where this is one. */
  readonly announcement?: string | undefined;
}

/** Told of each server that was accepted. */
export type OnPeer = (socket: FastSocket, endpoint: BoundEndpoint, tls: ClientTlsContext) => void;

/** How long an address is alone before the next one is tried beside it: Envoy's, within what RFC 8305 §5 recommends. */
const nextAddressMs = 300;

/**
 * One attempt to connect to an endpoint, TLS handshake included, within the cluster's connect timeout. An endpoint with several addresses
 * is asked at the first one; whenever one fails, or has not answered for a while, the next is tried beside it, and the first that is
 * ready wins (RFC 8305).
 */
export class Dial implements Dialing, TimerTarget {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  readonly options: DialOptions;
  /** @internal before everything else, TLS too */
  readonly preface: Buffer | undefined;
  readonly #attempts = new Set<Attempt>();
  #tried = 0;
  #timer: TimerHandle | undefined;
  #next: TimerHandle | undefined;
  #isOver = false;
  #failure: SocketFailure | undefined;

  readonly #onPeer: OnPeer | undefined;

  constructor(options: DialOptions, onPeer?: OnPeer) {
    const { cluster, timers } = options;
    this.options = options;
    this.#onPeer = onPeer;
    this.cluster = cluster;
    this.endpoint = options.endpoint;
    this.tls = options.tls;
    this.preface = proxyPreface(options.endpoint, options.client);
    const { connectTimeoutMs } = cluster.config;
    if (connectTimeoutMs > 0) this.#timer = timers.schedule(connectTimeoutMs, this);
    this.#tryNext();
  }

  /** The owner hears of it as of a failure, unless the connection had been made. */
  close(): void {
    this.#tried = this.endpoint.addresses.length;
    for (const attempt of this.#attempts) attempt.socket.destroy();
  }

  /** The connection was not made in time. */
  onTimer(): void {
    this.#timer = undefined;
    const { host, port } = this.endpoint;
    this.#failure = {
      kind: "timeout",
      code: "upstream_connect_timeout",
      text: `no connection to ${formatAddress(host, port)} within ${this.cluster.config.connectTimeoutMs} ms`,
      cause: "",
    };
    this.close();
  }

  /** @internal the address that was tried last has kept silent for long enough */
  nextAddress(): void {
    this.#next = undefined;
    this.#tryNext();
  }

  /** @internal */
  ready(attempt: Attempt): void {
    this.#isOver = true;
    this.#attempts.delete(attempt);
    this.#cancelTimers();
    for (const loser of this.#attempts) loser.socket.destroy();
    if (this.tls !== undefined) this.#onPeer?.(attempt.socket, this.endpoint, this.tls);
    this.options.owner.onDialed(this, attempt.socket);
  }

  /** @internal */
  failed(attempt: Attempt, failure: SocketFailure): void {
    this.#attempts.delete(attempt);
    if (this.#isOver) return;
    // What took too long is the answer, whatever its sockets say as they close.
    if (this.#failure?.kind !== "timeout") this.#failure = failure;
    if (this.#tried < this.endpoint.addresses.length) return this.#tryNext();
    if (this.#attempts.size > 0) return;
    this.#isOver = true;
    this.#cancelTimers();
    this.options.owner.onDialFailed(this, this.#failure ?? failure);
  }

  #tryNext(): void {
    const { timers } = this.options;
    if (this.#next !== undefined) timers.cancel(this.#next);
    this.#next = undefined;
    const address = this.endpoint.addresses[this.#tried];
    if (address === undefined) return;
    this.#tried += 1;
    this.#attempts.add(new Attempt(this, address));
    if (this.#tried < this.endpoint.addresses.length)
      this.#next = timers.schedule(nextAddressMs, new NextAddress(this));
  }

  #cancelTimers(): void {
    const { timers } = this.options;
    if (this.#timer !== undefined) timers.cancel(this.#timer);
    if (this.#next !== undefined) timers.cancel(this.#next);
    this.#timer = undefined;
    this.#next = undefined;
  }
}

class NextAddress implements TimerTarget {
  readonly #dial: Dial;

  constructor(dial: Dial) {
    this.#dial = dial;
  }

  onTimer(): void {
    this.#dial.nextAddress();
  }
}

/** One of the endpoint's addresses. */
class Attempt implements SocketHandler {
  readonly socket: FastSocket;
  readonly #dial: Dial;
  #isUpgrading = false;
  #isReady = false;

  constructor(dial: Dial, address: SocketAddress) {
    this.#dial = dial;
    const { tcpKeepalive, perConnectionBufferBytes, bindAddresses } = dial.cluster.config;
    const isIpv6 = address.host.includes(":");
    const from = bindAddresses.find((host) => host.includes(":") === isIpv6);
    this.socket = FastSocket.connect(address, this, { keepalive: tcpKeepalive, from });
    if (perConnectionBufferBytes > 0) this.socket.highWaterBytes = perConnectionBufferBytes;
  }

  onReady(): void {
    const { tls, wallMs } = this.#dial.options;
    if (!this.#isUpgrading) this.#sendPreface();
    if (tls !== undefined && !this.#isUpgrading) {
      this.#isUpgrading = true;
      this.socket.upgrade(tls, wallMs, this);
      return;
    }
    this.#isReady = true;
    this.#dial.ready(this);
  }

  #sendPreface(): void {
    const { preface } = this.#dial;
    if (preface === undefined) return;
    this.socket.write(preface, 0, preface.length);
    // What is written later may go through TLS.
    this.socket.flush();
  }

  onClose(failure: SocketFailure | undefined): void {
    if (!this.#isReady) this.#dial.failed(this, failure ?? closedWhileConnecting);
  }

  // Nothing is read before the connection has its owner.
  onBytes(): number {
    return 0;
  }
  onEnd(): void {}
  onDrain(): void {}
}

const closedWhileConnecting: SocketFailure = {
  kind: "reset",
  code: "upstream_connect_failed",
  text: "the connection was closed before it was ready",
  cause: "",
};
