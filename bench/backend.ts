/** The server behind every proxy: 100 bytes for each request head it sees, over raw sockets, so that it costs little. */
import { createServer } from "node:net";

const body = "x".repeat(100);
const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
);
const headEnd = Buffer.from("\r\n\r\n");

const server = createServer({ noDelay: true }, (socket) => {
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
server.listen(0, "127.0.0.1", () => process.send?.(server.address()));
process.on("disconnect", () => process.exit(0));
