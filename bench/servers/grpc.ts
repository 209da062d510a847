/** A gRPC application with prior knowledge: one small answer for a unary call, and a stream that flows as fast as it is read. */
import { createServer } from "node:http2";
import type { Http2Server, ServerHttp2Stream } from "node:http2";

/** Bytes of one message of the stream, its five-byte prefix among them. */
export const streamedMessageBytes = 1024;
/** The method that streams; every other one is unary. */
export const streamingPath = "/bench.Bench/Stream";

function message(bytes: number): Buffer {
  const framed = Buffer.alloc(bytes, "x");
  // gRPC's Length-Prefixed-Message: not compressed, then the length.
  framed.writeUInt8(0, 0);
  framed.writeUInt32BE(bytes - 5, 1);
  return framed;
}

const small = message(25);
const large = message(streamedMessageBytes);

function flow(stream: ServerHttp2Stream): void {
  const fill = (): void => {
    while (!stream.destroyed && stream.write(large));
  };
  stream.on("drain", fill);
  fill();
}

export function grpcServer(): Http2Server {
  const server = createServer({ settings: { maxConcurrentStreams: 1000 } });
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    stream.on("error", () => stream.destroy());
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.resume();
    if (headers[":path"] === streamingPath) flow(stream);
    else stream.end(small);
  });
  server.on("sessionError", (error) => process.stderr.write(`bench: gRPC server: ${error.message}\n`));
  return server;
}
