/** `@grpc/grpc-js` as a server, as a process: says its port as a line, and ends with its standard input. */
import { Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { grpcMethods } from "./grpc-methods.ts";

function trailers(): Metadata {
  const metadata = new Metadata();
  metadata.set("x-trailer", "of the server");
  return metadata;
}

const server = new Server();
server.addService(grpcMethods, {
  unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
    const head = new Metadata();
    head.set("x-head", String(call.metadata.get("x-ask")[0] ?? "none"));
    head.set("x-bytes-bin", Buffer.from([0, 255]));
    call.sendMetadata(head);
    done(null, call.request, trailers());
  },
  fail: (_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) =>
    done({ code: status.FAILED_PRECONDITION, details: "not today: 100 %, ä", metadata: trailers() }),
  list: (call: ServerWritableStream<Buffer, Buffer>) => {
    const [count = 0, size = 0] = call.request.toString().split("x").map(Number);
    const message = Buffer.alloc(size, "m");
    let left = count;
    const writeMore = (): void => {
      while (left > 0 && !call.cancelled) {
        left -= 1;
        if (!call.write(message)) return void call.once("drain", writeMore);
      }
      call.end();
    };
    writeMore();
  },
  failLate: (call: ServerWritableStream<Buffer, Buffer>) => {
    call.write(Buffer.from("first"));
    call.emit("error", { code: status.DATA_LOSS, details: "no second" });
  },
  sum: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
    let total = 0;
    call.on("data", (message: Buffer) => (total += message.length));
    call.on("end", () => done(null, Buffer.from(String(total))));
  },
  chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.on("data", (message: Buffer) => call.write(Buffer.concat([Buffer.from("re: "), message])));
    call.on("end", () => call.end());
  },
  hang: (call: ServerDuplexStream<Buffer, Buffer>) => {
    call.resume();
  },
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`port ${port}\n`);
});
process.stdin.on("close", () => process.exit(0)).resume();
