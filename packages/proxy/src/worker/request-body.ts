import type { HeaderList } from "@heddle/http";

/** Where body bytes go: one attempt at the upstream. */
export interface BodySink {
  /** False: taken, but wait for `onDrain` before the next. */
  sendData(bytes: Buffer, start: number, end: number): boolean;
  sendTrailers(trailers: HeaderList): void;
  end(): void;
}

/**
 * The body of one request on its way upstream. It keeps what has not been sent yet, and as long as a retry or a mirror may
 * need it, everything from the first byte, up to a limit; past it the body can be sent only once.
 */
export class RequestBody {
  readonly #maxKeptBytes: number;
  #chunks: Buffer[] = [];
  /** Index of the first chunk that the current attempt has not got. */
  #next = 0;
  /** Bytes before `#chunks[0]` that have been sent and dropped. */
  #droppedBytes = 0;
  #receivedBytes = 0;
  #sentBytes = 0;
  #isKept = true;
  #isComplete = false;
  #isEnded = false;
  #trailers: HeaderList | undefined;
  #sink: BodySink | undefined;
  #isBlocked = false;

  /** @param maxKeptBytes longest body that can be sent again */
  constructor(maxKeptBytes: number) {
    this.#maxKeptBytes = maxKeptBytes;
  }

  /** Bytes of the body that have arrived. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Everything from the first byte is still here: it is kept, or nothing has been sent yet. */
  get isReplayable(): boolean {
    return this.#droppedBytes === 0;
  }

  /** Bytes that are here: they wait for the upstream, or are kept so that they can be sent again. */
  get heldBytes(): number {
    return this.#receivedBytes - this.#droppedBytes;
  }

  /** Bytes that wait for the upstream: the measure of backpressure. */
  get unsentBytes(): number {
    return this.#receivedBytes - this.#sentBytes;
  }

  /** The upstream has everything. */
  get isSent(): boolean {
    return this.#isEnded;
  }

  get trailers(): HeaderList | undefined {
    return this.#trailers;
  }

  /** Nobody will need what has been sent. */
  stopKeeping(): void {
    this.#isKept = false;
    this.#dropSent();
  }

  /** A piece of the body; it is copied, or handed on at once. */
  receive(bytes: Buffer, start: number, end: number): void {
    this.#receivedBytes += end - start;
    if (this.#isKept && this.#receivedBytes > this.#maxKeptBytes) this.stopKeeping();
    const sink = this.#sink;
    if (sink !== undefined && !this.#isKept && !this.#isBlocked && this.#chunks.length === 0) {
      this.#sentBytes += end - start;
      this.#droppedBytes = this.#sentBytes;
      const isOpen = sink.sendData(bytes, start, end);
      if (sink === this.#sink) this.#isBlocked = !isOpen;
      return;
    }
    this.#chunks.push(Buffer.copyBytesFrom(bytes, start, end - start));
    this.#pump();
  }

  complete(trailers: HeaderList | undefined): void {
    this.#isComplete = true;
    this.#trailers = trailers;
    this.#pump();
  }

  /** Puts other bytes in the place of those that have come. Only before the first `attach`. False: `by` could not read one. */
  translate(by: (chunk: Buffer) => Buffer | undefined): boolean {
    const chunks: Buffer[] = [];
    for (const chunk of this.#chunks) {
      const translated = by(chunk);
      if (translated === undefined) return false;
      chunks.push(translated);
    }
    this.#chunks = chunks;
    this.#receivedBytes = chunks.reduce((sum, { length }) => sum + length, 0);
    return true;
  }

  /** Sends to this attempt from the first byte on. Only while `isReplayable`, or before anything was sent. */
  attach(sink: BodySink): void {
    this.#sink = sink;
    this.#next = 0;
    this.#sentBytes = this.#droppedBytes;
    this.#isBlocked = false;
    this.#isEnded = false;
    this.#pump();
  }

  /** The attempt is over: what arrives now waits for the next. */
  detach(): void {
    this.#sink = undefined;
    this.#next = 0;
    this.#sentBytes = this.#droppedBytes;
  }

  onDrain(): void {
    this.#isBlocked = false;
    this.#pump();
  }

  /** The whole kept body, for a mirror. */
  keptBytes(): readonly Buffer[] {
    return this.#chunks;
  }

  /** Forgets everything; ready for the next request. */
  reset(): void {
    this.#chunks = [];
    this.#next = 0;
    this.#droppedBytes = 0;
    this.#receivedBytes = 0;
    this.#sentBytes = 0;
    this.#isKept = true;
    this.#isComplete = false;
    this.#isEnded = false;
    this.#trailers = undefined;
    this.#sink = undefined;
    this.#isBlocked = false;
  }

  #pump(): void {
    const sink = this.#sink;
    if (sink === undefined) return;
    while (!this.#isBlocked && this.#next < this.#chunks.length) {
      const chunk = this.#chunks[this.#next]!;
      this.#next += 1;
      this.#sentBytes += chunk.length;
      if (!this.#isKept) this.#dropSent();
      const isOpen = sink.sendData(chunk, 0, chunk.length);
      // The attempt may have failed inside the call, and another one begun from the first byte.
      if (sink !== this.#sink) return;
      this.#isBlocked = !isOpen;
    }
    if (this.#isEnded || !this.#isComplete || this.#sentBytes < this.#receivedBytes) return;
    this.#isEnded = true;
    if (this.#trailers !== undefined) sink.sendTrailers(this.#trailers);
    sink.end();
  }

  #dropSent(): void {
    for (; this.#next > 0; this.#next--) this.#droppedBytes += this.#chunks.shift()!.length;
  }
}
