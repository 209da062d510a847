import type { SocketHandler } from "./fast-socket.ts";

/** The socket whose reading side this is. */
export interface InputOwner {
  readonly handler: SocketHandler;
  /** Bytes may be delivered. */
  readonly isOpen: boolean;
  /** More may come again. */
  startReading(): void;
  /** Nothing is to come until `startReading`; what comes nevertheless is kept. */
  stopReading(): void;
  /** The handler has heard that the peer ended. */
  onEndDelivered(): void;
}

/**
 * The reading side of a byte stream: offers what comes to the handler, keeps what it leaves or what comes while it pauses, in order, and tells the peer's
 * end behind all of it. The last word of a handler within one call counts, be it `pause` or `resume`.
 */
export class InputFlow {
  isPaused: boolean;
  hasPeerEnded = false;
  isEndDelivered = false;
  readonly #owner: InputOwner;
  #isResumed = false;
  #isOffering = false;
  /** The owner was told to stop, and not to start since. */
  #isStopped = false;
  #held: Buffer | undefined;

  constructor(owner: InputOwner, isPaused: boolean) {
    this.#owner = owner;
    this.isPaused = isPaused;
  }

  /** Bytes [start, end) came; they are valid during the call only. */
  take(bytes: Buffer, start: number, end: number): void {
    if (this.isPaused || this.#isOffering) this.#keepBehind(Buffer.from(bytes.subarray(start, end)));
    else this.#offer(bytes, start, end);
  }

  /** The peer closed its sending half. */
  takeEnd(): void {
    this.hasPeerEnded = true;
    if (this.#owner.isOpen && !this.isPaused && !this.#isOffering) this.#deliverEnd();
  }

  pause(): void {
    this.#isResumed = false;
    if (this.isPaused || !this.#owner.isOpen) return;
    this.isPaused = true;
    this.#stop();
  }

  /** Offers what was kept and reads on. Within `onBytes` it only notes that more is wanted. */
  resume(): void {
    this.#isResumed = true;
    if (this.#isOffering || !this.isPaused || !this.#owner.isOpen) return;
    this.isPaused = false;
    const held = this.#held;
    this.#held = undefined;
    if (held === undefined) this.#goOn();
    else this.#offer(held, 0, held.length, true);
  }

  /**
   * Puts bytes back in front of everything, which are the flow's own from now on, and pauses. Within `onBytes`, whoever does so takes all that it is offered.
   */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#held = this.#held === undefined ? bytes : Buffer.concat([bytes, this.#held]);
    this.isEndDelivered = false;
    this.#isResumed = false;
    this.isPaused = true;
    this.#stop();
  }

  /** Gives up what was kept, for whoever reads the stream from now on; nothing is paused then. */
  handOver(): Buffer | undefined {
    const held = this.#held;
    this.#held = undefined;
    this.isPaused = false;
    this.#isStopped = false;
    return held;
  }

  /** Drops what was kept. */
  discard(): void {
    this.#held = undefined;
  }

  /** @param isOwn the bytes stay as they are after the call */
  #offer(bytes: Buffer, start: number, end: number, isOwn = false): void {
    let source = bytes;
    let from = start;
    let to = end;
    let isKept = isOwn;
    this.#isOffering = true;
    try {
      for (;;) {
        this.#isResumed = false;
        const used = this.#owner.handler.onBytes(source, from, to);
        from += used;
        if (!this.#owner.isOpen) return;
        if (from < to) {
          // The handler asked for more within the call (the next pipelined message): offer at once, unless it takes nothing.
          if (!this.#isResumed || used === 0) break;
          this.isPaused = false;
          continue;
        }
        // Everything was taken; what an inspector put back is for the handler that it started, and more may have come within the call.
        const more = this.#isResumed || !this.isPaused ? this.#held : undefined;
        if (more === undefined) break;
        this.#held = undefined;
        this.isPaused = false;
        source = more;
        from = 0;
        to = more.length;
        isKept = true;
      }
    } finally {
      this.#isOffering = false;
    }
    if (from < to) {
      const rest = source.subarray(from, to);
      this.#keepInFront(isKept ? rest : Buffer.from(rest));
      this.isPaused = true;
      this.#stop();
      return;
    }
    if (this.#isResumed) this.isPaused = false;
    if (!this.isPaused) this.#goOn();
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#owner.stopReading();
  }

  #goOn(): void {
    if (this.hasPeerEnded) {
      this.#deliverEnd();
      return;
    }
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#owner.startReading();
  }

  #keepInFront(bytes: Buffer): void {
    this.#held = this.#held === undefined ? bytes : Buffer.concat([bytes, this.#held]);
  }

  #keepBehind(bytes: Buffer): void {
    this.#held = this.#held === undefined ? bytes : Buffer.concat([this.#held, bytes]);
  }

  #deliverEnd(): void {
    if (this.isEndDelivered) return;
    this.isEndDelivered = true;
    this.#owner.handler.onEnd();
    this.#owner.onEndDelivered();
  }
}
