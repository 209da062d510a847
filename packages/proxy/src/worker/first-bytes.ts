import type { ConnectionView } from "@heddle/engine";
import type { SocketFailure, SocketHandler } from "@heddle/net";
import { type Deadline, deadline, type DeadlineOwner, Deadlines } from "./deadlines.ts";
import { Http1Connection } from "./http1-connection.ts";
import { Http2ServerConnection } from "./http2-connection.ts";
import { reduceConnectionTimeouts } from "./reduced-timeouts.ts";
import type { ChainSlot, HttpConnectionParts, ServedConnection } from "./served-connection.ts";

/** No HTTP/1.1 request begins with it: the method is reserved (RFC 9113 §3.4 and §11.3). */
const preface = Buffer.from("PRI ");

/** A connection of which neither configuration nor ALPN says what it speaks: its first bytes do, as with Envoy's codec type AUTO. */
export class FirstBytes implements ServedConnection, SocketHandler, DeadlineOwner {
  readonly slot: ChainSlot;
  readonly view: ConnectionView;
  readonly #parts: HttpConnectionParts;
  readonly #deadlines: Deadlines;
  #seen: Buffer = Buffer.alloc(0);

  constructor(parts: HttpConnectionParts) {
    const { worker, chain } = parts;
    this.slot = parts.slot;
    this.view = parts.view;
    this.#parts = parts;
    this.#deadlines = new Deadlines(worker.timers, this);
    const { idleTimeoutMs, maxConnectionDurationMs } = chain.hcm.config;
    this.#deadlines.set(deadline.idle, worker.timers.now(), idleTimeoutMs);
    this.#deadlines.set(deadline.connectionDuration, worker.timers.now(), maxConnectionDurationMs);
  }

  drain(): void {
    // As an idle HTTP/1.1 connection: it stays, or a request that is just being sent would be lost.
    if (this.slot.chain === undefined) this.#parts.socket.destroy();
  }

  cut(): void {
    this.destroy();
  }

  destroy(): void {
    this.#parts.socket.destroy();
  }

  reduceTimeouts(nowMs: number): void {
    const { chain, worker } = this.#parts;
    reduceConnectionTimeouts(this.#deadlines, chain, worker.load, nowMs);
  }

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    const needed = preface.length - this.#seen.length;
    const taken = Math.min(end - start, needed);
    const isPrefix = preface.compare(bytes, start, start + taken, this.#seen.length, this.#seen.length + taken) === 0;
    if (isPrefix && taken < needed) {
      const { worker, chain } = this.#parts;
      this.#seen = Buffer.concat([this.#seen, bytes.subarray(start, start + taken)]);
      if (!this.#deadlines.isSet(deadline.requestHead))
        this.#deadlines.set(deadline.requestHead, worker.timers.now(), chain.headTimeLimitMs);
      return taken;
    }
    this.#handOver(isPrefix, bytes, start, end);
    return end - start;
  }

  #handOver(isHttp2: boolean, bytes: Buffer, start: number, end: number): void {
    this.#deadlines.stop();
    const Connection = isHttp2 ? Http2ServerConnection : Http1Connection;
    const { socket, observer } = this.#parts;
    const next = new Connection(this.#parts);
    observer.onConnectionReplaced(this, next);
    socket.unread(Buffer.concat([this.#seen, bytes.subarray(start, end)]));
    socket.start(next);
  }

  onEnd(): void {
    this.#parts.socket.end();
    this.#parts.socket.destroy();
  }

  onDrain(): void {}

  onClose(_failure: SocketFailure | undefined): void {
    this.#deadlines.stop();
    this.#parts.chain.stats.connectionsActive.add(-1);
    this.#parts.observer.onConnectionClosed(this);
  }

  onDeadline(which: Deadline): void {
    const { chain, socket } = this.#parts;
    if (which === deadline.idle) chain.stats.idleConnections.add(1);
    if (which === deadline.connectionDuration) chain.stats.agedConnections.add(1);
    socket.destroy();
  }
}
