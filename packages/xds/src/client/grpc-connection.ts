import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  ClientSessionOptions,
  IncomingHttpHeaders,
  SecureClientSessionOptions,
} from "node:http2";
import { connect, constants } from "node:http2";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { grpcStatusNames, grpcStatusOfHttp } from "@heddle/core";
import type { Timers } from "../keep-alive.ts";
import { pingIntervalMs, pingTimeoutMs } from "../keep-alive.ts";
import { GrpcError, grpcStatus } from "./grpc-error.ts";
import { frameMessage, MessageReader } from "./grpc-framing.ts";

export interface DialOptions {
  /** `https://host:port`, or `http://` for a control plane behind a secured socket. */
  readonly url: string;
  /** TLS material, `createConnection` for other kinds of sockets. */
  readonly session?: ClientSessionOptions | SecureClientSessionOptions;
  /** How long connecting, TLS included, may take. */
  readonly connectTimeoutMs: number;
  readonly timers: Timers<unknown>;
}

export interface CallOptions {
  /** Ends the call, which then throws. */
  readonly signal?: AbortSignal;
  /** Besides those of gRPC; names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A method of a generated service, unary or streaming. */
export type GrpcMethod<Request extends Message, Response extends Message> = Pick<DescMethod, "name" | "parent"> & {
  readonly input: GenMessage<Request>;
  readonly output: GenMessage<Response>;
};

/**
 * An HTTP/2 connection for gRPC calls (gRPC, "PROTOCOL-HTTP2"), with a PING every 30 s that must be answered within 10 s. Calls are
 * few and long: those of a proxy to its control plane.
 */
export class GrpcConnection {
  readonly #session: ClientHttp2Session;
  readonly #timers: Timers<unknown>;
  #timer: unknown;

  private constructor(session: ClientHttp2Session, timers: Timers<unknown>) {
    this.#session = session;
    this.#timers = timers;
    // Its calls tell it.
    session.on("error", () => undefined);
    session.once("close", () => timers.clearTimeout(this.#timer));
    this.#pingLater();
  }

  /** @throws (as a rejection) when the connection cannot be made in time, or when `signal` aborts */
  static dial(options: DialOptions, signal: AbortSignal): Promise<GrpcConnection> {
    const { url, connectTimeoutMs, timers } = options;
    return new Promise((resolve, reject) => {
      const session = connect(url, { ...options.session, settings: { enablePush: false } });
      const give = (error: Error): void => {
        settle();
        session.on("error", () => undefined);
        session.destroy();
        reject(error);
      };
      const onAbort = (): void => give(signal.reason as Error);
      const onClose = (): void => give(new Error("the connection was closed before it stood"));
      const timer = timers.setTimeout(
        () => give(new Error(`no connection to ${url} within ${connectTimeoutMs} ms`)),
        connectTimeoutMs,
      );
      const settle = (): void => {
        timers.clearTimeout(timer);
        signal.removeEventListener("abort", onAbort);
        session.off("error", give).off("close", onClose);
      };
      session.once("error", give).once("close", onClose);
      session.once("connect", () => {
        settle();
        resolve(new GrpcConnection(session, timers));
      });
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort);
    });
  }

  /**
   * Calls a method; requests are sent as they come, until they end. Yields the responses.
   *
   * @throws GrpcError for a status other than OK, a lost connection or an answer that is not gRPC
   */
  async *call<Request extends Message, Response extends Message>(
    method: GrpcMethod<Request, Response>,
    requests: AsyncIterable<Request> | Iterable<Request>,
    { signal, headers }: CallOptions = {},
  ): AsyncGenerator<Response> {
    const stream = this.#session.request(
      {
        ":method": "POST",
        ":path": `/${method.parent.typeName}/${method.name}`,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      },
      signal === undefined ? {} : { signal },
    );
    const answer = new CallAnswer(stream);
    send(stream, method.input, requests).catch((error: unknown) => stream.destroy(error as Error));
    const reader = new MessageReader();
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        // What is no answer of gRPC may have any body.
        if (answer.isGrpc) for (const bytes of reader.read(chunk)) yield decode(method.output, bytes);
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof GrpcError) throw error;
      const problem = answer.problem(error as NodeJS.ErrnoException);
      if (problem !== undefined || !answer.isToldInHead) throw problem ?? error;
    } finally {
      stream.close(constants.NGHTTP2_CANCEL);
    }
    const problem = answer.problem();
    if (problem !== undefined) throw problem;
    if (reader.isWithinMessage) throw new GrpcError(grpcStatus.internal, "the server ended in the middle of a message");
  }

  /** Ends the connection at once, with its calls. */
  close(): void {
    this.#session.destroy();
  }

  #pingLater(): void {
    this.#timer = this.#timers.setTimeout(() => this.#ping(), pingIntervalMs);
  }

  #ping(): void {
    if (this.#session.destroyed) return;
    // After a GOAWAY streams go on, but the runtime sends no PING, and a server that then vanishes without a word would be waited for.
    if (this.#session.closed) {
      this.#session.destroy();
      return;
    }
    this.#timer = this.#timers.setTimeout(() => this.#session.destroy(), pingTimeoutMs);
    this.#session.ping((error) => {
      this.#timers.clearTimeout(this.#timer);
      if (error === null) this.#pingLater();
    });
  }
}

/** What is known of the status of a call: of its trailers, or of its head when nothing else comes. */
class CallAnswer {
  #head: IncomingHttpHeaders | undefined;
  /** Where the status is, once it is told. */
  #last: IncomingHttpHeaders | undefined;

  constructor(stream: ClientHttp2Stream) {
    stream.once("response", (head) => {
      this.#head = head;
      if (head["grpc-status"] !== undefined) this.#last = head;
      // All is said (gRPC, "Trailers-Only"), also where the body goes on, or never ends.
      if (!this.isGrpc || this.isToldInHead) stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.once("trailers", (trailers) => {
      if (trailers["grpc-status"] !== undefined) this.#last ??= trailers;
    });
    // Whoever reads is told.
    stream.on("error", () => undefined);
  }

  get isGrpc(): boolean {
    return (
      Number(this.#head?.[":status"]) === 200 && this.#head?.["content-type"]?.startsWith("application/grpc") === true
    );
  }

  get isToldInHead(): boolean {
    return this.#last !== undefined && this.#last === this.#head;
  }

  /** Of a call that has ended, by `error` where it did so early; undefined: its status is OK. */
  problem(error?: NodeJS.ErrnoException): GrpcError | undefined {
    const told = this.#last === undefined ? undefined : toldIn(this.#last);
    // Of what is not gRPC nothing is OK.
    if (told !== undefined || (this.isGrpc && this.#last !== undefined)) return told;
    // Also when a server is killed or resets what it was not asked to end.
    if (this.#head === undefined || this.isGrpc) {
      const lost = "the connection to the server was lost";
      const isTold = error === undefined || error.code === "ERR_STREAM_PREMATURE_CLOSE";
      return new GrpcError(grpcStatus.unavailable, isTold ? lost : `${lost}: ${error.message}`);
    }
    const type = this.#head["content-type"];
    const httpStatus = Number(this.#head[":status"]);
    return new GrpcError(
      grpcStatusOfHttp(httpStatus),
      `the server answered HTTP ${httpStatus} (${type ?? "without a content-type"}), which is not gRPC`,
    );
  }
}

/** What a head or trailers with a status say; undefined: OK. */
function toldIn(headers: IncomingHttpHeaders): GrpcError | undefined {
  const text = (headers["grpc-status"] ?? "").toString();
  if (text === "0") return undefined;
  const status = Number(text);
  const message = decodeMessage((headers["grpc-message"] ?? "").toString());
  const name = grpcStatusNames[status] ?? `gRPC status ${text}`;
  return new GrpcError(Number.isInteger(status) ? status : grpcStatus.unknown, `${name}: ${message}`);
}

function decode<Response extends Message>(schema: GenMessage<Response>, bytes: Uint8Array): Response {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new GrpcError(grpcStatus.internal, `a message of the server cannot be read: ${(error as Error).message}`);
  }
}

/** gRPC, "Status-Message": percent-encoded; what is not stays as it is. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function send<Request extends Message>(
  stream: ClientHttp2Stream,
  schema: GenMessage<Request>,
  requests: AsyncIterable<Request> | Iterable<Request>,
): Promise<void> {
  for await (const request of requests) {
    if (stream.destroyed) return;
    if (stream.write(frameMessage(toBinary(schema, request)))) continue;
    await new Promise<void>((resolve) => {
      const goOn = (): void => {
        stream.off("drain", goOn).off("close", goOn);
        resolve();
      };
      stream.on("drain", goOn).on("close", goOn);
    });
  }
  if (!stream.destroyed) stream.end();
}
