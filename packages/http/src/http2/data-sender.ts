import type { FloodGuard } from "./flood-guard.ts";
import { defaultMaxFrameBytes, defaultWindow, FrameFlag, maxWindow } from "./frame.ts";
import { encodeData } from "./frame-encoder.ts";
import type { FrameOutput } from "./frame-output.ts";
import { releaseQueueBuffer, takeQueueBuffer } from "./queue-buffer.ts";
import type { Http2Stream } from "./stream.ts";

export interface DataSenderEvents {
  /** All of the stream's data is written; it ends now if it was to end. */
  onDrained(stream: Http2Stream): void;
  /** The queue was full, and there is room again. */
  onRoom(stream: Http2Stream): void;
}

/**
 * Sends DATA within both windows (RFC 9113 §5.2). What cannot go waits in its stream's queue, whose owner is told when it is full; streams with
 * data and a window take turns of one frame each.
 */
export class DataSender {
  readonly #output: FrameOutput;
  readonly #guard: FloodGuard;
  readonly #maxQueuedBytes: number;
  readonly #events: DataSenderEvents;
  /** Streams with data and a window, in the order of their turns. */
  readonly #ready = new Set<Http2Stream>();
  #window = defaultWindow;
  /** Counts how often output was taken. */
  #generation = 0;

  constructor(output: FrameOutput, guard: FloodGuard, maxQueuedBytes: number, events: DataSenderEvents) {
    this.#output = output;
    this.#guard = guard;
    this.#maxQueuedBytes = maxQueuedBytes;
    this.#events = events;
  }

  /** What may still be sent on the connection. */
  get window(): number {
    return this.#window;
  }

  /** Whether `pump` would write something. */
  get hasReady(): boolean {
    return this.#window > 0 && this.#ready.size > 0;
  }

  /** @returns false when the window would be above 2^31-1 */
  widenConnection(increment: number): boolean {
    if (this.#window + increment > maxWindow) return false;
    this.#window += increment;
    return true;
  }

  /** @param increment may be negative @returns false when the window would be above 2^31-1 */
  widenStream(stream: Http2Stream, increment: number): boolean {
    if (stream.sendWindow + increment > maxWindow) return false;
    stream.sendWindow += increment;
    if (stream.queuedBytes > 0 && stream.sendWindow > 0) this.#ready.add(stream);
    else this.#ready.delete(stream);
    return true;
  }

  /**
   * Takes bytes [start, end): written at once when nothing waits and `outputLimit` is not reached, else copied into the queue.
   *
   * @returns false when the queue holds more than it should: its owner waits for `onRoom`
   */
  send(stream: Http2Stream, bytes: Buffer, start: number, end: number, isEnd: boolean, outputLimit: number): boolean {
    let position = start;
    if (stream.queuedBytes === 0 && this.#ready.size === 0) {
      while (position < end && this.#output.length < outputLimit) {
        const frameBytes = Math.min(end - position, stream.sendWindow, this.#window, defaultMaxFrameBytes);
        if (frameBytes <= 0) break;
        this.#write(stream, bytes, position, position + frameBytes, isEnd && position + frameBytes === end);
        position += frameBytes;
      }
    }
    if (position === end) {
      if (isEnd) this.#end(stream, start === end);
      return stream.queuedBytes < this.#maxQueuedBytes;
    }
    enqueue(stream, bytes, position, end);
    if (stream.sendWindow > 0) this.#ready.add(stream);
    if (isEnd) stream.endsAfterQueue = true;
    if (stream.queuedBytes < this.#maxQueuedBytes) return true;
    stream.awaitsRoom = true;
    return false;
  }

  /** Writes DATA by turns until the output holds `outputLimit` bytes or nothing may be sent. */
  pump(outputLimit: number): void {
    while (this.#output.length < outputLimit && this.#window > 0) {
      const stream: Http2Stream | undefined = this.#ready.values().next().value;
      if (stream === undefined) return;
      this.#ready.delete(stream);
      this.#turn(stream);
      if (stream.queuedBytes > 0 && stream.sendWindow > 0) this.#ready.add(stream);
      if (stream.queuedBytes === 0) this.#events.onDrained(stream);
      if (stream.awaitsRoom && stream.queuedBytes * 2 <= this.#maxQueuedBytes) {
        stream.awaitsRoom = false;
        this.#events.onRoom(stream);
      }
    }
  }

  /** Bytes of a stream's data that were taken as output. */
  takenBytes(stream: Http2Stream): number {
    return stream.lastFrameGeneration === this.#generation ? stream.framedBefore : stream.framedBytes;
  }

  /** Drops what waits. */
  forget(stream: Http2Stream): void {
    this.#ready.delete(stream);
    for (const buffer of stream.queue) releaseQueueBuffer(buffer);
    stream.queue.length = 0;
    stream.queuedBytes = 0;
    stream.awaitsRoom = false;
  }

  /** One frame from the queue, which does not reach over the end of a buffer. */
  #turn(stream: Http2Stream): void {
    const bytes = stream.queue[0] as Buffer;
    const start = stream.queueStart;
    const bufferEnd = stream.queue.length === 1 ? stream.queueEnd : bytes.length;
    const frameBytes = Math.min(bufferEnd - start, stream.sendWindow, this.#window, defaultMaxFrameBytes);
    const isLast = frameBytes === stream.queuedBytes;
    stream.queuedBytes -= frameBytes;
    this.#write(
      stream,
      bytes,
      start,
      start + frameBytes,
      isLast && stream.endsAfterQueue && stream.trailers === undefined,
    );
    stream.queueStart = start + frameBytes;
    if (stream.queueStart < bufferEnd) return;
    stream.queue.shift();
    stream.queueStart = 0;
    releaseQueueBuffer(bytes);
    if (stream.queuedBytes === 0) stream.waitingSinceMs = -1;
  }

  #end(stream: Http2Stream, isEmpty: boolean): void {
    if (!isEmpty) return this.#events.onDrained(this.#marked(stream));
    if (stream.queuedBytes > 0) {
      stream.endsAfterQueue = true;
      return;
    }
    // The last frame of the stream has not left: it says the end itself, which spares a frame for most messages.
    if (stream.lastFrameGeneration === this.#generation) this.#output.setBits(stream.lastFlagsAt, FrameFlag.endStream);
    else this.#write(stream, empty, 0, 0, true);
    this.#events.onDrained(this.#marked(stream));
  }

  /** The output has been taken: what was written cannot be changed any more. */
  outputTaken(): void {
    this.#generation += 1;
  }

  #marked(stream: Http2Stream): Http2Stream {
    stream.endsAfterQueue = true;
    return stream;
  }

  #write(stream: Http2Stream, bytes: Buffer, start: number, end: number, isEnd: boolean): void {
    stream.sendWindow -= end - start;
    stream.sentWhileWaiting += end - start;
    this.#window -= end - start;
    stream.lastFlagsAt = this.#output.length + flagsOffset;
    if (stream.lastFrameGeneration !== this.#generation) stream.framedBefore = stream.framedBytes;
    stream.framedBytes += end - start;
    stream.lastFrameGeneration = this.#generation;
    encodeData(this.#output, stream.id, bytes, start, end, isEnd);
    this.#guard.dataFrameSent();
  }
}

const empty = Buffer.alloc(0);
/** Of the flags within a frame header (RFC 9113 §4.1). */
const flagsOffset = 4;

function enqueue(stream: Http2Stream, bytes: Buffer, start: number, end: number): void {
  const { queue } = stream;
  stream.queuedBytes += end - start;
  let last = queue.at(-1);
  for (let from = start; from < end; ) {
    if (last === undefined || last.length === stream.queueEnd) {
      last = takeQueueBuffer(end - from);
      queue.push(last);
      stream.queueEnd = 0;
    }
    const length = Math.min(end - from, last.length - stream.queueEnd);
    bytes.copy(last, stream.queueEnd, from, from + length);
    stream.queueEnd += length;
    from += length;
  }
}
