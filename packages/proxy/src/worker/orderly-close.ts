import { type ErrorCode, errorEntry } from "@heddle/core";
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
 * What a connection ends behind. `answer`: something that the client asked for. `refusal`: the client broke the protocol, was too slow to ask, or came
 * in an overload; what it leaves unread is memory that it has no claim on.
 */
export type LastWord = "answer" | "refusal";

/** @param code of the request that is the last; empty: none, or the upstream answered it */
export function lastWordOf(code: ErrorCode | ""): LastWord {
  const isRefusal =
    code === "overloaded" || code === "request_headers_timeout" || (code !== "" && errorEntry(code).flag === "DPE");
  return isRefusal ? "refusal" : "answer";
}

/**
 * The end of a client's connection. Our half closes behind what is written, and we read on for `delayed_close_timeout`: closing with unread bytes would
 * make the kernel send a reset, which can destroy the answer before the client has read it (RFC 9112 §9.6). That time begins when everything has left,
 * so that a slow client gets its answer whole. One that takes nothing at all has as long as it would within an answer; behind a refusal it has
 * `delayed_close_timeout`, which Envoy gives in both cases: there it runs from the start and begins again with all that leaves.
 */
export class OrderlyClose {
  readonly #socket: StreamSocket;
  readonly #deadlines: Deadlines;
  #chain: HttpChain | undefined;
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
    return this.#chain !== undefined;
  }

  begin(chain: HttpChain, nowMs: number, lastWord: LastWord): void {
    if (this.#chain !== undefined) return;
    this.#chain = chain;
    const { delayedCloseTimeoutMs } = chain.hcm.config;
    this.#delayMs = Math.max(1, delayedCloseTimeoutMs);
    // 0 is for closing as soon as everything has left, which says nothing of how long that may take.
    const isShort = lastWord === "refusal" && delayedCloseTimeoutMs > 0;
    this.#stalledGraceMs = isShort ? delayedCloseTimeoutMs : stalledGraceMs(chain);
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
    if (!hasLeft && nowMs - this.#stalledAtMs < this.#stalledGraceMs) {
      this.#deadlines.set(deadline.delayedClose, nowMs, this.#delayMs);
      return;
    }
    this.#chain?.stats.delayedCloses.add(1);
    this.#socket.destroy();
  }
}
