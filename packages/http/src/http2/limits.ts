/** What one connection may cost. Flood limits are Envoy's (`../shared/reference/hardening.md`), the windows and the streams those of its edge advice. */
export interface Http2Limits {
  /** Streams that the peer may have open at once; more are refused (RFC 9113 §5.1.2). */
  readonly maxConcurrentStreams: number;
  /** What the peer may send on a stream beyond what was consumed. */
  readonly streamWindowBytes: number;
  /** What the peer may have on its way on all streams together; at least 65,535, which HTTP/2 begins with. */
  readonly connectionWindowBytes: number;
  /** The dynamic tables, in each direction (RFC 7541 §4). */
  readonly headerTableBytes: number;
  /** Decoded octets of a header section, 32 more for each field (RFC 9113 §6.5.2). */
  readonly maxHeaderListBytes: number;
  /** Fields of a header section, crumbs of a cookie counted one by one. */
  readonly maxHeaders: number;
  /** Octets of a header block on the wire, counted before it ends; more cut the connection off. */
  readonly maxHeaderBlockBytes: number;
  /** From here on a stream's sender is told to wait; what is on its way by then, a window at most, is kept besides. */
  readonly maxQueuedBytes: number;
  /** Announce extended CONNECT (RFC 8441); a server's matter. */
  readonly enableConnectProtocol: boolean;
  /** Frames of any kind that wait to be taken as output. */
  readonly maxOutboundFrames: number;
  /** Octets of them together: header blocks may be large, and nothing else bounds what waits when a peer does not read. */
  readonly maxOutboundBytes: number;
  /** Of them, answers that the peer caused: acknowledgements and resets. */
  readonly maxOutboundControlFrames: number;
  /** HEADERS, CONTINUATION and DATA in a row without content and without END_STREAM. */
  readonly maxConsecutiveEmptyFrames: number;
  readonly maxPriorityFramesPerStream: number;
  readonly maxWindowUpdatesPerDataFrame: number;
  /** Tokens of the two buckets for resets: those that a client sends, and those that a peer's faults make us send. */
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
  /** From so many ended streams on, at most half may have been reset by the client within `prematureResetMs`. */
  readonly prematureResetStreams: number;
  readonly prematureResetMs: number;
}

export const defaultHttp2Limits: Http2Limits = {
  maxConcurrentStreams: 100,
  streamWindowBytes: 64 * 1024,
  connectionWindowBytes: 1024 * 1024,
  headerTableBytes: 4096,
  maxHeaderListBytes: 60 * 1024,
  maxHeaders: 100,
  maxHeaderBlockBytes: 128 * 1024,
  // One frame. More would only fall out of the processor's cache: where the peer's window is open, the socket's own buffer bridges the pause.
  maxQueuedBytes: 16 * 1024,
  enableConnectProtocol: false,
  maxOutboundFrames: 10_000,
  maxOutboundBytes: 8 * 1024 * 1024,
  maxOutboundControlFrames: 1000,
  maxConsecutiveEmptyFrames: 1,
  maxPriorityFramesPerStream: 100,
  maxWindowUpdatesPerDataFrame: 10,
  resetBurst: 1000,
  resetsPerSecond: 33,
  prematureResetStreams: 500,
  prematureResetMs: 1000,
};
