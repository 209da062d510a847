/** Frame types (RFC 9113 §6). */
export const FrameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goAway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

/** Frame flags; ACK and END_STREAM share a bit. */
export const FrameFlag = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** Settings (RFC 9113 §6.5.2, RFC 8441 §3). */
export const SettingId = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  enableConnectProtocol: 0x8,
} as const;

export const frameHeaderBytes = 9;
/** RFC 9113 §6.9.1. */
export const maxWindow = 0x7fffffff;
/** What a window is before SETTINGS say otherwise, and what the connection's begins with (RFC 9113 §6.9.2). */
export const defaultWindow = 65_535;
/** What every peer takes (RFC 9113 §4.2). */
export const defaultMaxFrameBytes = 16_384;
export const largestMaxFrameBytes = 0xffffff;

/** The first bytes of a client (RFC 9113 §3.4). */
export const clientPreface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
