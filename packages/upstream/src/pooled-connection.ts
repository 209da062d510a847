import type { BoundCluster, BoundEndpoint } from "@heddle/engine";
import type { ClientTlsContext, StreamSocket, SocketFailure } from "@heddle/net";
import type { ExchangeConnection } from "./exchange.ts";
import type { PooledExchange } from "./pooled-exchange.ts";
import type { UpstreamTimers } from "./timers.ts";

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** It can carry more than it could: a response ended, or the peer allows more. */
  onConnectionFree(connection: PooledConnection): void;
  /** It is gone. Its exchanges have been told. */
  onConnectionClosed(connection: PooledConnection): void;
}

/** What tells connections to one endpoint apart: a request rides on those of its kind. */
export interface ConnectionKind {
  readonly tls: ClientTlsContext | undefined;
  /** It is a stream of a carrier. */
  readonly isTunnelled: boolean;
}

export function isSameKind(one: ConnectionKind, other: ConnectionKind): boolean {
  return one.tls === other.tls && one.isTunnelled === other.isTunnelled;
}

export interface ConnectionOptions extends ConnectionKind {
  readonly socket: StreamSocket;
  readonly endpoint: BoundEndpoint;
  readonly cluster: BoundCluster;
  readonly timers: UpstreamTimers;
  readonly owner: ConnectionOwner;
}

/** A connection to an endpoint, ready to carry requests. */
export interface PooledConnection extends ConnectionKind {
  readonly cluster: BoundCluster;
  readonly endpoint: BoundEndpoint;
  /** Requests that it carries now. */
  readonly activeStreams: number;
  /** Requests that it can carry beside them. */
  readonly capacity: number;
  /** Monotonic milliseconds at which it became idle, or was made. */
  readonly idleSinceMs: number;
  readonly madeAtMs: number;
  /** To be replaced rather than used again: old enough, used often enough, or idle for almost as long as the upstream allows. */
  isSpent(nowMs: number): boolean;
  /** The pool's mark: it is among the connections to choose from. Here, so that giving one back searches no list. */
  isListed: boolean;
  /** Lends a place to an exchange. Only with capacity. */
  carry(exchange: PooledExchange): void;
  close(): void;
}

/** Limits of the cluster that end the use of a connection. */
export function isWornOut({ config }: BoundCluster, requests: number, ageMs: number): boolean {
  const { maxRequestsPerConnection, maxConnectionDurationMs } = config;
  if (maxRequestsPerConnection > 0 && requests >= maxRequestsPerConnection) return true;
  return maxConnectionDurationMs > 0 && ageMs >= maxConnectionDurationMs;
}

export function describeConnection(socket: StreamSocket, takesNoMore = never): ExchangeConnection {
  return {
    localAddress: socket.localAddress,
    remoteAddress: socket.remoteAddress,
    peer: socket.tls?.peer,
    tlsVersion: socket.tls?.version ?? "",
    session: socket.tls,
    takesNoMore,
  };
}

const never = (): boolean => false;

/** The connection went with its request. */
export function failLost(exchange: PooledExchange, reason: SocketFailure | undefined): void {
  const text = reason?.text ?? "the upstream closed the connection";
  // TLS 1.3 lets a client send before the server has judged its certificate (RFC 8446 §4.4.2.4): such an alert ends a handshake that only seemed
  // to be over, and the server never looked at the request.
  const isHandshakes = reason?.kind === "peer" && !exchange.isReusedConnection && !exchange.hasResponseHead;
  if (isHandshakes) exchange.fail(reason.code, text, 0);
  else exchange.fail(exchange.hasResponseHead ? "upstream_reset_mid_response" : "upstream_reset", text);
}
