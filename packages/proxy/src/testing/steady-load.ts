import { once } from "node:events";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { connect, createServer, type Server } from "node:net";
import { status } from "@grpc/grpc-js";
import { connectRaw, type EchoServer, type RawPeer, startEchoServer } from "@heddle/testkit";
import { WebSocket, WebSocketServer } from "ws";
import { bootstrap, cluster, http2Cluster, httpListener, route, tcpListener } from "./bootstrap-json.ts";
import { GrpcApp, GrpcClient } from "./grpc-app.ts";

/** Ports of the proxy's listeners. */
export interface LoadPorts {
  readonly web: number;
  readonly grpc: number;
  readonly tcp: number;
}

/** Messages of one stream, socket or byte stream. */
const messagesPerStream = 20;
const messageEveryMs = 5;
const requestsAtOnce = 16;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Applications of every kind behind a proxy, and clients that call them without a break by HTTP/1.1 with keep-alive, HTTP/2, gRPC
 * streams, WebSocket and TCP. Each kind has a count of what was answered; whatever was lost stands in `failures`.
 */
export class SteadyLoad implements AsyncDisposable {
  readonly answered = { http1: 0, http2: 0, grpc: 0, webSocket: 0, tcp: 0 };
  readonly failures: string[] = [];
  /** Requests that each HTTP listener has had, if it counts right. */
  readonly requests = { web: 0, grpc: 0 };
  readonly #app: EchoServer;
  readonly #grpc: GrpcApp;
  readonly #sockets: WebSocketServer;
  readonly #tcp: Server;
  #isStopped = false;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(app: EchoServer, grpc: GrpcApp, sockets: WebSocketServer, tcp: Server) {
    this.#app = app;
    this.#grpc = grpc;
    this.#sockets = sockets;
    this.#tcp = tcp;
  }

  /** Starts the applications. */
  static async prepare(): Promise<SteadyLoad> {
    const app = await startEchoServer({ respond: (_request, response) => void response.end("ok") });
    const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1" });
    await once(sockets, "listening");
    sockets.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
    const tcp = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    }).listen(0, "127.0.0.1");
    await once(tcp, "listening");
    return new SteadyLoad(app, await GrpcApp.start(), sockets, tcp);
  }

  get total(): number {
    return Object.values(this.answered).reduce((sum, count) => sum + count, 0);
  }

  bootstrap(): object {
    const portOf = (server: { address(): unknown }): number => (server.address() as { port: number }).port;
    const routes = [
      route("/socket", "socket", { upgrade_configs: [{ upgrade_type: "websocket" }] }),
      route("/", "app"),
    ];
    return bootstrap(
      [
        httpListener({ name: "web", routes }),
        httpListener({ name: "grpc", routes: [route("/", "grpc", { timeout: "0s" })] }),
        tcpListener("tcp", "tcp"),
      ],
      [
        cluster("app", [this.#app.port]),
        cluster("socket", [portOf(this.#sockets)]),
        cluster("grpc", [this.#grpc.port], http2Cluster()),
        cluster("tcp", [portOf(this.#tcp)]),
      ],
    );
  }

  /** Begins to call, until `stop`. */
  begin(ports: LoadPorts): void {
    this.#running = Promise.all([
      ...Array.from({ length: requestsAtOnce }, () => this.#http1(ports.web)),
      this.#http2(ports.web),
      this.#grpcStreams(ports.grpc),
      this.#repeat("webSocket", () => this.#webSocket(ports.web)),
      this.#repeat("tcp", () => this.#bytes(ports.tcp)),
    ]);
  }

  /** Resolves when what was begun has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#app.close();
    await this.#grpc[Symbol.asyncDispose]();
    for (const client of this.#sockets.clients) client.terminate();
    this.#sockets.close();
    this.#tcp.close();
  }

  async #repeat(kind: string, once: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) {
      try {
        await once();
      } catch (error) {
        this.#lost(kind, error);
      }
    }
  }

  #lost(kind: string, error: unknown): void {
    this.failures.push(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
  }

  /** One connection that is used as long as the proxy lets it be; it may end after an answer that said so, and at no other time. */
  async #http1(port: number): Promise<void> {
    let client: RawPeer | undefined;
    while (!this.#isStopped) {
      try {
        client ??= await connectRaw(port);
        await client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        const { head, body } = await client.response();
        if (!head.startsWith("HTTP/1.1 200") || body !== "ok") throw new Error(head);
        this.answered.http1 += 1;
        this.requests.web += 1;
        if (!/\r\nconnection: close/i.test(head)) continue;
      } catch (error) {
        this.#lost("http1", error);
      }
      client?.socket.destroy();
      client = undefined;
    }
    client?.socket.destroy();
  }

  /** Streams of one session; after GOAWAY new ones belong on another. */
  async #http2(port: number): Promise<void> {
    let session: ClientHttp2Session | undefined;
    const dial = (): ClientHttp2Session => {
      const fresh = connectHttp2(`http://127.0.0.1:${port}`);
      fresh.on("error", (error) => this.#lost("http2 session", error));
      fresh.on("goaway", () => {
        if (session === fresh) session = undefined;
        fresh.close();
      });
      return fresh;
    };
    const loop = async (): Promise<void> => {
      while (!this.#isStopped) {
        try {
          if (session === undefined || session.closed || session.destroyed) session = dial();
          const used = session;
          const stream = used.request({ ":path": "/" });
          stream.on("error", () => {});
          let [body, code] = ["", 0];
          stream.on("response", (headers) => (code = headers[":status"] ?? 0));
          stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
          stream.end();
          await new Promise((resolve) => stream.on("close", resolve));
          // By this client's own code, of what it had not sent yet when GOAWAY came: the proxy's count shows that it never had it.
          if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM && used.closed) continue;
          if (code !== 200 || body !== "ok") throw new Error(`status ${code}, ${body}, code ${stream.rstCode}`);
          this.answered.http2 += 1;
          this.requests.web += 1;
        } catch (error) {
          this.#lost("http2", error);
        }
      }
    };
    await Promise.all(Array.from({ length: requestsAtOnce }, loop));
    session?.close();
  }

  async #grpcStreams(port: number): Promise<void> {
    // What it had not sent yet when GOAWAY came it refuses by itself, and sends again only when it may retry; see `#http2`.
    const client = new GrpcClient(`127.0.0.1:${port}`, undefined, { "grpc.enable_retries": 1 });
    await this.#repeat("grpc", async () => {
      const call = client.chat("Chat");
      const ended = new Promise<void>((resolve, reject) => {
        call.on("error", reject);
        call.on("status", ({ code, details }) =>
          code === status.OK ? resolve() : reject(new Error(`${code} ${details}`)),
        );
      });
      let received = 0;
      call.on("data", () => {
        received += 1;
        this.answered.grpc += 1;
      });
      for (let i = 0; i < messagesPerStream; i++) {
        call.write(Buffer.from(`message ${i}`));
        await pause(messageEveryMs);
      }
      call.end();
      await ended;
      if (received !== messagesPerStream) throw new Error(`${received} of ${messagesPerStream} messages`);
      this.requests.grpc += 1;
    });
    client.close();
  }

  async #webSocket(port: number): Promise<void> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`);
    const closed = once(socket, "close");
    await once(socket, "open");
    let received = 0;
    socket.on("message", () => {
      received += 1;
      this.answered.webSocket += 1;
      if (received === messagesPerStream) socket.close();
    });
    for (let i = 0; i < messagesPerStream; i++) {
      socket.send(`message ${i}`);
      await pause(messageEveryMs);
    }
    const [code] = await closed;
    if (received !== messagesPerStream) throw new Error(`closed with ${code} after ${received} messages`);
    this.requests.web += 1;
  }

  async #bytes(port: number): Promise<void> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    let received = "";
    const ended = new Promise<void>((resolve, reject) => {
      socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
      socket.on("error", reject);
      socket.on("end", resolve);
    });
    ended.catch(() => {});
    let sent = "";
    for (let i = 0; i < messagesPerStream; i++) {
      socket.write(`message ${i};`);
      sent += `message ${i};`;
      await pause(messageEveryMs);
    }
    socket.end();
    await ended;
    socket.destroy();
    if (received !== sent) throw new Error(`${received.length} of ${sent.length} bytes`);
    this.answered.tcp += messagesPerStream;
  }
}
