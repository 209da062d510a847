import type { HeaderList } from "../header-list.ts";

/** One side of a stream. The states of RFC 9113 §5.1 are the pairs of two sides; a closed stream is forgotten. */
type Side = "head" | "body" | "ended";

/** A stream that is open or half-closed. */
export class Http2Stream {
  readonly id: number;
  readonly openedMs: number;
  /** What the peer has yet to send: the final head, the body, nothing. */
  remote: Side = "head";
  local: Side = "head";
  /** What the peer may still send. */
  receiveWindow: number;
  /** Consumed, and not yet given back to the peer. */
  creditDue = 0;
  /** What may still be sent; negative after the peer lowered its initial window (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** Content-Length of what is received; -1 when it does not bind. */
  expectedBytes = -1;
  receivedBytes = 0;
  method = "";
  /** Responses with a status below 200 that came. */
  informational = 0;
  /** What is received is not handed on: the head was refused. */
  isDiscarded = false;
  /** Data that waits for windows and its turn. */
  readonly queue: Buffer[] = [];
  /** What of the first buffer in the queue has been sent. */
  queueStart = 0;
  /** How far the last buffer in the queue is filled; those before it are full. */
  queueEnd = 0;
  queuedBytes = 0;
  /** The queue ends the stream, with trailers where there are some. */
  endsAfterQueue = false;
  trailers: HeaderList | undefined;
  /** Since when data has waited, as far as somebody looked, and what was sent meanwhile; -1 when none waits. */
  waitingSinceMs = -1;
  sentWhileWaiting = 0;
  /** The queue is full: its sender is told when there is room. */
  awaitsRoom = false;
  /** Where the flags of its last DATA frame stand in the output, as long as that has not been taken. */
  lastFlagsAt = 0;
  lastFrameGeneration = -1;
  /** Of its data, what was put into frames, and what had been before the first frame of that generation of output. */
  framedBytes = 0;
  framedBefore = 0;

  constructor(id: number, openedMs: number, receiveWindow: number, sendWindow: number) {
    this.id = id;
    this.openedMs = openedMs;
    this.receiveWindow = receiveWindow;
    this.sendWindow = sendWindow;
  }
}
