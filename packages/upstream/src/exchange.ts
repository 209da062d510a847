import type { ErrorCode } from "@heddle/core";
import type { BoundCluster, BoundEndpoint, PeerView } from "@heddle/engine";
import type { Framing, HeaderList } from "@heddle/http";
import type { SocketAddress, TlsSession } from "@heddle/net";
import type { ProxiedClient } from "./proxy-preface.ts";

/** Why an exchange ended without a whole response. */
export interface ExchangeFailure {
  readonly code: ErrorCode;
  /** Bytes of this request that were handed to the kernel or to TLS; 0: the upstream cannot have seen any of it. */
  readonly bytesWritten: number;
  /** The connection had carried another request before: it may have been closed for idleness in the same moment. */
  readonly reusedConnection: boolean;
  /** A response head had been delivered. */
  readonly responseStarted: boolean;
  /** One of several that waited for a connection which was not made; another one of them counts that. */
  readonly isCountedElsewhere: boolean;
  /** For logs: what happened and, where it can be guessed, the operator's cause; empty when this side decided. */
  readonly transportFailure: string;
}

/**
 * Whoever asked for an exchange. Exactly one of `onEnd` and `onFailure` comes, last, unless `cancel` was called; either may
 * come during `open` or any other call.
 */
export interface ExchangeSink {
  /** What the workload says of itself (`baggage`) on the CONNECT of a connection that is made for the exchange; others of the workload ride there, too. */
  readonly announcement?: string | undefined;
  /** A connection was found or made; from now on bytes leave. */
  onConnected(): void;
  /** 1xx but 101. */
  onInformational(status: number, headers: HeaderList): void;
  onHead(status: number, headers: HeaderList, framing: Framing): void;
  /** Bytes [start, end) of the body, valid during the call only. */
  onData(bytes: Buffer, start: number, end: number): void;
  onTrailers(trailers: HeaderList): void;
  /** The upstream has ended its half of what CONNECT made; what is sent still reaches it, and `onEnd` follows when that has ended, too. */
  onHalfEnd(): void;
  onEnd(): void;
  /** `sendData` may go on. */
  onDrain(): void;
  /** What CONNECT made is inside a connection that takes no more (`takesNoMore`): what is idle there is to be let go. */
  onConnectionSpent?(): void;
  onFailure(failure: ExchangeFailure): void;
}

/** The connection that carries an exchange. */
export interface ExchangeConnection {
  readonly localAddress: SocketAddress;
  readonly remoteAddress: SocketAddress;
  /** Verified; undefined without mutual TLS. */
  readonly peer: PeerView | undefined;
  /** `TLSv1.3`; empty on plaintext. */
  readonly tlsVersion: string;
  readonly session: TlsSession | undefined;
  /** It is old, or its peer goes away: it serves what it has, and what is inside it should begin nothing new. */
  takesNoMore(): boolean;
}

/** One request to one endpoint, and its response. */
export interface UpstreamExchange {
  /**
   * Once, first. What is sent before the connection is there waits for it.
   *
   * @param scheme for HTTP/2; absent: `https` over TLS, else `http`
   */
  sendHead(
    method: string,
    path: string,
    authority: string,
    headers: HeaderList,
    framing: Framing,
    scheme?: string,
  ): void;
  /** @returns false: taken, but wait for `onDrain` */
  sendData(bytes: Buffer, start: number, end: number): boolean;
  /** Only with chunked framing, else ignored; before `end`. */
  sendTrailers(trailers: HeaderList): void;
  end(): void;
  pauseReading(): void;
  resumeReading(): void;
  /** Nothing of the exchange is heard any more; what it was using is given back or closed. Harmless after its end. */
  cancel(): void;
  readonly bytesWritten: number;
  readonly isReusedConnection: boolean;
  /** undefined before `onConnected`; kept after the end. */
  readonly connection: ExchangeConnection | undefined;
}

/** How requests get to endpoints: pooled connections today; carriers implement the same. */
export interface UpstreamTransport {
  /**
   * @param client whose request it is: an endpoint that is told gets no requests of others on one connection
   * @param serverName whom the request is for, where the cluster wants TLS connections to be for that host: it rides on none that is for another
   */
  open(
    endpoint: BoundEndpoint,
    cluster: BoundCluster,
    sink: ExchangeSink,
    client: ProxiedClient | undefined,
    serverName?: string,
  ): UpstreamExchange;
  /** For a CONNECT that ends here: its bytes go to the endpoint as they are, over a connection of its own, whose success is the 200. */
  openTcp(
    endpoint: BoundEndpoint,
    cluster: BoundCluster,
    sink: ExchangeSink,
    client: ProxiedClient | undefined,
    serverName?: string,
  ): UpstreamExchange;
}
