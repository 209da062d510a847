import type { Http2Stream } from "./stream.ts";

/** How a stream ended; that decides what a late frame on it means (RFC 9113 §5.1). */
export type Ending = "ended" | "reset-here" | "reset-there";

/** Resets that are remembered: with 100 streams at once, a peer that is ten round trips late is still understood. */
const rememberedResets = 1000;

/** Ordinary ends that are remembered, only to tell a late frame from an identifier that was left out. A power of two. */
const rememberedEnds = 64;

/** The streams of a connection, live and lately ended. */
export class StreamTable {
  readonly live = new Map<number, Http2Stream>();
  /** The stream that ended last: its end is being told of. */
  #ended: Http2Stream | undefined;
  readonly #resets = new Map<number, Ending>();
  /** A ring: a map that loses its oldest for each new one was a tenth of the codec's time. */
  readonly #ends = new Int32Array(rememberedEnds);
  /** The highest identifier that each side has used. */
  lastPeerId = 0;
  lastOwnId = 0;
  /** Live streams by who opened them. */
  peerCount = 0;
  ownCount = 0;
  readonly #ownParity: 0 | 1;

  constructor(isServer: boolean) {
    this.#ownParity = isServer ? 0 : 1;
  }

  add(stream: Http2Stream, isOwn: boolean): void {
    this.live.set(stream.id, stream);
    if (isOwn) {
      this.lastOwnId = stream.id;
      this.ownCount += 1;
    } else {
      this.peerCount += 1;
    }
  }

  /** @returns false when it had ended already */
  end(stream: Http2Stream, isOwn: boolean, ending: Ending): boolean {
    if (!this.live.delete(stream.id)) return false;
    this.#ended = stream;
    if (isOwn) this.ownCount -= 1;
    else this.peerCount -= 1;
    this.remember(stream.id, ending);
    return true;
  }

  remember(id: number, ending: Ending): void {
    if (ending === "ended") {
      this.#ends[(id >>> 1) & (rememberedEnds - 1)] = id;
      return;
    }
    this.#resets.set(id, ending);
    if (this.#resets.size <= rememberedResets) return;
    for (const oldest of this.#resets.keys()) {
      this.#resets.delete(oldest);
      return;
    }
  }

  /** @returns undefined when it never was, or is long forgotten */
  endingOf(id: number): Ending | undefined {
    return this.#ends[(id >>> 1) & (rememberedEnds - 1)] === id ? "ended" : this.#resets.get(id);
  }

  /** A live stream, or the one that ended last. */
  find(id: number): Http2Stream | undefined {
    return this.live.get(id) ?? (this.#ended?.id === id ? this.#ended : undefined);
  }

  /** Whether nobody has opened the stream. Both sides' identifiers are of different parity. */
  isIdle(id: number): boolean {
    const isOwn = id % 2 === this.#ownParity;
    return id > (isOwn ? this.lastOwnId : this.lastPeerId);
  }
}
