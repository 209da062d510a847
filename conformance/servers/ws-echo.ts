/** The WebSocket server of `ws` as a process: sends every message back, says its port as a line, ends with its standard input. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  perMessageDeflate: true,
  maxPayload: 64 * 1024 * 1024,
  handleProtocols: (offered) => [...offered][0] ?? false,
});
server.on("connection", (socket, request) => {
  socket.on("error", () => socket.terminate());
  socket.on("message", (data, isBinary) => {
    const text = isBinary ? "" : (data as Buffer).toString();
    if (text === "close, please") socket.close(4001, "as you wish");
    else if (text === "terminate, please") socket.terminate();
    else if (text === "who am I") socket.send(JSON.stringify({ url: request.url, headers: request.headers }));
    else socket.send(data, { binary: isBinary });
  });
});
await once(server, "listening");
process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`);
process.stdin.on("close", () => process.exit(0)).resume();
