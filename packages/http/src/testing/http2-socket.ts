import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";
import type { HeaderList } from "../header-list.ts";
import { Http2Connection } from "../http2/connection.ts";
import type { Http2Sink } from "../http2/connection-sink.ts";
import type { Http2Limits } from "../http2/limits.ts";
import { defaultHttp2Limits } from "../http2/limits.ts";
import type { Http2RequestHead, Http2ResponseHead } from "../http2/message-head.ts";
import type { Http2Violation } from "../http2/violation.ts";
import { bytesOf } from "./http2-frames.ts";

/** One stream as a test sees it. */
export interface SeenStream {
  request?: Http2RequestHead;
  response?: Http2ResponseHead;
  informational: number[];
  body: Buffer[];
  trailers?: HeaderList;
  isEnded: boolean;
  reset?: number;
}

export interface SocketEvents {
  onEvent(connection: SocketConnection, streamId: number, event: keyof Http2Sink): void;
}

/** Our codec on a real socket: what a proxy does around it, in the least code. */
export class SocketConnection {
  readonly codec: Http2Connection;
  readonly socket: Socket;
  readonly streams = new Map<number, SeenStream>();
  violation: Http2Violation | undefined;
  goAway: number | undefined;
  pongs = 0;
  readonly #events: SocketEvents;
  #isBlocked = false;

  constructor(socket: Socket, role: "server" | "client", limits: Partial<Http2Limits>, events: SocketEvents) {
    this.socket = socket;
    this.#events = events;
    this.codec = new Http2Connection(role, { ...defaultHttp2Limits, ...limits }, this.#sink());
    socket.on("error", () => socket.destroy());
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.flush();
    });
    socket.on("data", (bytes: Buffer) => {
      this.codec.push(bytes, 0, bytes.length, performance.now());
      this.flush();
    });
    this.flush();
  }

  flush(): void {
    while (this.codec.hasOutput && !this.#isBlocked && !this.socket.destroyed) {
      this.#isBlocked = !this.socket.write(bytesOf(this.codec.takeOutput()));
    }
    if (this.codec.isDead) this.socket.end();
  }

  stream(id: number): SeenStream {
    let stream = this.streams.get(id);
    if (stream === undefined) this.streams.set(id, (stream = { informational: [], body: [], isEnded: false }));
    return stream;
  }

  #sink(): Http2Sink {
    const tell = (id: number, event: keyof Http2Sink, change?: (stream: SeenStream) => void): void => {
      if (id !== 0) change?.(this.stream(id));
      this.#events.onEvent(this, id, event);
    };
    return {
      onRequest: (id, head, isEnd) =>
        tell(id, "onRequest", (stream) => Object.assign(stream, { request: head, isEnded: isEnd })),
      onHeadersTooLarge: (id) => tell(id, "onHeadersTooLarge"),
      onInformational: (id, { status }) => tell(id, "onInformational", (stream) => stream.informational.push(status)),
      onResponse: (id, head, isEnd) =>
        tell(id, "onResponse", (stream) => Object.assign(stream, { response: head, isEnded: isEnd })),
      onData: (id, bytes, start, end) => {
        this.stream(id).body.push(Buffer.from(bytes.subarray(start, end)));
        this.codec.consume(id, end - start);
        tell(id, "onData");
      },
      onTrailers: (id, trailers) => tell(id, "onTrailers", (stream) => Object.assign(stream, { trailers })),
      onEnd: (id) => tell(id, "onEnd", (stream) => Object.assign(stream, { isEnded: true })),
      onReset: (id, code) => tell(id, "onReset", (stream) => Object.assign(stream, { reset: code })),
      onViolation: () => tell(0, "onViolation"),
      onWritable: (id) => tell(id, "onWritable"),
      onSettings: () => tell(0, "onSettings"),
      onGoAway: (id) => {
        this.goAway = id;
        tell(0, "onGoAway");
      },
      onPingAck: () => {
        this.pongs += 1;
        tell(0, "onPingAck");
      },
      onError: (violation) => {
        this.violation = violation;
        tell(0, "onError");
      },
    };
  }
}

const pieceBytes = 16_384;

/** Sends a body through the queue of a stream as it has room; call `more` at each onWritable. */
export class BodySender {
  readonly #connection: SocketConnection;
  readonly #id: number;
  readonly #body: Buffer;
  readonly #trailers: HeaderList | undefined;
  #position = 0;
  #isSent = false;

  constructor(connection: SocketConnection, id: number, body: Buffer, trailers?: HeaderList) {
    this.#connection = connection;
    this.#id = id;
    this.#body = body;
    this.#trailers = trailers;
  }

  more(): void {
    const { codec } = this.#connection;
    const { length } = this.#body;
    let answer = "open";
    while (answer === "open" && !this.#isSent) {
      const end = Math.min(length, this.#position + pieceBytes);
      answer = codec.sendData(
        this.#id,
        this.#body,
        this.#position,
        end,
        end === length && this.#trailers === undefined,
      );
      this.#position = end;
      this.#isSent = end === length;
    }
    if (this.#isSent && this.#trailers !== undefined) codec.sendTrailers(this.#id, this.#trailers);
    this.#connection.flush();
  }
}

export interface TestServer {
  port: number;
  connections: SocketConnection[];
  close(): Promise<void>;
}

export async function startServer(limits: Partial<Http2Limits>, events: SocketEvents): Promise<TestServer> {
  const connections: SocketConnection[] = [];
  const server = createServer((socket) => connections.push(new SocketConnection(socket, "server", limits, events)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
}

export async function connectClient(
  port: number,
  limits: Partial<Http2Limits>,
  events: SocketEvents,
): Promise<SocketConnection> {
  const socket = connect(port, "127.0.0.1");
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  return new SocketConnection(socket, "client", limits, events);
}
