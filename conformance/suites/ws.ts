import { once } from "node:events";
import { WebSocket } from "ws";
import { serveWebSockets } from "../servers/served.ts";
import type { CaseResult, Suite } from "../suite.ts";
import { ways } from "../suite.ts";
import { fieldsSeen } from "./seen.ts";

type Seen = Readonly<Record<string, string>>;

async function opened(port: number, path = "/", protocols: string[] = [], options = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { handshakeTimeout: 20_000, ...options });
  await once(socket, "open");
  return socket;
}

async function echoed(socket: WebSocket, message: string | Buffer): Promise<Buffer> {
  socket.send(message);
  const [answer] = (await once(socket, "message", { signal: AbortSignal.timeout(30_000) })) as [Buffer];
  return answer;
}

async function closed(socket: WebSocket): Promise<string> {
  const [code, reason] = (await once(socket, "close", { signal: AbortSignal.timeout(30_000) })) as [number, Buffer];
  return `${code} ${String(reason)}`;
}

const cases: Readonly<Record<string, (port: number) => Promise<Seen>>> = {
  "what the server sees of the upgrade": async (port) => {
    const socket = await opened(port, "/chat?room=1", [], { headers: { "x-a": "1" }, perMessageDeflate: false });
    const { url, headers } = JSON.parse(String(await echoed(socket, "who am I"))) as {
      url: string;
      headers: Record<string, string>;
    };
    socket.terminate();
    const fields = Object.entries(headers).filter(([name]) => name !== "sec-websocket-key");
    return { url, ...fieldsSeen("request", fields) };
  },
  subprotocol: async (port) => {
    const socket = await opened(port, "/", ["v2.chat", "v1.chat"]);
    socket.terminate();
    return { protocol: socket.protocol };
  },
  "five megabytes": async (port) => {
    const socket = await opened(port, "/", [], { perMessageDeflate: false });
    const message = Buffer.alloc(5_000_000, "0123456789");
    const answer = await echoed(socket, message);
    socket.terminate();
    return { same: String(answer.equals(message)) };
  },
  compression: async (port) => {
    const socket = await opened(port, "/", [], { perMessageDeflate: { threshold: 0 } });
    const answer = await echoed(socket, "again ".repeat(10_000));
    socket.terminate();
    return { extensions: socket.extensions, bytes: String(answer.length) };
  },
  ping: async (port) => {
    const socket = await opened(port);
    socket.ping("are you there");
    const [payload] = (await once(socket, "pong", { signal: AbortSignal.timeout(30_000) })) as [Buffer];
    socket.terminate();
    return { pong: String(payload) };
  },
  "closed by the server": async (port) => {
    const socket = await opened(port);
    socket.send("close, please");
    return { close: await closed(socket) };
  },
  "closed by the client": async (port) => {
    const socket = await opened(port);
    socket.close(4002, "enough");
    return { close: await closed(socket) };
  },
  "cut off by the server": async (port) => {
    const socket = await opened(port);
    socket.send("terminate, please");
    return { close: await closed(socket) };
  },
  "50 at once": async (port) => {
    const sockets = await Promise.all(Array.from({ length: 50 }, () => opened(port)));
    const answers = await Promise.all(sockets.map((socket, index) => echoed(socket, `number ${index}`)));
    for (const socket of sockets) socket.terminate();
    return { same: String(answers.every((answer, index) => String(answer) === `number ${index}`)) };
  },
};

export const webSockets: Suite = {
  name: "ws against ws",
  ways: [ways.h1ToH1, ways.h1ToH2ToH1],
  tools: [],
  serve: serveWebSockets,
  attempt: async ({ port }) => {
    const results: CaseResult[] = [];
    for (const [name, one] of Object.entries(cases)) {
      try {
        results.push({ name, seen: await one(port) });
      } catch (error) {
        results.push({ name, failure: error instanceof Error ? error.message : String(error) });
      }
    }
    return results;
  },
};
