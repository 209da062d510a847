import { type RandomSource, type TimerHandle, type TimerTarget } from "@heddle/core";
import type { Http2Connection } from "./connection.ts";

/** When to ask a peer whether it is still there (Envoy's `KeepaliveSettings`). */
export interface Http2KeepAliveSettings {
  /** From one PING to the next; 0: none. */
  readonly intervalMs: number;
  /** How long its answer may take. */
  readonly timeoutMs: number;
  /** Percent of the interval, at most, that is added at random, so that many connections do not ask at once. */
  readonly jitterPercent: number;
}

interface Timers {
  schedule(delayMs: number, target: TimerTarget): TimerHandle;
  cancel(handle: TimerHandle): void;
}

/** Who owns the connection: it writes what the codec has, and ends a connection whose peer says nothing. */
export interface KeepAliveOwner {
  flushLater(): void;
  onPeerLost(): void;
}

/**
 * Asks the peer by PING whether it is still there, at an interval with jitter, and says so when no answer comes in time: a peer that vanished
 * without a word would otherwise hold every request on the connection until each runs out of time (RFC 9113 §6.7).
 */
export class Http2KeepAlive implements TimerTarget {
  readonly #codec: Http2Connection;
  readonly #settings: Http2KeepAliveSettings;
  readonly #timers: Timers;
  readonly #random: RandomSource;
  readonly #owner: KeepAliveOwner;
  readonly #payload = Buffer.alloc(8);
  #count = 0;
  #isWaiting = false;
  #timer: TimerHandle | undefined;

  constructor(
    codec: Http2Connection,
    settings: Http2KeepAliveSettings,
    timers: Timers,
    random: RandomSource,
    owner: KeepAliveOwner,
  ) {
    this.#codec = codec;
    this.#settings = settings;
    this.#timers = timers;
    this.#random = random;
    this.#owner = owner;
    this.#wait();
  }

  /** An answer to any PING of this connection. */
  onPingAck(payload: Buffer, start: number): void {
    if (!this.#isWaiting || this.#payload.compare(payload, start, start + 8) !== 0) return;
    this.stop();
    this.#isWaiting = false;
    this.#wait();
  }

  stop(): void {
    if (this.#timer !== undefined) this.#timers.cancel(this.#timer);
    this.#timer = undefined;
  }

  onTimer(): void {
    this.#timer = undefined;
    if (this.#isWaiting) return this.#owner.onPeerLost();
    this.#isWaiting = true;
    // Not the payload of a shutdown's PING, and another one each time: a late answer is none to the next question.
    this.#payload.writeBigUInt64BE(BigInt(++this.#count));
    this.#codec.ping(this.#payload);
    this.#timer = this.#timers.schedule(this.#settings.timeoutMs, this);
    this.#owner.flushLater();
  }

  #wait(): void {
    const { intervalMs, jitterPercent } = this.#settings;
    const delayMs = intervalMs + (intervalMs * jitterPercent * this.#random()) / 100;
    this.#timer = this.#timers.schedule(delayMs, this);
  }
}
