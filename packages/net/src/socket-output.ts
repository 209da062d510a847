import type { Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import type { OutputBuffer } from "@heddle/core";
import { growOutputBuffer, releaseOutputBuffer, takeOutputBuffer } from "@heddle/core";
import type { StreamHandle, WriteRequest } from "./runtime-edges.ts";
import { lastWriteError, runtimeEdges } from "./runtime-edges.ts";
import { sendNow } from "./send-now.ts";
import type { Flushable } from "./turn.ts";
import { enterTurn, flushLater, flushWithCallback, leaveTurn } from "./turn.ts";

/** What a connection wants to know of its output. */
export interface OutputOwner {
  /** Everything that made `write` answer false has left. */
  onOutputDrained(): void;
  /** The system refused a write, with its name of the error. Nothing more is sent. */
  onOutputFailed(cause: string): void;
  /** A write was accepted and completes later. */
  onOutputWaiting(): void;
}

/** Output kept for a peer that reads slowly before `write` says stop; Envoy's per_connection_buffer_limit is the same kind of number. */
const defaultHighWaterBytes = 65_536;

/** From here on waiting for other connections costs more, in the processor's caches, than it saves. */
const bulkBytes = 8192;

/**
 * Writes of so many bytes on TCP, when nothing waits before them, are offered to the kernel from where they lie, and only what it does not take is copied.
 * (Measured, CPU of a relay of bulk data: 0.83 of what it was. TLS copies what it encrypts: there the same gave 1.01.)
 */
const lendingBytes = 32_768;

/**
 * The sending side of a connection: copies what is written into gathered buffers and hands them to the kernel, or to TLS, one after the other. Most
 * writes end at once and their buffer serves the next connection; only a peer that reads slowly keeps one.
 */
export class SocketOutput implements Flushable {
  highWaterBytes = defaultHighWaterBytes;
  /** Written and not yet taken by the kernel. */
  queuedBytes = 0;
  /** Taken by the kernel or by TLS. */
  bytesWritten = 0;
  #owner: OutputOwner;
  #socket: Socket;
  /** undefined: the public API writes. */
  #handle: StreamHandle | undefined;
  /** The kernel takes bytes without a copy of ours in between. */
  #canSendNow = false;
  /** Bytes may leave: the connection, or its handshake, is made. */
  #isOpen = false;
  #isDead = false;
  #gathering: OutputBuffer | undefined;
  /** Full buffers, in front of the one that is gathering. */
  #backlog: OutputBuffer[] = [];
  #isWriting = false;
  /** Listed to be flushed: not at all, with the turn or with the callback. */
  #listed: "no" | "later" | "soon" = "no";
  #needsDrain = false;
  #hasEnded = false;
  #isShutDown = false;

  constructor(owner: OutputOwner, socket: Socket) {
    this.#owner = owner;
    this.#socket = socket;
  }

  /** Sends to this socket from now on, once `open` is called. */
  attach(socket: Socket): void {
    this.#socket = socket;
    this.#handle = undefined;
    this.#isOpen = false;
  }

  /**
   * What was written so far leaves with the end of this turn.
   *
   * @param handle writes go to it directly; undefined: through the public API
   * @param transport of the handle: TLS's has the descriptor of the connection below it, on which nothing may go out in plaintext
   */
  open(handle: StreamHandle | undefined, transport: "tcp" | "tls"): void {
    this.#handle = handle;
    this.#canSendNow = runtimeEdges.kernelSend && handle !== undefined && transport === "tcp";
    this.#isOpen = true;
    if (this.#gathering !== undefined || this.#hasEnded) this.#flushLater();
  }

  /** Takes bytes [start, end), which are the caller's again afterwards. @returns false when the writer should wait for `onOutputDrained`; they are taken in any case */
  write(bytes: Buffer, start: number, end: number): boolean {
    if (this.#isDead || this.#hasEnded) return true;
    if (start < end) {
      const mayLend = end - start >= lendingBytes && this.queuedBytes === 0 && this.#isOpen && this.#canSendNow;
      this.#keep(bytes, mayLend ? this.#lend(bytes, start, end) : start, end);
    }
    return this.#hasRoom();
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    this.queuedBytes += end - start;
    this.#gather(bytes, start, end);
    this.#flushLater();
  }

  /** @returns from where on the bytes are still to be sent */
  #lend(bytes: Buffer, start: number, end: number): number {
    // Asked for anew each time: a handle that has been closed says -1, and its number may be another connection's by now.
    const taken = sendNow(this.#handle?.fd ?? -1, bytes.subarray(start, end));
    this.bytesWritten += taken;
    return start + taken;
  }

  /**
   * Takes a buffer over, which is given back to the pool: not copied, unless others wait before it, of which a peer that does not read could make many.
   *
   * @returns as `write` does
   */
  writeOwn(buffer: OutputBuffer): boolean {
    const { used } = buffer;
    if (this.#isDead || this.#hasEnded || used === 0) {
      releaseOutputBuffer(buffer);
      return true;
    }
    this.queuedBytes += used;
    if (this.#gathering === undefined) {
      this.#gathering = buffer;
    } else {
      this.#gather(buffer.bytes, 0, used);
      releaseOutputBuffer(buffer);
    }
    this.#flushLater();
    return this.#hasRoom();
  }

  /** As `write`, of characters that are one byte each: none above U+00FF. They go to the buffer that leaves without another copy. */
  writeText(text: string): boolean {
    const { length } = text;
    if (this.#isDead || this.#hasEnded || length === 0) return true;
    const buffer = this.#roomFor(length);
    // Longer than a buffer can be.
    if (buffer.bytes.length - buffer.used < length) return this.write(Buffer.from(text, "latin1"), 0, length);
    buffer.used += buffer.bytes.write(text, buffer.used, "latin1");
    this.queuedBytes += length;
    this.#flushLater();
    return this.#hasRoom();
  }

  /** @returns false, and `onOutputDrained` follows, when more is queued than is wanted */
  #hasRoom(): boolean {
    if (this.queuedBytes <= this.highWaterBytes) return true;
    // The kernel may well take all of it: only what it leaves is a reason to stop.
    if (!this.#isWriting) this.flush();
    if (this.#isDead || this.queuedBytes <= this.highWaterBytes) return true;
    this.#needsDrain = true;
    return false;
  }

  /** Closes the sending half once everything written has left. */
  end(): void {
    if (this.#isDead || this.#hasEnded) return;
    this.#hasEnded = true;
    this.#flushLater();
  }

  flush(): void {
    this.#listed = "no";
    if (!this.#isOpen) return;
    while (!this.#isWriting && !this.#isDead) {
      let next = this.#gathering;
      if (this.#backlog.length > 0) next = this.#backlog.shift();
      else this.#gathering = undefined;
      if (next === undefined) break;
      this.#send(next);
    }
    if (this.#isDead || this.#isWriting) return;
    if (this.#hasEnded && !this.#isShutDown) {
      this.#isShutDown = true;
      this.#socket.end();
    }
    this.#reportDrained();
  }

  /** Flushes what is listed to be flushed. Nobody is told how it went: `discard` follows. */
  sendLast(): void {
    if (this.#listed === "no") return;
    this.#owner = nobody;
    this.flush();
  }

  /** Drops what is queued; nothing is sent any more. */
  discard(): void {
    this.#isDead = true;
    if (this.#gathering !== undefined) releaseOutputBuffer(this.#gathering);
    for (const buffer of this.#backlog) releaseOutputBuffer(buffer);
    this.#gathering = undefined;
    this.#backlog = [];
    this.queuedBytes = 0;
  }

  /** The runtime has a write that it has not completed. */
  get isWriting(): boolean {
    return this.#isWriting;
  }

  /** Whoever waits would wait for ever: it is told to go on, and what it writes is dropped. */
  releaseWriter(): void {
    this.#reportDrained();
  }

  /** @internal */
  takeWritten(buffer: OutputBuffer, status: number): void {
    this.#isWriting = false;
    const length = buffer.used;
    releaseOutputBuffer(buffer);
    if (this.#isDead) return;
    this.queuedBytes -= length;
    enterTurn();
    try {
      if (status < 0) this.#fail(status);
      else this.flush();
    } finally {
      leaveTurn();
    }
  }

  #gather(bytes: Buffer, start: number, end: number): void {
    let from = start;
    while (from < end) {
      const buffer = this.#roomFor(end - from);
      const length = Math.min(buffer.bytes.length - buffer.used, end - from);
      bytes.copy(buffer.bytes, buffer.used, from, from + length);
      buffer.used += length;
      from += length;
      if (from < end) {
        // Full: it may leave at once, so that a large write does not pile up in memory first.
        this.#backlog.push(buffer);
        this.#gathering = undefined;
        if (!this.#isWriting) this.flush();
        if (this.#isDead) return;
      }
    }
  }

  /** The buffer that is gathering, with room for so many bytes behind what it holds, or as much as one can have. */
  #roomFor(byteCount: number): OutputBuffer {
    const buffer = (this.#gathering ??= takeOutputBuffer(byteCount));
    return buffer.bytes.length - buffer.used >= byteCount
      ? buffer
      : (this.#gathering = growOutputBuffer(buffer, byteCount));
  }

  #flushLater(): void {
    if (this.queuedBytes >= bulkBytes) {
      if (this.#listed === "soon") return;
      this.#listed = "soon";
      flushWithCallback(this);
    } else if (this.#listed === "no") {
      this.#listed = "later";
      flushLater(this);
    }
  }

  #send(buffer: OutputBuffer): void {
    const length = buffer.used;
    const view = buffer.bytes.subarray(0, length);
    if (this.#handle === undefined) {
      this.bytesWritten += length;
      this.#isWriting = true;
      // An error of this write arrives as the socket's own, too, with its name.
      this.#socket.write(view, () => this.takeWritten(buffer, 0));
      this.#owner.onOutputWaiting();
      return;
    }
    const outcome = this.#handle.writeBuffer(null, view);
    const status = typeof outcome === "number" ? outcome : lastWriteError();
    if (status < 0) {
      // The kernel took none of it, which is what makes the request behind it safe to send again: it does not count as written.
      releaseOutputBuffer(buffer);
      this.#fail(status);
      return;
    }
    this.bytesWritten += length;
    if (typeof outcome === "number") {
      releaseOutputBuffer(buffer);
      this.queuedBytes -= length;
      return;
    }
    this.#isWriting = true;
    outcome.buffer = buffer;
    outcome.heddleOwner = this;
    outcome.oncomplete = onWritten;
    const early = outcome.writeStatus;
    if (early !== null && early !== undefined) {
      outcome.writeStatus = null;
      outcome.oncomplete(early);
      return;
    }
    this.#owner.onOutputWaiting();
  }

  #fail(status: number): void {
    this.discard();
    this.#owner.onOutputFailed(getSystemErrorName(status));
  }

  #reportDrained(): void {
    if (!this.#needsDrain) return;
    this.#needsDrain = false;
    this.#owner.onOutputDrained();
  }
}

const nobody: OutputOwner = {
  onOutputDrained() {},
  onOutputFailed() {},
  onOutputWaiting() {},
};

function onWritten(this: WriteRequest, status: number): void {
  (this.heddleOwner as SocketOutput).takeWritten(this.buffer as OutputBuffer, status);
}
