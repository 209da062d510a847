import type { Http2Limits } from "./limits.ts";
import type { Http2Rule } from "./violation.ts";

/** A bucket that fills with time, which comes in as an argument. */
class TokenBucket {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledMs = 0;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#tokens = burst;
  }

  /** @returns false when there was none */
  take(nowMs: number): boolean {
    const gained = (Math.max(0, nowMs - this.#filledMs) * this.#perSecond) / 1000;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/**
 * Counts what costs us more than the peer, and says when it is too much. Each method returns the rule that is broken, or "". Thresholds and
 * their arithmetic are Envoy's (source/common/http/http2/protocol_constraints.cc, and the premature reset rule of its connection manager).
 */
export class FloodGuard {
  readonly #limits: Http2Limits;
  readonly #peerResets: TokenBucket;
  readonly #causedResets: TokenBucket;
  #openedStreams = 0;
  #endedStreams = 0;
  #prematureResets = 0;
  #priorityFrames = 0;
  #windowUpdates = 0;
  #sentDataFrames = 0;
  #consecutiveEmpty = 0;
  #outboundFrames = 0;
  #outboundControlFrames = 0;

  constructor(limits: Http2Limits) {
    this.#limits = limits;
    this.#peerResets = new TokenBucket(limits.resetBurst, limits.resetsPerSecond);
    this.#causedResets = new TokenBucket(limits.resetBurst, limits.resetsPerSecond);
  }

  streamOpened(): void {
    this.#openedStreams += 1;
  }

  streamEnded(): void {
    this.#endedStreams += 1;
  }

  dataFrameSent(): void {
    this.#sentDataFrames += 1;
  }

  /** All output was taken. */
  outputTaken(): void {
    this.#outboundFrames = 0;
    this.#outboundControlFrames = 0;
  }

  /** A frame waits to be taken; as a control frame the peer caused it. */
  frameQueued(isControl: boolean): Http2Rule | "" {
    this.#outboundFrames += 1;
    if (isControl) this.#outboundControlFrames += 1;
    if (this.#outboundControlFrames > this.#limits.maxOutboundControlFrames) return "outboundControlFlood";
    return this.#outboundFrames > this.#limits.maxOutboundFrames ? "outboundFlood" : "";
  }

  /** HEADERS, CONTINUATION or DATA came: CVE-2019-9518. */
  payloadFrame(isEmpty: boolean): Http2Rule | "" {
    this.#consecutiveEmpty = isEmpty ? this.#consecutiveEmpty + 1 : 0;
    return this.#consecutiveEmpty > this.#limits.maxConsecutiveEmptyFrames ? "emptyFrameFlood" : "";
  }

  /** CVE-2019-9513. */
  priorityFrame(): Http2Rule | "" {
    this.#priorityFrames += 1;
    const allowed = this.#limits.maxPriorityFramesPerStream * (1 + this.#openedStreams);
    return this.#priorityFrames > allowed ? "priorityFlood" : "";
  }

  windowUpdate(): Http2Rule | "" {
    this.#windowUpdates += 1;
    const perDataFrames = this.#limits.maxWindowUpdatesPerDataFrame * this.#sentDataFrames;
    return this.#windowUpdates > 5 + 2 * (this.#openedStreams + perDataFrames) ? "windowUpdateFlood" : "";
  }

  /**
   * A client reset a stream: CVE-2023-44487. A reset is premature soon after the request and before its answer began. A connection is judged once enough
   * streams have ended, and before that when no later stream could save it (Envoy, `maybeDrainDueToPrematureResets`).
   *
   * @param unansweredMs how long the request had waited for its answer; -1 when that had begun, or the stream had ended
   */
  peerReset(nowMs: number, unansweredMs: number): Http2Rule | "" {
    if (!this.#peerResets.take(nowMs)) return "resetFlood";
    if (unansweredMs < 0 || unansweredMs >= this.#limits.prematureResetMs) return "";
    this.#prematureResets += 1;
    // The stream at hand ends with this reset.
    const judgedStreams = Math.max(this.#endedStreams + 1, this.#limits.prematureResetStreams);
    return this.#prematureResets * 2 > judgedStreams ? "prematureResetFlood" : "";
  }

  /** A fault of the peer makes us reset a stream: CVE-2025-8671 (MadeYouReset). */
  causedReset(nowMs: number): Http2Rule | "" {
    return this.#causedResets.take(nowMs) ? "" : "causedResetFlood";
  }
}
