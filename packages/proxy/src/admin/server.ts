import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP, Server as NetServer } from "node:net";
import type { Readable } from "node:stream";
import type { Logger } from "@heddle/core";

/** What an admin route answers. */
export interface AdminReply {
  readonly status: number;
  /** A stream is sent as it comes. */
  readonly body: string | Readable;
  /** Default: text/plain. */
  readonly contentType?: string;
  /** `Content-Disposition`, for what is to be saved. */
  readonly disposition?: string;
}

export interface AdminRoute {
  readonly path: string;
  /** `POST` for everything that changes something: a link or an image must not be able to (Envoy demands the same). */
  readonly method: "GET" | "POST";
  readonly help: string;
  /** Query parameters that it knows; any other is refused, since it would be ignored. Default: none. */
  readonly parameters?: readonly string[];
  /** It reads a body of up to so many bytes. Default: it reads none, and what is sent is dropped. */
  readonly maxBodyBytes?: number;
  handle(query: URLSearchParams, body: string): AdminReply | Promise<AdminReply>;
}

const longestRequestMs = 10_000;
/** What was asked of a generation that leaves its admin port to the next has this long. */
const lastAnswersMs = 500;

/**
 * The admin port. It runs on the main thread with the runtime's own HTTP server, since nothing about it is on the
 * request path. Whoever reaches it owns the proxy, so besides listening on loopback it refuses what a web page in a
 * browser on this host could send: names in `Host` (DNS rebinding) and foreign origins.
 */
export class AdminServer {
  readonly #server: Server;
  readonly #routes: readonly AdminRoute[];
  readonly #logger: Logger;

  constructor(routes: readonly AdminRoute[], logger: Logger) {
    this.#routes = routes;
    this.#logger = logger;
    this.#server = createServer({ requestTimeout: longestRequestMs }, (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.on("error", (error) => logger.error("the admin port failed", { error }));
  }

  /** Accepts on a listening descriptor that this process owns from now on. */
  listen(fd: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ fd }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Accepts no more, and closes when what was asked has been answered. */
  async finish(): Promise<void> {
    const timer = setTimeout(() => this.#server.closeAllConnections(), lastAnswersMs);
    // Not the HTTP server's own `close`, which would also end connections whose request is just on its way.
    await new Promise<void>((resolve) => NetServer.prototype.close.call(this.#server, () => resolve()));
    clearTimeout(timer);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on("error", () => response.destroy());
    response.on("error", () => request.destroy());
    let reply: AdminReply;
    try {
      reply = await this.#route(request);
    } catch (error) {
      this.#logger.error("an admin request failed", { path: request.url, error });
      reply = { status: 500, body: "internal error: see the proxy's log\n" };
    }
    request.resume();
    response.writeHead(reply.status, {
      "content-type": reply.contentType ?? "text/plain; charset=UTF-8",
      "cache-control": "no-cache, max-age=0",
      "x-content-type-options": "nosniff",
      // No connection is ever idle, so none is closed by a hand-over just when something is asked on it.
      connection: "close",
      ...(reply.disposition === undefined ? {} : { "content-disposition": reply.disposition }),
      ...(reply.status === 405 ? { allow: "POST" } : {}),
    });
    const { body } = reply;
    if (request.method === "HEAD" || typeof body === "string") {
      response.end(request.method === "HEAD" ? undefined : body);
      if (typeof body !== "string") body.destroy();
      return;
    }
    body.on("error", () => response.destroy());
    response.on("close", () => body.destroy());
    // Who has gone while the answer was made will not go again.
    if (response.destroyed) {
      body.destroy();
      return;
    }
    // The first piece may be long in coming.
    response.flushHeaders();
    body.pipe(response);
  }

  async #route(request: IncomingMessage): Promise<AdminReply> {
    const host = request.headers.host ?? "";
    if (!isAddress(host)) {
      return { status: 403, body: `Host "${host}" is not allowed: use the IP address or localhost\n` };
    }
    const origin = request.headers.origin;
    if (origin !== undefined && origin !== `http://${host}`)
      return { status: 403, body: `Origin "${origin}" is not allowed\n` };
    const url = URL.parse(request.url ?? "/", "http://admin");
    if (url === null) return { status: 400, body: "the request target cannot be read\n" };
    if (url.pathname === "/" || url.pathname === "/help") return { status: 200, body: this.#help() };
    const route = this.#routes.find((candidate) => candidate.path === url.pathname);
    if (route === undefined) return { status: 404, body: `invalid path. admin commands are:\n${this.#help()}` };
    const method = request.method === "HEAD" ? "GET" : request.method;
    // As in Envoy, reading by POST is allowed; changing by GET is not.
    if (route.method === "POST" ? method !== "POST" : method !== "GET" && method !== "POST") {
      return { status: 405, body: `Method ${request.method} not allowed, ${route.method} required.\n` };
    }
    const known = route.parameters ?? [];
    const unknown = [...url.searchParams.keys()].find((name) => !known.includes(name));
    if (unknown !== undefined) {
      const takes = known.length === 0 ? "it takes none" : `it takes ${known.join(", ")}`;
      return { status: 400, body: `${route.path} does not support the parameter "${unknown}": ${takes}\n` };
    }
    const reading = readBody(request, route.maxBodyBytes ?? 0);
    if (route.maxBodyBytes === undefined) return route.handle(url.searchParams, "");
    const body = await reading;
    if (body === undefined)
      return { status: 413, body: `${route.path} takes a body of at most ${route.maxBodyBytes} bytes\n` };
    return route.handle(url.searchParams, body);
  }

  #help(): string {
    const width = Math.max(...this.#routes.map((route) => route.path.length));
    return this.#routes
      .map((route) => `  ${route.path.padEnd(width)}  ${route.help}${route.method === "POST" ? " (POST)" : ""}\n`)
      .join("");
  }
}

/** All of it is taken off the connection, so that whoever sends hears the answer. undefined: it is longer, or its sender has gone. */
function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve) => {
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
    });
    request.on("end", () => resolve(length > maxBytes ? undefined : Buffer.concat(chunks).toString("utf8")));
    request.on("close", () => resolve(undefined));
  });
}

/** Rebinding needs a name that the attacker controls: addresses and `localhost` are safe whatever we listen on. */
function isAddress(host: string): boolean {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:]+))(?::\d+)?$/.exec(host);
  if (match === null) return false;
  const name = match[1] ?? match[2] ?? "";
  return name.toLowerCase() === "localhost" || isIP(name) !== 0;
}
