import type { StreamSocket } from "@heddle/net";
import { deadline, type Deadlines } from "./deadlines.ts";
import type { HttpChain } from "./http-chain.ts";

/** What a client that takes nothing gets where no idle time is set for streams: Envoy's default of it. */
const defaultStalledGraceMs = 5 * 60_000;

/** How long a client may take nothing of what waits for it. */
export function stalledGraceMs({ hcm }: HttpChain): number {
  const { streamIdleTimeoutMs } = hcm.config;
  return streamIdleTimeoutMs > 0 ? streamIdleTimeoutMs : defaultStalledGraceMs;
}

/**
 * The end of a client's connection. Our half closes behind what is written, and we read on for `delayed_close_timeout`: closing with unread bytes would
 * make the kernel send a reset, which can destroy the answer before the client has read it (RFC 9112 §9.6). That time begins when everything has left,
 * so that a slow client gets its answer whole; one that takes nothing at all has as long as it would within the answer. Envoy gives that one no more than
 * `delayed_close_timeout`, which there runs from the start and begins again with all that leaves.
 */
export class OrderlyClose {
  readonly #socket: StreamSocket;
  readonly #deadlines: Deadlines;
  #isBegun = false;
  #delayMs = 0;
  #stalledGraceMs = 0;
  /** What waited when it was last looked at, and since when it has been as much. */
  #queuedBytes = 0;
  #stalledAtMs = 0;

  constructor(socket: StreamSocket, deadlines: Deadlines) {
    this.#socket = socket;
    this.#deadlines = deadlines;
  }

  get isBegun(): boolean {
    return this.#isBegun;
  }

  begin(chain: HttpChain, nowMs: number): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#delayMs = Math.max(1, chain.hcm.config.delayedCloseTimeoutMs);
    this.#stalledGraceMs = stalledGraceMs(chain);
    this.#queuedBytes = this.#socket.queuedBytes;
    this.#stalledAtMs = nowMs;
    this.#socket.end();
    this.#socket.resume();
    this.#deadlines.set(deadline.delayedClose, nowMs, this.#delayMs);
  }

  /** `deadline.delayedClose` has passed. */
  onDeadline(nowMs: number): void {
    const { queuedBytes } = this.#socket;
    const hasLeft = this.#queuedBytes === 0;
    if (queuedBytes !== this.#queuedBytes) this.#stalledAtMs = nowMs;
    this.#queuedBytes = queuedBytes;
    // By the clock: the timers of an idle proxy are coarser than a short `delayed_close_timeout`.
    if (hasLeft || nowMs - this.#stalledAtMs >= this.#stalledGraceMs) this.#socket.destroy();
    else this.#deadlines.set(deadline.delayedClose, nowMs, this.#delayMs);
  }
}
