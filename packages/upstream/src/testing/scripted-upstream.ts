import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { TestContext } from "node:test";

/** A TCP server that does what a script says with each connection, byte by byte; closed with its connections after the test. */
export class ScriptedUpstream {
  readonly port: number;
  readonly #sockets: Socket[];
  readonly #received: string[];
  readonly #waiting: (() => void)[] = [];

  private constructor(server: Server, sockets: Socket[], received: string[]) {
    this.#sockets = sockets;
    this.#received = received;
    this.port = (server.address() as AddressInfo).port;
  }

  /** `script` is called with each connection and its number, from 0. Data is recorded in any case. */
  static async start(t: TestContext, script: (socket: Socket, index: number) => void): Promise<ScriptedUpstream> {
    const sockets: Socket[] = [];
    const received: string[] = [];
    const server = createServer((socket) => {
      const index = sockets.push(socket) - 1;
      received.push("");
      socket.on("error", () => socket.destroy());
      socket.on("data", (bytes: Buffer) => {
        received[index] += bytes.toString("latin1");
        upstream.wake();
      });
      script(socket, index);
      upstream.wake();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // Nobody knows the port before this line, so no connection has come yet.
    const upstream = new ScriptedUpstream(server, sockets, received);
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    });
    return upstream;
  }

  get connections(): number {
    return this.#sockets.length;
  }

  socket(index: number): Socket {
    return this.#sockets[index]!;
  }

  /** What a connection has sent so far, as latin1. */
  received(index: number): string {
    return this.#received[index] ?? "";
  }

  /** Resolves when the condition holds; it is asked after every connection and every piece of data. */
  async until(condition: (upstream: this) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** Calls `answer` for each request head that ends on the connection; bodies are not looked at. */
export function onEachHead(socket: Socket, answer: (head: string, count: number) => void): void {
  let text = "";
  let count = 0;
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString("latin1");
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      answer(head, count++);
    }
  });
}
