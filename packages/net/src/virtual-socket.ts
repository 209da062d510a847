import type { ErrorCode, OutputBuffer } from "@heddle/core";
import { releaseOutputBuffer } from "@heddle/core";
import type { SocketHandler } from "./fast-socket.ts";
import type { InputOwner } from "./input-flow.ts";
import { InputFlow } from "./input-flow.ts";
import type { SocketAddress } from "./ip-address.ts";
import type { SocketFailure } from "./socket-failure.ts";
import type { StreamSocket } from "./stream-socket.ts";
import type { TlsSession } from "./tls-session.ts";

/** What carries a virtual socket's bytes. It calls `receive`, `receiveEnd`, `drained`, `flushed`, `carrierSpent` and `lost`. */
export interface VirtualCarrier {
  /** @returns false: taken, but `drained` comes before more is wanted */
  write(bytes: Buffer, start: number, end: number): boolean;
  /** Written and still waiting for the stream's windows and its turn. */
  readonly queuedBytes: number;
  /** Of what was written, what has left this side's output: nobody has seen the rest. Still to be asked when the stream is gone. */
  readonly sentBytes: number;
  /** It takes no new streams, and closes when it has none. */
  readonly isSpent: boolean;
  /** @returns false: something still waits, and `flushed` comes when all has left and both halves have ended */
  end(): boolean;
  /** Our half ends, and what still comes is dropped: the socket hears nothing more. */
  finish(): void;
  /** Nothing more is to be delivered until `resume`; what is delivered nevertheless is kept. */
  pause(): void;
  resume(): void;
  accept(): void;
  refuse(code: ErrorCode): void;
  /** Both halves end now; the socket hears nothing more. */
  cancel(): void;
}

export interface VirtualEnds {
  readonly remoteAddress: SocketAddress;
  readonly localAddress: SocketAddress;
  readonly tls: TlsSession | undefined;
}

/** A byte stream inside another connection: a CONNECT stream of HTTP/2. What it does is what `FastSocket` does; only TLS it cannot begin. */
export class VirtualSocket implements InputOwner, StreamSocket {
  handler: SocketHandler = idle;
  remoteAddress: SocketAddress;
  localAddress: SocketAddress;
  readonly directRemoteAddress: SocketAddress;
  /** What was asked for is where it was meant to go. */
  isDestinationRestored = true;
  readonly tls: TlsSession | undefined;
  bytesRead = 0;
  /** The carrier's windows and queues limit what is kept. */
  highWaterBytes = 0;
  readonly #carrier: VirtualCarrier;
  readonly #input = new InputFlow(this, true);
  #hasEnded = false;
  /** What was written has left, or is the carrier's business alone. */
  #isFlushed = false;
  #isClosed = false;
  #failure: SocketFailure | undefined;

  constructor(carrier: VirtualCarrier, { remoteAddress, localAddress, tls }: VirtualEnds) {
    this.#carrier = carrier;
    this.remoteAddress = remoteAddress;
    this.directRemoteAddress = remoteAddress;
    this.localAddress = localAddress;
    this.tls = tls;
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  get queuedBytes(): number {
    return this.#carrier.queuedBytes;
  }

  get bytesWritten(): number {
    return this.#carrier.sentBytes;
  }

  get isCarrierSpent(): boolean {
    return this.#carrier.isSpent;
  }

  // What the carrier tells ------------------------------------------------------------------------

  receive(bytes: Buffer, start: number, end: number): void {
    if (this.#isClosed) return;
    this.bytesRead += end - start;
    this.#input.take(bytes, start, end);
  }

  receiveEnd(): void {
    this.#input.takeEnd();
  }

  drained(): void {
    if (!this.#isClosed) this.handler.onDrain();
  }

  flushed(): void {
    this.#isFlushed = true;
    this.#closeIfEnded();
  }

  carrierSpent(): void {
    if (!this.#isClosed) this.handler.onCarrierSpent?.();
  }

  /** The carrier is gone, or this stream of it. */
  lost(failure: SocketFailure): void {
    this.#close(failure);
  }

  // StreamSocket ----------------------------------------------------------------------------------

  start(handler: SocketHandler): void {
    this.handler = handler;
    this.resume();
  }

  upgrade(): void {
    this.destroy({ kind: "local", code: "internal_error", text: "TLS cannot begin inside a tunnel", cause: "" });
  }

  restoreDestination(): boolean {
    return true;
  }

  replaceAddresses({
    source,
    destination,
  }: {
    readonly source: SocketAddress;
    readonly destination: SocketAddress;
  }): void {
    this.remoteAddress = source;
    this.localAddress = destination;
  }

  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isClosed || this.#hasEnded) return true;
    return this.#carrier.write(bytes, start, end);
  }

  /** The carrier copies it. */
  writeOwn(buffer: OutputBuffer): boolean {
    const hasRoom = this.write(buffer.bytes, 0, buffer.used);
    releaseOutputBuffer(buffer);
    return hasRoom;
  }

  writeText(text: string): boolean {
    return this.write(Buffer.from(text, "latin1"), 0, text.length);
  }

  flush(): void {}

  end(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#carrier.end()) this.#isFlushed = true;
    this.#closeIfEnded();
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    this.#input.resume();
  }

  unread(bytes: Buffer, consumedBytes = 0): void {
    if (this.#isClosed) return;
    this.bytesRead -= consumedBytes;
    this.#input.unread(bytes);
  }

  accept(): void {
    if (!this.#isClosed) this.#carrier.accept();
  }

  refuse(code: ErrorCode): void {
    if (this.#isClosed) return;
    this.#carrier.refuse(code);
    this.#close(undefined);
  }

  finish(): void {
    if (this.#isClosed) return;
    this.#hasEnded = true;
    this.#carrier.finish();
    this.#close(undefined);
  }

  /** A stream is broken off so that nobody takes what came for complete; where both halves have ended, and nothing waits, it is. */
  destroy(failure?: SocketFailure): void {
    if (this.#isClosed) return;
    if (!this.#hasEnded || !this.#isFlushed || !this.#input.hasPeerEnded) this.#carrier.cancel();
    this.#close(failure);
  }

  reset(failure?: SocketFailure): void {
    if (this.#isClosed) return;
    this.#carrier.cancel();
    this.#close(failure);
  }

  // InputOwner ------------------------------------------------------------------------------------

  /** @internal */
  stopReading(): void {
    this.#carrier.pause();
  }

  /** @internal */
  startReading(): void {
    this.#carrier.resume();
  }

  /** @internal */
  onEndDelivered(): void {
    this.#closeIfEnded();
  }

  #closeIfEnded(): void {
    if (this.#hasEnded && this.#isFlushed && this.#input.isEndDelivered) this.#close(undefined);
  }

  /** The handler hears of it later, as with a socket of the runtime. */
  #close(failure: SocketFailure | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#input.discard();
    this.#failure = failure;
    process.nextTick(tellClosed, this);
  }

  /** @internal */
  tellClosed(): void {
    this.handler.onClose(this.#failure);
  }
}

function tellClosed(socket: VirtualSocket): void {
  socket.tellClosed();
}

const idle: SocketHandler = {
  onReady() {},
  onBytes: () => 0,
  onEnd() {},
  onDrain() {},
  onClose() {},
};
