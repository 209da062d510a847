import type { Socket } from "node:net";
import { connect } from "node:net";
import type { TLSSocket } from "node:tls";
import { getSystemErrorName } from "node:util";
import type { OutputBuffer } from "@heddle/core";
import type { InputOwner } from "./input-flow.ts";
import { InputFlow } from "./input-flow.ts";
import { canonicalHost, formatAddress } from "./ip-address.ts";
import type { SocketAddress } from "./ip-address.ts";
import type { StreamHandle } from "./runtime-edges.ts";
import { handleOf, readIntoSharedBuffer, runtimeEdges } from "./runtime-edges.ts";
import type { SocketFailure } from "./socket-failure.ts";
import { causeOf, connectFailure, establishedFailure } from "./socket-failure.ts";
import type { OutputOwner } from "./socket-output.ts";
import type { StreamSocket } from "./stream-socket.ts";
import { SocketOutput } from "./socket-output.ts";
import type { TcpKeepalive } from "./tcp-keepalive.ts";
import { setTcpKeepalive } from "./tcp-keepalive.ts";
import { lingerNone } from "./linger.ts";
import { isPeerLost } from "./lost-peer.ts";
import { originalDestination } from "./original-destination.ts";
import type { ClientTlsContext, ServerTlsContext } from "./tls-context.ts";
import { isTlsCause, tlsFailure } from "./tls-failure.ts";
import type { TlsSession } from "./tls-session.ts";
import { establishSession, wrapClient, wrapServer } from "./tls-session.ts";
import { enterTurn, leaveTurn, leaveTurnExpectingMore } from "./turn.ts";

/** Plaintext of the largest TLS record (RFC 8446 §5.1). Whoever fills one has usually more to say. */
const fullRecordBytes = 16_384;

/** Who owns a connection. `onClose` comes exactly once and last. */
export interface SocketHandler {
  /** The TCP connection that `FastSocket.connect` began is made, or the TLS upgrade is done and its peer verified. */
  onReady(): void;
  /**
   * Bytes came. They are valid during the call only.
   *
   * @returns how many were consumed, counted from `start`; the rest is kept, reading pauses, and `resume()` offers it again
   */
  onBytes(bytes: Buffer, start: number, end: number): number;
  /** The peer closed its sending half; everything before it has been consumed. */
  onEnd(): void;
  /** Output that `write` answered false to has left. */
  onDrain(): void;
  /** What carries this stream takes no new ones, and closes when it has none. Told of streams inside other connections alone. */
  onCarrierSpent?(): void;
  /** The connection is gone: undefined when both sides ended it in order or the owner destroyed it without a reason. */
  onClose(failure: SocketFailure | undefined): void;
}

type State = "connecting" | "idle" | "handshaking" | "open" | "closed";

interface OwnedSocket extends Socket {
  heddleSocket?: FastSocket;
}

/**
 * A TCP connection, from accept or connect to close, that can be upgraded to TLS on the way. Reads go through one buffer shared by all sockets of
 * the thread, writes are gathered and leave with the callback or with the turn (turn.ts); where the runtime's private edges are missing, the public API does both.
 */
export class FastSocket implements InputOwner, OutputOwner, StreamSocket {
  handler: SocketHandler = idleHandler;
  /** Called once when the connection is gone, before its handler, whoever that is by then. */
  onGone: (() => void) | undefined;
  /** The established TLS session; undefined on plaintext. */
  tls: TlsSession | undefined;
  /** Nothing carries it. */
  readonly isCarrierSpent = false;
  /** Canonical, kept after the connection is gone. `connect` fills `localAddress` when it is ready. */
  remoteAddress: SocketAddress;
  localAddress: SocketAddress;
  /** The other end of the TCP connection itself, whatever a PROXY protocol header makes of `remoteAddress`. */
  readonly directRemoteAddress: SocketAddress;
  /** `localAddress` is not where it was accepted, but where it was meant to go. */
  isDestinationRestored = false;
  /** Payload bytes delivered. */
  bytesRead = 0;
  readonly isOutbound: boolean;

  #socket: Socket;
  readonly #input = new InputFlow(this, false);
  readonly #output: SocketOutput;
  #state: State;
  #tlsContext: ServerTlsContext | ClientTlsContext | undefined;
  #wallMs: () => number = Date.now;
  #failure: SocketFailure | undefined;

  #keepalive: TcpKeepalive | undefined;

  /** The peer takes nothing more, though it may have answered: see `onOutputFailed`. */
  #outputFailure = "";
  /** The runtime's socket has closed in order while bytes or the end still wait for a paused owner. */
  #isCloseDeferred = false;
  #isClosed = false;

  private constructor(socket: Socket, state: State, isOutbound: boolean, remote: SocketAddress, local: SocketAddress) {
    this.#socket = socket;
    this.#state = state;
    this.isOutbound = isOutbound;
    this.remoteAddress = remote;
    this.directRemoteAddress = remote;
    this.localAddress = local;
    this.#output = new SocketOutput(this, socket);
    this.#adopt(socket);
  }

  /** Around an accepted, half-open, paused socket. It does nothing until `start` or `upgrade`. */
  static accepted(socket: Socket): FastSocket {
    const fast = new FastSocket(socket, "idle", false, addressOf(socket, "remote"), addressOf(socket, "local"));
    fast.#output.open(directHandle(socket), "tcp");
    return fast;
  }

  /** Connects to a numeric address; `handler.onReady` or `handler.onClose` tells how it went. */
  static connect(
    address: SocketAddress,
    handler: SocketHandler,
    options: { readonly keepalive?: TcpKeepalive | undefined; readonly from?: string | undefined } = {},
  ): FastSocket {
    const socket = connect({
      host: address.host,
      port: address.port,
      ...(options.from === undefined ? {} : { localAddress: options.from }),
      noDelay: true,
      allowHalfOpen: true,
    });
    const remote = { host: canonicalHost(address.host), port: address.port };
    const fast = new FastSocket(socket, "connecting", true, remote, { host: "", port: 0 });
    fast.handler = handler;
    fast.#keepalive = options.keepalive;
    if (!runtimeEdges.sharedReadBuffer) socket.on("data", onData);
    socket.on("connect", onConnect);
    return fast;
  }

  /** Begins to read. */
  start(handler: SocketHandler): void {
    this.handler = handler;
    if (this.#state === "open") {
      this.resume();
      return;
    }
    if (this.#state !== "idle") return;
    this.#state = "open";
    this.#beginReading();
  }

  /**
   * Starts TLS on the connection, accepted or connected, with whatever bytes were read and not consumed. `handler.onReady` comes when the handshake
   * is done and the peer passed `verifyPeer`, before any byte of its data is looked at; `handler.onClose` when either failed.
   */
  upgrade(context: ServerTlsContext | ClientTlsContext, wallMs: () => number, handler: SocketHandler): void {
    this.handler = handler;
    if (this.#state === "closed") return;
    const raw = this.#socket;
    this.#tlsContext = context;
    this.#wallMs = wallMs;
    this.#stopReading();
    this.#disown(raw);
    const received = this.#input.handOver();
    this.#state = "handshaking";

    const tls =
      context.role === "server"
        ? wrapServer(raw, context)
        : wrapClient(raw, context, formatAddress(this.remoteAddress.host, this.remoteAddress.port));
    this.#socket = tls;
    this.#adopt(tls);
    this.#output.attach(tls);
    tls.on(context.role === "server" ? "secure" : "secureConnect", onSecure);
    if (runtimeEdges.sharedReadBuffer) readIntoSharedBuffer(tls, this);
    else tls.on("data", onData);
    if (received !== undefined) handleOf(tls)?.receive?.(received);
    if (this.#input.hasPeerEnded) this.destroy(tlsFailure(context.role, "EOF"));
  }

  /** Copies bytes [start, end) into the output. @returns false when the owner should wait for `onDrain`; the bytes are taken in any case */
  write(bytes: Buffer, start: number, end: number): boolean {
    return this.#output.write(bytes, start, end);
  }

  /** As `write`, of a buffer that is the socket's from now on. */
  writeOwn(buffer: OutputBuffer): boolean {
    return this.#output.writeOwn(buffer);
  }

  /** As `write`, of characters that are one byte each: none above U+00FF. */
  writeText(text: string): boolean {
    return this.#output.writeText(text);
  }

  /** Hands the gathered output to the kernel now. Happens by itself: see turn.ts. */
  flush(): void {
    this.#output.flush();
  }

  /** Closes the sending half once everything written has left. Later writes are dropped. */
  end(): void {
    this.#output.end();
  }

  /** Stops `onBytes` at once; what still arrives is kept. The kernel's window then slows the peer down. */
  pause(): void {
    this.#input.pause();
  }

  /** Offers what was kept and reads on. Within `onBytes` it only notes that more is wanted. */
  resume(): void {
    enterTurn();
    try {
      this.#input.resume();
      if (this.#isCloseDeferred && this.#state === "open" && !this.#input.isPaused) this.takeClose();
    } finally {
      leaveTurn();
    }
  }

  /**
   * Makes the destination that an accepted connection had before it was redirected its `localAddress`, if the kernel knows one.
   *
   * @returns false when the kernel cannot be asked on this runtime: then nothing is known of where the connection was meant to go
   */
  restoreDestination(): boolean {
    if (!runtimeEdges.originalDestination) return false;
    const found = originalDestination(this.#descriptor(), this.localAddress.host);
    if (found === undefined) return true;
    this.localAddress = found;
    this.isDestinationRestored = true;
    return true;
  }

  /** Takes the addresses of a connection that another proxy passes on. As in Envoy, an address of ours that changes counts as restored. */
  replaceAddresses({
    source,
    destination,
  }: {
    readonly source: SocketAddress;
    readonly destination: SocketAddress;
  }): void {
    this.remoteAddress = source;
    if (destination.host === this.localAddress.host && destination.port === this.localAddress.port) return;
    this.localAddress = destination;
    this.isDestinationRestored = true;
  }

  /**
   * Puts bytes back in front of everything, and pauses: for an inspector that hands the connection on with `start` or `upgrade`.
   *
   * @param consumedBytes how many it keeps: they are no payload
   */
  unread(bytes: Buffer, consumedBytes = 0): void {
    if (this.#state !== "open") return;
    this.bytesRead -= consumedBytes;
    this.#input.unread(bytes);
  }

  /** Bytes written and not yet taken by the kernel. */
  get queuedBytes(): number {
    return this.#output.queuedBytes;
  }

  /** Payload bytes taken by the kernel or by TLS. */
  get bytesWritten(): number {
    return this.#output.bytesWritten;
  }

  /** Output kept before `write` answers false. */
  get highWaterBytes(): number {
    return this.#output.highWaterBytes;
  }

  set highWaterBytes(bytes: number) {
    this.#output.highWaterBytes = bytes;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** A connection is served without a word. */
  accept(): void {}

  /** Whoever made the connection sees it close. */
  refuse(): void {
    this.destroy();
  }

  /** Closing is how a peer sees that nothing more comes. */
  finish(): void {
    this.destroy();
  }

  /**
   * Drops the connection and what the kernel has not taken. An answer that only waited for the end of the turn leaves first; a request that did does not:
   * it may be sent again elsewhere.
   *
   * @param failure told to `onClose`
   */
  destroy(failure?: SocketFailure): void {
    if (this.#state === "closed") return;
    if (!this.isOutbound) this.#output.sendLast();
    this.#failure ??= failure;
    this.#close();
    this.#socket.destroy();
    if (this.#isCloseDeferred) process.nextTick(onDeferredClose, this);
  }

  /** Drops the connection with RST, so that the peer cannot take what it has for complete. */
  reset(failure?: SocketFailure): void {
    if (this.#state === "closed") return;
    if (this.#isCloseDeferred) {
      this.destroy(failure);
      return;
    }
    this.#failure ??= failure;
    this.#close();
    const socket = this.#socket as TLSSocket & { _parent?: Socket };
    const below = this.#tlsContext === undefined ? socket : socket._parent;
    // Not the runtime's `resetAndDestroy` where it can be helped: it waits until everything written has left, and where a shutdown is on its
    // way libuv refuses (`uv_tcp_close_reset`: EINVAL), which leaves the descriptor open and tells nobody.
    const descriptor = below === undefined ? undefined : handleOf(below)?.fd;
    if (descriptor === undefined || !lingerNone(descriptor)) below?.resetAndDestroy();
    socket.destroy();
  }

  // --- what the runtime's callbacks call ---

  /** @internal */
  takeBytes(bytes: Buffer, start: number, end: number): void {
    this.bytesRead += end - start;
    if (this.#state !== "open") {
      // Data before the peer was verified cannot be: whatever brought it here, nobody reads it.
      if (this.#state !== "closed")
        this.destroy({ kind: "local", code: "internal_error", text: "data before the handshake's end", cause: "" });
      return;
    }
    enterTurn();
    try {
      // TLS delivers what it has already decrypted although reading was stopped: that is kept.
      this.#input.take(bytes, start, end);
    } finally {
      if (end - start === fullRecordBytes && this.tls !== undefined) leaveTurnExpectingMore();
      else leaveTurn();
    }
  }

  /** @internal */
  takeConnect(): void {
    if (this.#state !== "connecting") return;
    const problem = this.#keepalive === undefined ? undefined : setTcpKeepalive(this.#descriptor(), this.#keepalive);
    if (problem !== undefined) {
      // Never without what was configured: a peer that vanished would be held for hours, and nobody told.
      this.destroy({ kind: "local", code: "upstream_connect_failed", text: problem, cause: "" });
      return;
    }
    this.#state = "open";
    this.localAddress = addressOf(this.#socket, "local");
    if (runtimeEdges.sharedReadBuffer) readIntoSharedBuffer(this.#socket, this);
    this.#becomeReady();
  }

  /** @internal */
  takeSecure(): void {
    if (this.#state !== "handshaking" || this.#tlsContext === undefined) return;
    const outcome = establishSession(this.#socket as TLSSocket, this.#tlsContext, this.#wallMs());
    if (!outcome.ok) {
      this.destroy(outcome.failure);
      return;
    }
    this.tls = outcome.session;
    this.#state = "open";
    this.#becomeReady();
  }

  /** @internal */
  takeEnd(): void {
    enterTurn();
    try {
      this.#input.takeEnd();
    } finally {
      leaveTurn();
    }
    if (this.#state === "handshaking" && this.#tlsContext !== undefined)
      this.destroy(tlsFailure(this.#tlsContext.role, "EOF"));
    else this.#closeIfLost();
  }

  /** @internal */
  takeError(cause: string): void {
    this.#failure ??= this.#failureOf(cause);
    this.#close();
    this.#socket.destroy();
  }

  /** @internal */
  takeClose(): void {
    if (this.#isClosed) return;
    if (
      this.#state === "open" &&
      this.#failure === undefined &&
      this.#input.hasPeerEnded &&
      !this.#input.isEndDelivered
    ) {
      this.#isCloseDeferred = true;
      return;
    }
    this.#isClosed = true;
    if (this.#state === "handshaking" && this.#tlsContext !== undefined) {
      this.#failure ??= tlsFailure(this.#tlsContext.role, "EOF");
    }
    this.#close();
    this.onGone?.();
    enterTurn();
    try {
      this.handler.onClose(this.#failure);
    } finally {
      leaveTurn();
    }
  }

  /** @internal */
  onOutputDrained(): void {
    this.handler.onDrain();
  }

  /**
   * The peer has closed and refuses what is still sent. It may have answered first (a server that turns a large body away), and that answer waits in the
   * kernel: it is read to its end or error, which must come now, before the connection counts as lost.
   *
   * @internal
   */
  onOutputFailed(cause: string): void {
    const isPeerGone = cause === "EPIPE" || cause === "ECONNRESET";
    if (!isPeerGone || this.#input.isPaused || this.#input.hasPeerEnded || this.#state !== "open") {
      this.takeError(cause);
      return;
    }
    this.#outputFailure = cause;
    this.#output.releaseWriter();
  }

  /** @internal */
  onOutputWaiting(): void {
    if (this.#input.isPaused || this.#input.hasPeerEnded) this.#closeIfLost();
  }

  /**
   * A write over TLS may wait for ever. When the runtime's TLS layer sends something of its own (the end of the handshake, session tickets, a key
   * update) to a peer that has reset the connection, nobody asked for that write and nobody is told that it failed; the layer believes it on its way
   * from then on and keeps everything that is written later (TLSWrap::EncOut returns without a word while `write_size_` is not 0; node
   * 26.10). The next read would tell, and does as long as there is one. So the kernel is asked whenever a write waits and no read is to come: with the
   * write, with the peer's end, which is all that is left to read after such a reset, and when the owner pauses. On the way of most requests
   * none of this happens, and it costs them nothing.
   */
  #closeIfLost(): void {
    if (this.#tlsContext === undefined || this.#state !== "open" || !this.#output.isWriting) return;
    if (isPeerLost(this.#socket)) this.takeError("EPIPE");
  }

  #adopt(socket: Socket): void {
    (socket as OwnedSocket).heddleSocket = this;
    socket.on("error", onError);
    socket.on("end", onEnd);
    socket.on("close", onClose);
  }

  /** The TLSSocket on top reports from now on; the TCP socket below keeps an error handler, because an emitter without one throws. */
  #disown(socket: Socket): void {
    socket.off("end", onEnd);
    socket.off("close", onClose);
    socket.off("data", onData);
  }

  #becomeReady(): void {
    enterTurn();
    try {
      this.#output.open(directHandle(this.#socket), this.#tlsContext === undefined ? "tcp" : "tls");
      this.handler.onReady();
    } finally {
      leaveTurn();
    }
  }

  #beginReading(): void {
    if (runtimeEdges.sharedReadBuffer) readIntoSharedBuffer(this.#socket, this);
    else this.#socket.on("data", onData);
    this.startReading();
  }

  /** @internal */
  startReading(): void {
    if (!runtimeEdges.sharedReadBuffer) {
      this.#socket.resume();
      return;
    }
    const handle = handleOf(this.#socket);
    if (handle === undefined || handle.reading) return;
    handle.reading = true;
    const status = handle.readStart();
    if (status < 0) this.takeError(getSystemErrorName(status));
  }

  #descriptor(): number {
    return handleOf(this.#socket)?.fd ?? -1;
  }

  /** @internal */
  stopReading(): void {
    this.#stopReading();
    this.#closeIfLost();
  }

  /** @internal */
  onEndDelivered(): void {
    if (this.#outputFailure !== "") this.takeError(this.#outputFailure);
  }

  #stopReading(): void {
    if (!runtimeEdges.sharedReadBuffer) {
      this.#socket.pause();
      return;
    }
    const handle = handleOf(this.#socket);
    if (handle === undefined || !handle.reading) return;
    handle.reading = false;
    handle.readStop();
  }

  #failureOf(cause: string): SocketFailure {
    if (this.#state === "connecting") return connectFailure(cause);
    const role = this.#tlsContext?.role;
    if (role !== undefined && (this.#state === "handshaking" || isTlsCause(cause))) return tlsFailure(role, cause);
    return establishedFailure(cause, this.isOutbound);
  }

  /** No event but `onClose` follows. */
  #close(): void {
    this.#state = "closed";
    this.#input.discard();
    this.#output.discard();
  }
}

const idleHandler: SocketHandler = {
  onReady() {},
  onBytes: () => 0,
  onEnd() {},
  onDrain() {},
  onClose() {},
};

function onData(this: Socket, chunk: Buffer): void {
  (this as OwnedSocket).heddleSocket?.takeBytes(chunk, 0, chunk.length);
}

function onConnect(this: Socket): void {
  (this as OwnedSocket).heddleSocket?.takeConnect();
}

function onSecure(this: Socket): void {
  (this as OwnedSocket).heddleSocket?.takeSecure();
}

function onEnd(this: Socket): void {
  (this as OwnedSocket).heddleSocket?.takeEnd();
}

function onError(this: Socket, error: unknown): void {
  (this as OwnedSocket).heddleSocket?.takeError(causeOf(error));
}

function onClose(this: Socket): void {
  (this as OwnedSocket).heddleSocket?.takeClose();
}

function onDeferredClose(socket: FastSocket): void {
  socket.takeClose();
}

/** For writes past the public API, where the runtime offers it. */
function directHandle(socket: Socket): StreamHandle | undefined {
  return runtimeEdges.directWrite ? handleOf(socket) : undefined;
}

/** Both ends are asked for when the connection is made: afterwards the kernel no longer knows. */
function addressOf(socket: Socket, end: "remote" | "local"): SocketAddress {
  const host = end === "remote" ? socket.remoteAddress : socket.localAddress;
  const port = end === "remote" ? socket.remotePort : socket.localPort;
  return { host: canonicalHost(host ?? ""), port: port ?? 0 };
}
