import {
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  type ClientOptions,
  credentials,
  type MethodDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type StatusObject,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { EventWaiter } from "@heddle/testkit";

type Bytes = Buffer;
const asIs = (bytes: Bytes): Bytes => bytes;

/** Path of a method of the application. */
export const grpcPath = (method: string): string => `/shop.Books/${method}`;

function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Bytes, Bytes> {
  return {
    path: grpcPath(name),
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
}

/** The status that a request asks for in its metadata, by name in `x-code`. */
function wanted(metadata: Metadata, details: string): Partial<StatusObject> {
  const trailers = new Metadata();
  trailers.set("x-trailer", "of the application");
  const code = status[String(metadata.get("x-code")[0]) as keyof typeof status];
  return { code, details, metadata: trailers };
}

export interface GrpcCall {
  readonly method: string;
  readonly metadata: Metadata;
  /** When it ends by the caller's word, of the same clock as `receivedAtMs`. */
  readonly deadlineMs: number;
  readonly receivedAtMs: number;
}

/** An application that speaks gRPC by its own implementation, `@grpc/grpc-js`, and remembers what was done to its calls. */
export class GrpcApp implements AsyncDisposable {
  readonly events = new EventWaiter();
  /** Every call, in order. */
  readonly calls: GrpcCall[] = [];
  cancelled = 0;
  /** Messages that were written to or read from a stream. */
  messages = 0;
  /** `FailFirst` fails this many calls before one succeeds. */
  failures = 0;
  port = 0;
  readonly #server = new Server({ "grpc.max_receive_message_length": -1 });

  static async start(): Promise<GrpcApp> {
    const app = new GrpcApp();
    await app.#listen();
    return app;
  }

  #listen(): Promise<void> {
    const server = this.#server;
    server.addService(
      {
        echo: method("Echo", false, false),
        fail: method("Fail", false, false),
        failFirst: method("FailFirst", false, false),
        failLate: method("FailLate", false, true),
        list: method("List", false, true),
        sumLater: method("SumLater", true, false),
        chat: method("Chat", true, true),
        hang: method("Hang", true, true),
        echoTwice: method("EchoTwice", false, true),
      },
      {
        echo: (call: ServerUnaryCall<Bytes, Bytes>, done: sendUnaryData<Bytes>) => {
          this.#note("Echo", call);
          const head = new Metadata();
          head.set("x-head", "of the application");
          call.sendMetadata(head);
          const trailers = new Metadata();
          trailers.set("x-trailer", "of the application");
          done(null, call.request, trailers);
        },
        fail: (call: ServerUnaryCall<Bytes, Bytes>, done: sendUnaryData<Bytes>) => {
          this.#note("Fail", call);
          done(wanted(call.metadata, "not today: 100 %, ä"));
        },
        failFirst: (call: ServerUnaryCall<Bytes, Bytes>, done: sendUnaryData<Bytes>) => {
          this.#note("FailFirst", call);
          if (this.failures-- > 0) done(wanted(call.metadata, "not yet"));
          else done(null, call.request);
        },
        failLate: (call: ServerWritableStream<Bytes, Bytes>) => {
          this.#note("FailLate", call);
          call.write(Buffer.from("first"));
          call.emit("error", wanted(call.metadata, "no second"));
        },
        list: (call: ServerWritableStream<Bytes, Bytes>) => {
          this.#note("List", call);
          const [count = 0, size = 0] = call.request.toString().split("x").map(Number);
          this.#write(call, count, Buffer.alloc(size, "m"));
        },
        sumLater: (call: ServerReadableStream<Bytes, Bytes>, done: sendUnaryData<Bytes>) => {
          this.#note("SumLater", call);
          this.#resume = () => this.#sum(call, done);
        },
        chat: (call: ServerDuplexStream<Bytes, Bytes>) => {
          this.#note("Chat", call);
          call.on("data", (message: Bytes) => call.write(Buffer.concat([Buffer.from("re: "), message])));
          call.on("end", () => call.end());
        },
        hang: (call: ServerDuplexStream<Bytes, Bytes>) => {
          this.#note("Hang", call);
          call.on("data", () => {});
        },
        echoTwice: (call: ServerWritableStream<Bytes, Bytes>) => {
          this.#note("EchoTwice", call);
          for (let i = 0; i < 2; i++) call.write(call.request);
          call.end();
        },
      },
    );
    return new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error !== null) return reject(error);
        this.port = port;
        resolve();
      });
    });
  }

  #resume: () => void = () => {};

  /** Lets `SumLater` read. */
  readNow(): void {
    this.#resume();
  }

  /** Calls of a method so far. */
  count(name: string): number {
    return this.calls.filter((call) => call.method === name).length;
  }

  /** Metadata of the last call. */
  get last(): Metadata {
    return this.calls.at(-1)?.metadata ?? new Metadata();
  }

  #note(
    name: string,
    call: {
      metadata: Metadata;
      getDeadline(): Date | number;
      on(event: "cancelled" | "error", listener: () => void): unknown;
    },
  ): void {
    const { metadata } = call;
    this.calls.push({ method: name, metadata, deadlineMs: Number(call.getDeadline()), receivedAtMs: Date.now() });
    call.on("error", () => {});
    call.on("cancelled", () => {
      this.cancelled += 1;
      this.events.notify();
    });
    this.events.notify();
  }

  #write(call: ServerWritableStream<Bytes, Bytes>, count: number, message: Bytes): void {
    for (let left = count; left > 0; left--) {
      this.messages += 1;
      if (call.write(message)) continue;
      call.once("drain", () => this.#write(call, left - 1, message));
      return;
    }
    call.end();
  }

  #sum(call: ServerReadableStream<Bytes, Bytes>, done: sendUnaryData<Bytes>): void {
    let bytes = 0;
    call.on("data", (message: Bytes) => {
      this.messages += 1;
      bytes += message.length;
    });
    call.on("end", () => done(null, Buffer.from(String(bytes))));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }
}

export interface UnaryAnswer {
  readonly message: Buffer;
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
  readonly trailers: Metadata;
}

/** A client by gRPC's own implementation; messages are bytes. */
export class GrpcClient {
  readonly client: Client;

  constructor(target: string, channel = credentials.createInsecure(), options: ClientOptions = {}) {
    this.client = new Client(target, channel, {
      "grpc.max_receive_message_length": -1,
      // Retries are the proxy's to prove.
      "grpc.enable_retries": 0,
      // A connection of its own.
      "grpc.use_local_subchannel_pool": 1,
      ...options,
    });
  }

  /** One call, its status included: an error is an answer, too. */
  unary(name: string, message = "", fields: Record<string, string> = {}, timeoutMs?: number): Promise<UnaryAnswer> {
    const metadata = metadataOf(fields);
    return new Promise((resolve) => {
      let head = new Metadata();
      const call = this.client.makeUnaryRequest(
        grpcPath(name),
        asIs,
        asIs,
        Buffer.from(message),
        metadata,
        timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
        (_error: ServiceError | null, value?: Bytes) => {
          // The status comes last.
          call.on("status", ({ code, details, metadata: trailers }) =>
            resolve({ message: value ?? Buffer.alloc(0), code, details, metadata: head, trailers }),
          );
        },
      );
      call.on("metadata", (received) => (head = received));
    });
  }

  list(name: string, message: string, fields: Record<string, string> = {}): ClientReadableStream<Bytes> {
    return this.client.makeServerStreamRequest(grpcPath(name), asIs, asIs, Buffer.from(message), metadataOf(fields));
  }

  send(name: string, done: (error: ServiceError | null, value?: Bytes) => void): ClientWritableStream<Bytes> {
    return this.client.makeClientStreamRequest(grpcPath(name), asIs, asIs, new Metadata(), done);
  }

  chat(name: string, fields: Record<string, string> = {}, timeoutMs?: number): ClientDuplexStream<Bytes, Bytes> {
    const options = timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
    return this.client.makeBidiStreamRequest(grpcPath(name), asIs, asIs, metadataOf(fields), options);
  }

  close(): void {
    this.client.close();
  }
}

function metadataOf(fields: Record<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(fields)) metadata.set(name, value);
  return metadata;
}
