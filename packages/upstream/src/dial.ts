import type { TimerHandle, TimerTarget } from "@heddle/core";
import type { BoundCluster, BoundEndpoint } from "@heddle/engine";
import type { ClientTlsContext, SocketFailure, SocketHandler } from "@heddle/net";
import { FastSocket, formatAddress } from "@heddle/net";
import type { UpstreamTimers } from "./timers.ts";

/** What becomes of an attempt to connect; exactly one of the two is called. */
export interface DialOwner {
  /** The socket is connected, and secured where it was to be; it waits for `start`. */
  onDialed(dial: Dial, socket: FastSocket): void;
  onDialFailed(dial: Dial, failure: SocketFailure): void;
}

export interface DialOptions {
  readonly endpoint: BoundEndpoint;
  readonly cluster: BoundCluster;
  readonly tls: ClientTlsContext | undefined;
  readonly timers: UpstreamTimers;
  readonly wallMs: () => number;
  readonly owner: DialOwner;
}

/** One attempt to connect to an endpoint, TLS handshake included, within the cluster's connect timeout. */
export class Dial implements SocketHandler, TimerTarget {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  readonly tls: ClientTlsContext | undefined;
  readonly #options: DialOptions;
  readonly #socket: FastSocket;
  #timer: TimerHandle | undefined;
  #isUpgrading = false;
  #failure: SocketFailure | undefined;

  constructor(options: DialOptions) {
    const { endpoint, cluster, timers } = options;
    this.#options = options;
    this.cluster = cluster;
    this.endpoint = endpoint;
    this.tls = options.tls;
    const { connectTimeoutMs, tcpKeepalive, perConnectionBufferBytes } = cluster.config;
    if (connectTimeoutMs > 0) this.#timer = timers.schedule(connectTimeoutMs, this);
    this.#socket = FastSocket.connect({ host: endpoint.host, port: endpoint.port }, this, { keepalive: tcpKeepalive });
    if (perConnectionBufferBytes > 0) this.#socket.highWaterBytes = perConnectionBufferBytes;
  }

  close(): void {
    this.#socket.destroy();
  }

  onReady(): void {
    const { tls, wallMs, owner } = this.#options;
    if (tls !== undefined && !this.#isUpgrading) {
      this.#isUpgrading = true;
      this.#socket.upgrade(tls, wallMs, this);
      return;
    }
    this.#cancelTimer();
    owner.onDialed(this, this.#socket);
  }

  onClose(failure: SocketFailure | undefined): void {
    this.#cancelTimer();
    this.#options.owner.onDialFailed(this, this.#failure ?? failure ?? closedWhileConnecting);
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
    this.#socket.destroy(this.#failure);
  }

  // Nothing is read before the connection has its owner.
  onBytes(): number {
    return 0;
  }
  onEnd(): void {}
  onDrain(): void {}

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.#options.timers.cancel(this.#timer);
    this.#timer = undefined;
  }
}

const closedWhileConnecting: SocketFailure = {
  kind: "reset",
  code: "upstream_connect_failed",
  text: "the connection was closed before it was ready",
  cause: "",
};
