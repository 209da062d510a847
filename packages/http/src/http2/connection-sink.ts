import type { HeaderList } from "../header-list.ts";
import type { Http2RequestHead, Http2ResponseHead } from "./message-head.ts";
import type { Http2Violation } from "./violation.ts";

/** What a connection tells its owner. Any method may call the connection back. */
export interface Http2Sink {
  /** Server: a request begins. `isEnd`: without a body; `onEnd` is not called besides. */
  onRequest(streamId: number, head: Http2RequestHead, isEnd: boolean): void;
  /** Server: a request whose header section is beyond the limits; answer it, with 431. Its body is not handed on. */
  onHeadersTooLarge(streamId: number): void;
  /** Client: a response with a status below 200. */
  onInformational(streamId: number, head: Http2ResponseHead): void;
  /** Client: the response begins. */
  onResponse(streamId: number, head: Http2ResponseHead, isEnd: boolean): void;
  /** Bytes [start, end) of the body, valid only during the call. Give them back with `consume` once they went on. */
  onData(streamId: number, bytes: Buffer, start: number, end: number): void;
  /** `onEnd` follows. */
  onTrailers(streamId: number, trailers: HeaderList): void;
  /** The peer's message is complete. */
  onEnd(streamId: number): void;
  /**
   * The stream is gone before its end. The peer reset it, or this side did for `violation`. REFUSED_STREAM: the peer has done nothing for it, and
   * it may be tried again (RFC 9113 §8.7), as after a GOAWAY that leaves it out. NO_ERROR behind `onEnd`: the answer is complete, and the rest of the
   * request is of no use (RFC 9113 §8.1).
   */
  onReset(streamId: number, errorCode: number, violation: Http2Violation | undefined): void;
  /** A stream ended because the peer broke a rule on it: to be counted. `onReset` comes besides where the stream was told of. */
  onViolation(violation: Http2Violation): void;
  /** `sendData` took less than it was given before, and takes more now. */
  onWritable(streamId: number): void;
  /** The peer's settings have changed. */
  onSettings(): void;
  /** The peer opens no more streams, takes none above `lastStreamId`, and says why in `errorCode`. */
  onGoAway(lastStreamId: number, errorCode: number, debugData: string): void;
  /** Eight bytes at `start` of a PING that this side sent. */
  onPingAck(payload: Buffer, start: number): void;
  /** Nothing follows. Send what output there is, a GOAWAY, and close. */
  onError(violation: Http2Violation): void;
}
