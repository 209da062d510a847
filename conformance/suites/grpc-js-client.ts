import { makeGenericClientConstructor, credentials, Metadata, status } from "@grpc/grpc-js";
import type { Client, ClientReadableStream, ServiceError, StatusObject } from "@grpc/grpc-js";
import { grpcMethods } from "../servers/grpc-methods.ts";
import type { CaseResult } from "../suite.ts";
import { grpcSeen } from "./seen.ts";

type Result = Readonly<Record<string, unknown>>;

const Peer = makeGenericClientConstructor(grpcMethods, "conformance.Peer");
const asIs = (bytes: Buffer): Buffer => bytes;
const path = (method: string): string => `/conformance.Peer/${method}`;
const deadline = (): { deadline: number } => ({ deadline: Date.now() + 60_000 });

function own(metadata: Metadata | undefined): Record<string, string> {
  const fields = Object.entries(metadata?.toJSON() ?? {}).filter(([name]) => name.startsWith("x-"));
  return Object.fromEntries(fields.map(([name, value]) => [name, JSON.stringify(value)]));
}

interface Answer {
  readonly message: Buffer | undefined;
  readonly error: ServiceError | null;
  readonly head: Metadata | undefined;
  readonly end: StatusObject | undefined;
}

function unary(client: Client, method: string, body: Buffer, metadata = new Metadata()): Promise<Answer> {
  return new Promise((resolve) => {
    let head: Metadata | undefined;
    let answer: { message: Buffer | undefined; error: ServiceError | null } | undefined;
    let end: StatusObject | undefined;
    const check = (): void => {
      if (answer !== undefined && end !== undefined) resolve({ ...answer, head, end });
    };
    const call = client.makeUnaryRequest(path(method), asIs, asIs, body, metadata, deadline(), (error, message) => {
      answer = { message, error };
      check();
    });
    call.on("metadata", (metadata) => (head = metadata));
    call.on("status", (status) => {
      end = status;
      check();
    });
  });
}

/** Reads a stream to its status. */
function drained(call: ClientReadableStream<Buffer>): Promise<{ messages: Buffer[]; end: StatusObject }> {
  return new Promise((resolve) => {
    const messages: Buffer[] = [];
    call.on("data", (message: Buffer) => messages.push(message));
    call.on("error", () => undefined);
    call.on("status", (end) => resolve({ messages, end }));
  });
}

function failed({ code, details, metadata }: StatusObject): Result {
  return { code: status[code], details, trailers: own(metadata) };
}

function list(client: Client, method: string, body: string): ClientReadableStream<Buffer> {
  return client.makeServerStreamRequest(path(method), asIs, asIs, Buffer.from(body), new Metadata(), deadline());
}

const cases: Readonly<Record<string, (client: Client) => Promise<Result>>> = {
  "unary with metadata": async (client) => {
    const metadata = new Metadata();
    metadata.set("x-ask", "this");
    metadata.set("x-ask-bin", Buffer.from([0, 1]));
    const { message, head, end } = await unary(client, "Unary", Buffer.from("hello"), metadata);
    return { answer: String(message), head: own(head), trailers: own(end?.metadata), code: end?.code };
  },
  "three megabytes": async (client) => {
    const body = Buffer.alloc(3_000_000, "0123456789");
    return { same: (await unary(client, "Unary", body)).message?.equals(body) };
  },
  "an empty message": async (client) => ({ bytes: (await unary(client, "Unary", Buffer.alloc(0))).message?.length }),
  "200 at once": async (client) => {
    const calls = Array.from({ length: 200 }, (_, index) => unary(client, "Unary", Buffer.from(String(index))));
    const answers = await Promise.all(calls);
    return { answers: answers.every(({ message }, index) => String(message) === String(index)) };
  },
  "an error with trailers": async (client) =>
    failed((await unary(client, "Fail", Buffer.alloc(0))).end as StatusObject),
  "a method that is not": async (client) => ({
    code: status[(await unary(client, "Nothing", Buffer.alloc(0))).error?.code ?? 0],
  }),
  "server streaming": async (client) => {
    const { messages } = await drained(list(client, "List", "500x1024"));
    return { messages: messages.length, bytes: Buffer.concat(messages).length };
  },
  "an error after a message": async (client) => {
    const { messages, end } = await drained(list(client, "FailLate", ""));
    return { messages: messages.length, ...failed(end) };
  },
  "client streaming": (client) =>
    new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        path("Sum"),
        asIs,
        asIs,
        new Metadata(),
        deadline(),
        (error, message) => {
          if (error === null) resolve({ answer: String(message) });
          else reject(error);
        },
      );
      for (let index = 0; index < 300; index++) call.write(Buffer.alloc(1000, "x"));
      call.end();
    }),
  "both ways": async (client) => {
    const call = client.makeBidiStreamRequest(path("Chat"), asIs, asIs, new Metadata(), deadline());
    const done = drained(call);
    for (let index = 0; index < 50; index++) call.write(Buffer.from(String(index)));
    call.end();
    const { messages, end } = await done;
    return { messages: messages.length, last: String(messages.at(-1)), code: status[end.code] };
  },
  "a deadline that passes": async (client) => {
    const soon = { deadline: Date.now() + 500 };
    const call = client.makeBidiStreamRequest(path("Hang"), asIs, asIs, new Metadata(), soon);
    const { end } = await drained(call);
    return { code: status[end.code] };
  },
  "cancelled in the middle": async (client) => {
    const call = list(client, "List", "100000x1024");
    call.once("data", () => call.cancel());
    const { end } = await drained(call);
    const { message } = await unary(client, "Unary", Buffer.from("still here"));
    return { code: status[end.code], after: String(message) };
  },
};

/** Runs every case over one channel. */
export async function runGrpcJsClient(port: number): Promise<CaseResult[]> {
  const client = new Peer(`127.0.0.1:${port}`, credentials.createInsecure());
  const results: CaseResult[] = [];
  for (const [name, one] of Object.entries(cases)) {
    try {
      results.push({ name, seen: grpcSeen(await one(client)) });
    } catch (error) {
      results.push({ name, failure: error instanceof Error ? error.message : String(error) });
    }
  }
  client.close();
  return results;
}
