import type { ErrorCode, OutputBuffer } from "@heddle/core";
import type { SocketHandler } from "./fast-socket.ts";
import type { SocketAddress } from "./ip-address.ts";
import type { SocketFailure } from "./socket-failure.ts";
import type { ClientTlsContext, ServerTlsContext } from "./tls-context.ts";
import type { TlsSession } from "./tls-session.ts";

/** A byte stream with two halves, be it a TCP connection (`FastSocket`) or one inside another connection (`VirtualSocket`). */
export interface StreamSocket {
  handler: SocketHandler;
  /** Of a stream inside another connection: the session of that one. */
  readonly tls: TlsSession | undefined;
  readonly remoteAddress: SocketAddress;
  readonly localAddress: SocketAddress;
  /** The other end itself, whatever a PROXY protocol header makes of `remoteAddress`. */
  readonly directRemoteAddress: SocketAddress;
  /** `localAddress` is not where it was accepted, but where it was meant to go. */
  readonly isDestinationRestored: boolean;
  /** Payload bytes delivered. */
  readonly bytesRead: number;
  /** Payload bytes taken by the kernel or by TLS; inside another connection, those that have left its output. */
  readonly bytesWritten: number;
  /** Written and not yet taken by the kernel, or by the connection that carries this one. */
  readonly queuedBytes: number;
  /** What carries it takes no new streams, and closes when it has none: it should be let go soon. */
  readonly isCarrierSpent: boolean;
  /** Output kept before `write` answers false. */
  highWaterBytes: number;
  readonly isOpen: boolean;
  /** Begins to read. */
  start(handler: SocketHandler): void;
  /** Only before anything was read; see `FastSocket.upgrade`. */
  upgrade(context: ServerTlsContext | ClientTlsContext, wallMs: () => number, handler: SocketHandler): void;
  restoreDestination(): boolean;
  replaceAddresses(ends: { readonly source: SocketAddress; readonly destination: SocketAddress }): void;
  /** @returns false: taken, but wait for `onDrain` */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** As `write`, of characters that are one byte each: none above U+00FF. */
  writeText(text: string): boolean;
  /** As `write`, of a buffer that is the socket's from now on. */
  writeOwn(buffer: OutputBuffer): boolean;
  flush(): void;
  end(): void;
  pause(): void;
  resume(): void;
  unread(bytes: Buffer, consumedBytes?: number): void;
  /** It is served: who asked for a stream inside a connection is told. Harmless when repeated. */
  accept(): void;
  /** Closes it because it is not served; who asked for a stream inside a connection is told why. */
  refuse(code: ErrorCode): void;
  /** Closes it where nothing is in progress: nothing more is heard, and the peer sees an end in order. */
  finish(): void;
  destroy(failure?: SocketFailure): void;
  reset(failure?: SocketFailure): void;
}
