/** Answers every HTTP/1.1 request head it sees with `bodyBytes` bytes, over raw sockets, so that it costs little. */
import { createServer } from "node:net";
import type { Server } from "node:net";

const headEnd = Buffer.from("\r\n\r\n");

export function http1Server(bodyBytes: number): Server {
  const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${bodyBytes}\r\n\r\n`;
  const answer = Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes, "x")]);
  return createServer({ noDelay: true }, (socket) => {
    let rest = Buffer.alloc(0);
    socket.on("data", (bytes: Buffer<ArrayBuffer>) => {
      // Requests of the benchmark have no body: each blank line ends one.
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      for (let end = rest.indexOf(headEnd); end >= 0; end = rest.indexOf(headEnd)) {
        rest = rest.subarray(end + headEnd.length);
        socket.write(answer);
      }
    });
    socket.on("error", () => socket.destroy());
  });
}
