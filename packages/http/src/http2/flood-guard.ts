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

/** Of the resets that a peer allows, what a client uses of one connection. */
const ownShare = 0.5;

/**
 * Counts what costs us more than the peer, and says when it is too much. Each method returns the rule that is broken, or "". Thresholds and
 * their arithmetic are Envoy's (source/common/http/http2/protocol_constraints.cc, and the premature reset rule of its connection manager).
 */
export class FloodGuard {
  readonly #limits: Http2Limits;
  readonly #peerResets: TokenBucket;
  readonly #causedResets: TokenBucket;
  readonly #ownResets: TokenBucket;
  /** See `ownReset`. */
  hasResetEnough = false;
  #openedStreams = 0;
  #endedStreams = 0;
  #prematureResets = 0;
  #unansweredResets = 0;
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
    this.#ownResets = new TokenBucket(limits.resetBurst * ownShare, limits.resetsPerSecond);
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

  /**
   * This side, a client, reset a stream: a peer counts that as `peerReset` does, and so do nghttp2 and Envoy, with the same figures. At half of them the
   * connection has had enough, so that the streams that are open by then may all be reset, too.
   *
   * @param nowMs may be of the past: less is allowed, then
   * @param isUnanswered the peer will take it for premature, whatever its age: clocks and ways differ
   */
  ownReset(nowMs: number, isUnanswered: boolean): void {
    if (!this.#ownResets.take(nowMs)) this.hasResetEnough = true;
    if (!isUnanswered) return;
    this.#unansweredResets += 1;
    const judgedStreams = Math.max(this.#endedStreams + 1, this.#limits.prematureResetStreams);
    if (this.#unansweredResets * 2 > judgedStreams * ownShare) this.hasResetEnough = true;
  }

  /** A fault of the peer makes us reset a stream: CVE-2025-8671 (MadeYouReset). */
  causedReset(nowMs: number): Http2Rule | "" {
    return this.#causedResets.take(nowMs) ? "" : "causedResetFlood";
  }
}
