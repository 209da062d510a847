import type { HeaderList } from "./header-list.ts";

/** The most significant bit of a frame's flags: its payload is the trailers (gRPC-Web, "Protocol differences vs gRPC over HTTP2"). */
const trailersFlag = 0x80;
const frameHeadBytes = 5;
const quantum = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Trailers as the last frame of a gRPC-Web body: an HTTP/1 header block without the line that ends it, as Envoy writes it.
 */
export function encodeTrailersFrame(trailers: HeaderList): Buffer {
  let block = "";
  for (let i = 0; i < trailers.length; i++) block += `${trailers.nameAt(i)}:${trailers.valueAt(i)}\r\n`;
  const frame = Buffer.alloc(frameHeadBytes + block.length);
  frame[0] = trailersFlag;
  frame.writeUInt32BE(block.length, 1);
  frame.write(block, frameHeadBytes, "latin1");
  return frame;
}

/**
 * The body of a `grpc-web-text` request, whose bytes come in pieces of any size. Padding may stand wherever its sender flushed, not only at the end
 * (gRPC-Web, "Protocol differences", base64).
 */
export class Base64Decoder {
  #rest = "";

  /** The bytes of all quanta that are whole by now; undefined when it is no base64. */
  push(bytes: Buffer, start: number, end: number): Buffer | undefined {
    const text = this.#rest + bytes.toString("latin1", start, end);
    const whole = text.length - (text.length % 4);
    this.#rest = text.slice(whole);
    const pieces: Buffer[] = [];
    for (let from = 0; from < whole; ) {
      const padding = text.indexOf("=", from);
      // Up to the quantum that holds the padding.
      const to = padding === -1 || padding >= whole ? whole : padding - (padding % 4) + 4;
      const piece = text.slice(from, to);
      if (!quantum.test(piece)) return undefined;
      pieces.push(Buffer.from(piece, "base64"));
      from = to;
    }
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  /** No quantum is left unfinished: padding is mandatory. */
  get isWhole(): boolean {
    return this.#rest === "";
  }
}
