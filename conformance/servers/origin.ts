/**
 * One application on Node's own HTTP/1.1 and HTTP/2 servers, as a process: `node origin.ts <certificate> <key>`. Says
 * where it listens, by protocol, as a line of JSON, and ends with its standard input.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttp1 } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createSecureServer, createServer as createHttp2, constants } from "node:http2";
import type { Http2Server, Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;
type Handler = (request: Request, response: Response, query: URLSearchParams) => void;

/** What arrived, sorted, so that two ways of sending it compare. */
function echoOf(request: Request, hash: string, bytes: number): string {
  const fields = Object.entries(request.headers)
    .filter(([name]) => !name.startsWith(":"))
    .map(([name, value]) => [name, String(value)] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify({
    method: request.method,
    url: request.url,
    authority: request.headers[":authority"] ?? request.headers.host ?? "",
    headers: Object.fromEntries(fields),
    trailers: request.trailers,
    bytes,
    sha256: hash,
  });
}

function whole(request: Request, done: (hash: string, bytes: number) => void): void {
  const hash = createHash("sha256");
  let bytes = 0;
  request.on("data", (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
  });
  request.on("end", () => done(hash.digest("hex").slice(0, 16), bytes));
}

function cut(response: Response): void {
  if ("stream" in response) response.stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  else response.socket?.destroy();
}

function write(response: Response, chunk: string | Buffer): void {
  if ("stream" in response) response.write(chunk);
  else response.write(chunk);
}

const handlers: Readonly<Record<string, Handler>> = {
  // Not before the request has ended: h2spec resets requests, and a stream that is answered has no more to reset.
  "/": (request, response) =>
    whole(request, () => {
      response.setHeader("content-type", "text/plain");
      response.end("hello\n");
    }),
  "/echo": (request, response) =>
    whole(request, (hash, bytes) => {
      response.setHeader("content-type", "application/json");
      response.end(echoOf(request, hash, bytes));
    }),
  "/back": (request, response) => {
    response.setHeader("content-type", "application/octet-stream");
    request.pipe(response as ServerResponse);
  },
  "/status": (request, response, query) => {
    request.resume();
    response.statusCode = Number(query.get("code"));
    if (query.has("location")) response.setHeader("location", "/elsewhere");
    response.end();
  },
  "/trailers": (request, response) => {
    request.resume();
    response.setHeader("trailer", "x-checksum, x-second");
    write(response, "body before trailers\n");
    response.addTrailers({ "x-checksum": "abc", "x-second": "2" });
    response.end();
  },
  "/early": (_request, response) => {
    response.statusCode = 403;
    response.setHeader("content-type", "text/plain");
    response.end("not wanted\n");
  },
  "/fields": (request, response, query) => {
    request.resume();
    const count = Number(query.get("count"));
    for (let index = 0; index < count; index++) {
      response.setHeader(`x-field-${index}`, "v".repeat(Number(query.get("bytes"))));
    }
    response.end("fields\n");
  },
  "/cookies": (request, response) => {
    request.resume();
    response.setHeader("set-cookie", ["a=1; Path=/", "b=2; HttpOnly"]);
    response.end(`${request.headers.cookie ?? "none"}\n`);
  },
  "/chunks": (request, response) => {
    request.resume();
    for (const chunk of ["one ", "two ", "three\n"]) write(response, chunk);
    setImmediate(() => response.end());
  },
  "/bytes": (request, response, query) => {
    request.resume();
    const bytes = Number(query.get("n"));
    response.setHeader("content-type", "application/octet-stream");
    if (query.has("length")) response.setHeader("content-length", bytes);
    response.end(Buffer.alloc(bytes, "0123456789abcdef"));
  },
  "/hints": (request, response) => {
    request.resume();
    response.writeEarlyHints({ link: "</style.css>; rel=preload; as=style" });
    response.end("after the hints\n");
  },
  "/cut": (request, response) => {
    request.resume();
    response.setHeader("content-length", 1000);
    write(response, "not all of it");
    // The head and the first bytes leave before the cut.
    setTimeout(() => cut(response), 50);
  },
  "/cut-at-once": (request, response) => {
    request.resume();
    cut(response);
  },
};

function answer(request: Request, response: Response): void {
  for (const side of [request, response]) side.on("error", () => request.destroy());
  const url = new URL(request.url ?? "/", "http://origin");
  const handler = handlers[url.pathname];
  if (handler === undefined) {
    request.resume();
    response.statusCode = 404;
    response.end();
  } else handler(request, response, url.searchParams);
}

function guarded(server: Http2Server): Http2Server {
  server.on("sessionError", () => undefined);
  server.on("session", (session) => session.on("error", () => session.destroy()));
  return server;
}

const [certificate = "", key = ""] = process.argv.slice(2);
const http1 = createHttp1({ maxHeaderSize: 128 * 1024, keepAliveTimeout: 60_000 }, answer);
http1.on("clientError", (_error, socket) => socket.destroy());
const http2 = guarded(createHttp2({}, answer));
const http2Tls = guarded(createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }, answer));
http2Tls.on("tlsClientError", () => undefined);

const servers = { h1: http1, h2: http2, "h2-tls": http2Tls };
const ports: Record<string, number> = {};
for (const [protocol, server] of Object.entries(servers)) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ports[protocol] = (server.address() as AddressInfo).port;
}
process.stdout.write(`${JSON.stringify(ports)}\n`);
process.stdin.on("close", () => process.exit(0)).resume();
