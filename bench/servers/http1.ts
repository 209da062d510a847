/** Answers every HTTP/1.1 request head it sees with 100 bytes, those for {@link bulkPath} with 1 MiB, over raw sockets, so that it costs little. */
import { createServer } from "node:net";
import type { Server } from "node:net";

export const bulkPath = "/bulk";
const bulkRequest = Buffer.from(`GET ${bulkPath} `);
const headEnd = Buffer.from("\r\n\r\n");

export function http1Server(): Server {
  const [small, bulk] = [answerOf(100), answerOf(1024 * 1024)];
  return createServer({ noDelay: true }, (socket) => {
    let rest = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer<ArrayBuffer>) => {
      // Requests of the benchmark have no body: each blank line ends one.
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      for (let end = rest.indexOf(headEnd); end >= 0; end = rest.indexOf(headEnd)) {
        const isBulk = rest.subarray(0, bulkRequest.length).equals(bulkRequest);
        rest = rest.subarray(end + headEnd.length);
        socket.write(isBulk ? bulk : small);
      }
    });
    socket.on("error", () => socket.destroy());
  });
}

function answerOf(bodyBytes: number): Buffer {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bodyBytes}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes, "x")]);
}
