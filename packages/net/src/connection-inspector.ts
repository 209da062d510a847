import type { TimerHandle, TimerTarget, TimerWheel } from "@heddle/core";
import { inspectClientHello, maxClientHelloBytes } from "./client-hello.ts";
import type { FastSocket, SocketHandler } from "./fast-socket.ts";
import { inspectHttp } from "./http-preface.ts";
import type { SocketFailure } from "./socket-failure.ts";

export type Inspector = "tls_inspector" | "http_inspector";

/** What filter chains are chosen by. */
export interface ConnectionInspection {
  readonly transportProtocol: "tls" | "raw_buffer";
  /** Lower-case; empty: none. */
  readonly sni: string;
  /** ALPN of a ClientHello, or `http/1.1`, `http/1.0`, `h2c` of a first line. */
  readonly applicationProtocols: readonly string[];
  /** The bytes did not suffice in time: what they are is unknown and must be treated as the most restricted kind. */
  readonly hasTimedOut: boolean;
}

/** A timer wheel, or what stands before one. */
export type InspectionTimers = Pick<TimerWheel, "schedule" | "cancel">;

export interface InspectionHandler {
  /** Everything read is put back: `start` or `upgrade` the socket. */
  onInspected(socket: FastSocket, inspection: ConnectionInspection): void;
  /** The connection ended first. */
  onInspectionClosed(failure: SocketFailure | undefined): void;
}

/**
 * Envoy's listener filters tls_inspector and http_inspector: looks at the first bytes of an accepted connection, without consuming them, until they say
 * what it is. An idle client is given up after `timeoutMs`; with 0 it is waited for as long as it likes.
 */
export function inspectConnection(
  socket: FastSocket,
  inspectors: readonly Inspector[],
  timeoutMs: number,
  timers: InspectionTimers,
  handler: InspectionHandler,
): void {
  const inspection = new PendingInspection(socket, inspectors, timers, handler);
  if (timeoutMs > 0) inspection.timer = timers.schedule(timeoutMs, inspection);
  socket.start(inspection);
}

class PendingInspection implements SocketHandler, TimerTarget {
  timer: TimerHandle | undefined;
  readonly #socket: FastSocket;
  readonly #inspectors: readonly Inspector[];
  readonly #timers: InspectionTimers;
  readonly #handler: InspectionHandler;
  #received: Buffer = Buffer.alloc(0);

  constructor(
    socket: FastSocket,
    inspectors: readonly Inspector[],
    timers: InspectionTimers,
    handler: InspectionHandler,
  ) {
    this.#socket = socket;
    this.#inspectors = inspectors;
    this.#timers = timers;
    this.#handler = handler;
  }

  onReady(): void {}

  onBytes(bytes: Buffer, start: number, end: number): number {
    this.#received = Buffer.concat([this.#received, bytes.subarray(start, end)]);
    const inspection = this.#inspect(this.#received);
    if (inspection !== undefined) this.#finish(inspection);
    return end - start;
  }

  /** The peer will send no more: judged by what there is. */
  onEnd(): void {
    this.#finish(undecided(false));
  }

  onDrain(): void {}

  onClose(failure: SocketFailure | undefined): void {
    this.#cancelTimer();
    this.#handler.onInspectionClosed(failure);
  }

  onTimer(): void {
    this.timer = undefined;
    this.#finish(undecided(true));
  }

  /** undefined: more bytes are needed. */
  #inspect(bytes: Buffer): ConnectionInspection | undefined {
    if (this.#inspectors.includes("tls_inspector")) {
      const hello = inspectClientHello(bytes, 0, bytes.length);
      if (hello.kind === "incomplete") return undefined;
      if (hello.kind === "tls") {
        return { transportProtocol: "tls", sni: hello.sni, applicationProtocols: hello.alpn, hasTimedOut: false };
      }
    }
    if (this.#inspectors.includes("http_inspector")) {
      const http = inspectHttp(bytes, 0, bytes.length);
      if (http === "incomplete" && bytes.length < maxClientHelloBytes) return undefined;
      if (http !== "incomplete" && http !== "not-http") {
        return { transportProtocol: "raw_buffer", sni: "", applicationProtocols: [http], hasTimedOut: false };
      }
    }
    return undecided(false);
  }

  #finish(inspection: ConnectionInspection): void {
    this.#cancelTimer();
    this.#socket.unread(this.#received);
    this.#received = Buffer.alloc(0);
    this.#handler.onInspected(this.#socket, inspection);
  }

  #cancelTimer(): void {
    if (this.timer !== undefined) this.#timers.cancel(this.timer);
    this.timer = undefined;
  }
}

function undecided(hasTimedOut: boolean): ConnectionInspection {
  return { transportProtocol: "raw_buffer", sni: "", applicationProtocols: [], hasTimedOut };
}
