/** `grpc-stream.ts PORT STREAMS SECONDS`: reads that many streams on one connection; prints messages and seconds as JSON. */
import { connect } from "node:http2";
import { streamedMessageBytes, streamingPath } from "../servers/grpc.ts";

const [port = "", streams = "1", seconds = "1"] = process.argv.slice(2);
const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: 1024 * 1024 } });
let bytes = 0;
let errors = 0;
session.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
for (let index = 0; index < Number(streams); index++) {
  const stream = session.request({
    ":method": "POST",
    ":path": streamingPath,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("response", (headers) => {
    if (headers[":status"] !== 200) errors++;
  });
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
  });
  stream.on("error", () => {
    errors++;
  });
  stream.end();
}
const startedAt = performance.now();
setTimeout(() => {
  const elapsed = (performance.now() - startedAt) / 1000;
  process.stdout.write(
    `${JSON.stringify({ count: Math.floor(bytes / streamedMessageBytes), seconds: elapsed, errors })}\n`,
  );
  process.exit(0);
}, Number(seconds) * 1000);
