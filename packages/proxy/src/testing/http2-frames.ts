// HTTP/2 written by hand, octet by octet, so that an attacking peer may send what no library would.

export type Field = readonly [name: string, value: string];

export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const preface: Buffer = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

/** One frame of any type, flags and content (RFC 9113 §4.1). */
export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ""): Buffer {
  const content = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const bytes = Buffer.alloc(9 + content.length);
  bytes.writeUIntBE(content.length, 0, 3);
  bytes[3] = type;
  bytes[4] = flags;
  bytes.writeUInt32BE(streamId, 5);
  content.copy(bytes, 9);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const parts = pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)]));
  return frame(frameType.settings, 0, 0, Buffer.concat(parts));
}

export const settingsAck: Buffer = frame(frameType.settings, 1, 0);

export const ping: Buffer = frame(frameType.ping, 0, 0, "attacker");

export const windowUpdate = (streamId: number, increment: number): Buffer =>
  frame(frameType.windowUpdate, 0, streamId, uint32(increment));

export const rstStream = (streamId: number, errorCode: number): Buffer =>
  frame(frameType.rstStream, 0, streamId, uint32(errorCode));

export const data = (streamId: number, payload: Buffer | string, isEnd = false): Buffer =>
  frame(frameType.data, isEnd ? 1 : 0, streamId, payload);

/** HEADERS that ends its block. */
export function headers(streamId: number, fields: readonly Field[], isEnd: boolean): Buffer {
  return frame(frameType.headers, isEnd ? 0x5 : 0x4, streamId, block(fields));
}

/** Fields as literals without indexing and without Huffman (RFC 7541 §6.2.2): whatever octets they hold. */
export function block(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), hpackString(name), hpackString(value)]));
}

/** A field that the peer's table keeps as its newest entry: `newestEntry` names it (RFC 7541 §6.2.1). */
export function indexedLiteral(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0x40]), hpackString(name), hpackString(value)]);
}

/** Index 62, the newest entry of the dynamic table, in one octet (RFC 7541 §2.3.3, §6.1). */
export const newestEntry = 0xbe;

function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  return Buffer.concat([hpackInteger(bytes.length), bytes]);
}

/** With a prefix of seven bits (RFC 7541 §5.1). */
function hpackInteger(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const octets = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) octets.push((rest & 127) | 128);
  return Buffer.from([...octets, rest]);
}

/** A request for `path`, with more fields behind the pseudo-header fields. */
export function request(
  streamId: number,
  path: string,
  options: { readonly method?: string; readonly fields?: readonly Field[]; readonly isEnd?: boolean } = {},
): Buffer {
  const { method = "GET", fields = [], isEnd = true } = options;
  return headers(streamId, [...requestFields(path, method), ...fields], isEnd);
}

export function requestFields(path: string, method = "GET"): Field[] {
  return [
    [":method", method],
    [":scheme", "http"],
    [":path", path],
    [":authority", "attacked"],
  ];
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Cuts what came into frames; what is no whole frame yet is kept. */
export class FrameReader {
  #kept: Buffer = Buffer.alloc(0);

  *read(bytes: Buffer): Generator<SeenFrame> {
    this.#kept = this.#kept.length === 0 ? bytes : Buffer.concat([this.#kept, bytes]);
    while (this.#kept.length >= 9) {
      const length = this.#kept.readUIntBE(0, 3);
      if (this.#kept.length < 9 + length) return;
      const head = this.#kept;
      this.#kept = head.subarray(9 + length);
      yield {
        type: head[3] as number,
        flags: head[4] as number,
        streamId: head.readUInt32BE(5) & 0x7fffffff,
        payload: head.subarray(9, 9 + length),
      };
    }
  }
}
