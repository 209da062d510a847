import type { OutputBuffer } from "@heddle/core";
import { HeaderList } from "../header-list.ts";
import { HpackEncoder } from "../hpack/encoder.ts";
import { Http2Connection } from "../http2/connection.ts";
import type { Http2Sink } from "../http2/connection-sink.ts";
import { clientPreface, FrameType } from "../http2/frame.ts";
import { FrameOutput } from "../http2/frame-output.ts";
import type { Http2Limits } from "../http2/limits.ts";
import { defaultHttp2Limits } from "../http2/limits.ts";
import type { Fields } from "./hpack.ts";
import { encodeBlock } from "./hpack.ts";

export const get: Fields = [
  [":method", "GET"],
  [":scheme", "http"],
  [":path", "/"],
  [":authority", "a"],
];
export const post: Fields = [[":method", "POST"], ...get.slice(1)];

/** One frame, of any kind and content. */
export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ""): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const output = new FrameOutput();
  output.header(bytes.length, type, flags, streamId);
  output.bytes(bytes, 0, bytes.length);
  return bytesOf(output.take());
}

/** What was taken as output. */
export function bytesOf({ bytes, used }: OutputBuffer): Buffer {
  return bytes.subarray(0, used);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  return frame(
    FrameType.settings,
    0,
    0,
    Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)]))),
  );
}

/** HEADERS with END_HEADERS, its block without any state of tables. */
export function headers(streamId: number, fields: Fields, isEnd: boolean): Buffer {
  return frame(FrameType.headers, isEnd ? 0x5 : 0x4, streamId, encodeBlock(new HpackEncoder(0), fields).subarray(1));
}

export const data = (streamId: number, payload: string | Buffer, isEnd: boolean = false): Buffer =>
  frame(FrameType.data, isEnd ? 1 : 0, streamId, payload);
export const windowUpdate = (streamId: number, increment: number): Buffer =>
  frame(FrameType.windowUpdate, 0, streamId, uint32(increment));
export const rstStream = (streamId: number, errorCode: number): Buffer =>
  frame(FrameType.rstStream, 0, streamId, uint32(errorCode));

export const hello: Buffer = Buffer.concat([clientPreface, settings()]);

/** One connection, what it told its owner as lines, and what it wrote as frames. */
export class Recorded {
  readonly events: string[] = [];
  /** The rules that streams were reset for. */
  readonly violations: string[] = [];
  /** Of each message, the names that came never-indexed. */
  readonly neverIndexed: (readonly string[])[] = [];
  readonly connection: Http2Connection;
  nowMs = 0;
  /** Called for each event, before it is recorded. */
  react: (event: string, streamId: number) => void = () => undefined;

  constructor(role: "server" | "client", limits: Partial<Http2Limits> = {}) {
    this.connection = new Http2Connection(role, { ...defaultHttp2Limits, ...limits }, this.#sink());
  }

  push(bytes: Buffer): this {
    this.connection.push(bytes, 0, bytes.length, this.nowMs);
    return this;
  }

  /** Frames written since the last call, as "type flags stream payload". */
  frames(): string[] {
    const found: string[] = [];
    while (this.connection.hasOutput) {
      let bytes = bytesOf(this.connection.takeOutput());
      if (bytes.subarray(0, 24).equals(clientPreface)) bytes = bytes.subarray(24);
      for (let at = 0; at < bytes.length; ) {
        const length = bytes.readUIntBE(at, 3);
        const [type, flags, id] = [bytes[at + 3] as number, bytes[at + 4] as number, bytes.readUInt32BE(at + 5)];
        const payload = bytes.subarray(at + 9, at + 9 + length);
        const name = Object.keys(FrameType)[type] ?? "unknown";
        found.push(`${name} ${flags} ${id} ${type === FrameType.data ? `(${length})` : payload.toString("hex")}`);
        at += 9 + length;
      }
    }
    return found;
  }

  #sink(): Http2Sink {
    const add = (event: string, streamId: number, ...details: readonly unknown[]): void => {
      this.react(event, streamId);
      this.events.push([event, streamId, ...details].join(" "));
    };
    const list = (headers: HeaderList): string => {
      if (headers.neverIndexed !== undefined) this.neverIndexed.push(headers.neverIndexed);
      return JSON.stringify(headers.toPairs());
    };
    return {
      onRequest: (id, head, isEnd) =>
        add(
          "request",
          id,
          head.method,
          head.scheme,
          head.authority,
          head.path,
          head.protocol,
          list(head.headers),
          isEnd,
        ),
      onHeadersTooLarge: (id) => add("too-large", id),
      onInformational: (id, head) => add("informational", id, head.status, list(head.headers)),
      onResponse: (id, head, isEnd) => add("response", id, head.status, list(head.headers), isEnd),
      onData: (id, bytes, start, end) => {
        const text = bytes.toString("latin1", start, end);
        const last = this.events.at(-1);
        // Pieces of one body are one event, whatever the pieces.
        if (last?.startsWith(`data ${id} `) === true) this.events[this.events.length - 1] = last + text;
        else this.events.push(`data ${id} ${text}`);
        this.react("data", id);
      },
      onTrailers: (id, trailers) => add("trailers", id, list(trailers)),
      onEnd: (id) => add("end", id),
      onReset: (id, code, violation) => add("reset", id, code, violation?.rule ?? "peer"),
      // Told by "reset" where the stream is known, and by the frame that is written.
      onViolation: (violation) => this.violations.push(violation.rule),
      onWritable: (id) => add("writable", id),
      onSettings: () => add("settings", 0),
      onGoAway: (id, code, debug) => add("goaway", id, code, debug),
      onPingAck: (payload, start) => add("pong", 0, payload.toString("latin1", start, start + 8)),
      onError: (violation) => add("error", 0, violation.errorCode, violation.rule),
    };
  }
}

/** Carries what both wrote to each other until neither has more. */
export function exchange(a: Recorded, b: Recorded): void {
  while (a.connection.hasOutput || b.connection.hasOutput) {
    b.push(bytesOf(a.connection.takeOutput()));
    a.push(bytesOf(b.connection.takeOutput()));
  }
}

export const fields = (...pairs: Fields): HeaderList => HeaderList.of(...pairs);

export const body = (length: number): Buffer => Buffer.alloc(length, 0x78);

/** A server that has its client's preface, and whose own first frames were taken. */
export function started(limits: Partial<Http2Limits> = {}): Recorded {
  const server = new Recorded("server", limits).push(hello);
  server.frames();
  return server;
}
