import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { SecureContextOptions } from "node:tls";

/** What the echo server answers with, as JSON. */
export interface EchoedRequest {
  readonly server: string;
  readonly method: string;
  readonly url: string;
  readonly httpVersion: string;
  /** As on the wire: names as written, in order. */
  readonly rawHeaders: readonly [name: string, value: string][];
  readonly body: string;
  readonly trailers: Readonly<Record<string, string>>;
  /** Number of this connection among all that the server accepted, from 1. */
  readonly connection: number;
}

export interface EchoServerOptions {
  /** Told back in every answer. */
  readonly name?: string;
  readonly host?: string;
  /** Serves TLS, asking for a client certificate without judging it. */
  readonly tls?: SecureContextOptions;
  /** Answers instead of echoing; returns false to echo after all. */
  readonly respond?: (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean | void;
}

export interface EchoServer extends AsyncDisposable {
  readonly port: number;
  readonly host: string;
  /** Requests whose head has come so far. */
  readonly requestsBegun: number;
  /** Requests read completely so far. */
  readonly requests: number;
  readonly connectionsAccepted: number;
  readonly connectionsOpen: number;
  /** Resolves when at least this many connections have been accepted. */
  accepted(count: number): Promise<void>;
  /** Closes every connection at once, as a crash would. */
  destroyConnections(): void;
  close(): Promise<void>;
}

/** An ordinary node:http server: the application behind a proxy. Paths steer it: `/status/<code>` answers with that status, everything else with 200. */
export async function startEchoServer(options: EchoServerOptions = {}): Promise<EchoServer> {
  const name = options.name ?? "echo";
  const host = options.host ?? "127.0.0.1";
  const sockets = new Set<Socket>();
  const numbers = new WeakMap<Socket, number>();
  const waiters = new Set<() => void>();
  let accepted = 0;
  let begun = 0;
  let requests = 0;

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    begun += 1;
    const chunks: Buffer[] = [];
    request.on("error", () => response.destroy());
    response.on("error", () => request.destroy());
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      requests += 1;
      const body = Buffer.concat(chunks);
      const isAnswered = options.respond !== undefined && options.respond(request, response, body) !== false;
      if (!isAnswered) echo(name, numbers.get(request.socket) ?? 0, request, response, body);
    });
  };
  const server =
    options.tls === undefined
      ? createServer({ keepAlive: true, noDelay: true }, handle)
      : createTlsServer({ ...options.tls, requestCert: true, rejectUnauthorized: false }, handle);
  // Never closes an idle connection by itself: whoever tests a pool decides when connections end.
  server.keepAliveTimeout = 0;
  server.on(options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    numbers.set(socket, accepted);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    for (const wake of waiters) wake();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;

  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });

  return {
    port,
    host,
    get requestsBegun() {
      return begun;
    },
    get requests() {
      return requests;
    },
    get connectionsAccepted() {
      return accepted;
    },
    get connectionsOpen() {
      return sockets.size;
    },
    accepted(count) {
      return new Promise((resolve) => {
        const wake = (): void => {
          if (accepted < count) return;
          waiters.delete(wake);
          resolve();
        };
        waiters.add(wake);
        wake();
      });
    },
    destroyConnections() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function echo(
  name: string,
  connection: number,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): void {
  const { url = "/", method = "GET", rawHeaders } = request;
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.push([rawHeaders[i] ?? "", rawHeaders[i + 1] ?? ""]);
  const trailers: Record<string, string> = {};
  for (const [key, value] of Object.entries(request.trailers)) trailers[key] = value ?? "";
  const answer: EchoedRequest = {
    server: name,
    method,
    url,
    httpVersion: request.httpVersion,
    rawHeaders: headers,
    body: body.toString("latin1"),
    trailers,
    connection,
  };
  const text = JSON.stringify(answer);
  response.statusCode = Number(/^\/status\/(\d{3})$/.exec(url)?.[1] ?? 200);
  response.setHeader("content-type", "application/json");
  response.setHeader("content-length", Buffer.byteLength(text));
  response.end(method === "HEAD" ? undefined : text);
}
