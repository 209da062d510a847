/**
 * What the five services of the bookshop share: an HTTP server that speaks JSON, calls to other
 * services, and the forwarding of trace headers. Nothing here knows that there is a mesh: a service
 * reads PORT and <SERVICE>_URL from its environment, as ordinary applications do.
 */
import { createServer, request as httpRequest, Agent } from "node:http";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";

/** Headers that every hop passes on, so that a tracing system can join the spans of one request. */
const traceHeaders = [
  "x-request-id",
  "traceparent",
  "tracestate",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
];

/** The answer of another service: status, headers, and the body as text. */
export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One incoming request, reduced to what a handler needs. */
export interface Call {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Calls another service by the name in its `<SERVICE>_URL` variable, with this request's trace headers. */
  fetch(service: string, path: string, options?: { method?: string; body?: string }): Promise<Reply>;
}

/** What a handler answers. `type` is the content type; JSON when absent. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly type?: string;
}

export const version = process.env.VERSION ?? "v1";
/** The replica's own name, as a pod would see it. */
export const instance = process.env.HOSTNAME ?? "local";

const agent = new Agent({ keepAlive: true, maxSockets: 64 });

function serviceUrl(service: string): string {
  const name = `${service.toUpperCase().replaceAll("-", "_")}_URL`;
  const url = process.env[name];
  if (url === undefined) throw new Error(`${name} is not set: where is the service "${service}"?`);
  return url;
}

function readBody(message: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    message.on("data", (chunk: Buffer) => chunks.push(chunk));
    message.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    message.on("error", reject);
  });
}

function callService(
  incoming: IncomingHttpHeaders,
  service: string,
  path: string,
  options: { method?: string; body?: string } = {},
): Promise<Reply> {
  const headers: Record<string, string> = { "user-agent": `bookshop-${process.env.SERVICE ?? "service"}` };
  for (const name of traceHeaders) {
    const value = incoming[name];
    if (typeof value === "string") headers[name] = value;
  }
  if (options.body !== undefined) {
    headers["content-type"] = "application/json";
    headers["content-length"] = String(Buffer.byteLength(options.body));
  }
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(new URL(path, serviceUrl(service)), {
      method: options.method ?? "GET",
      headers,
      agent,
    });
    outgoing.on("response", (response) => {
      readBody(response).then(
        (body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        reject,
      );
    });
    outgoing.on("error", reject);
    outgoing.end(options.body);
  });
}

function send(response: ServerResponse, answer: Answer): void {
  const isText = answer.type !== undefined;
  const body = Buffer.from(isText ? String(answer.body) : `${JSON.stringify(answer.body)}\n`);
  response.writeHead(answer.status, {
    "content-type": answer.type ?? "application/json; charset=utf-8",
    "content-length": body.length,
    "x-bookshop-instance": instance,
  });
  response.end(body);
}

/** Who this is and what headers arrived; `/whoami/reviews/ratings` asks reviews, which asks ratings, and shows all three. */
async function whoAmI(name: string, path: string, headers: IncomingHttpHeaders): Promise<Answer> {
  const self = { service: name, version, instance, headers };
  const [, , nextService, ...others] = path.split("/");
  if (nextService === undefined || nextService === "") return { status: 200, body: self };
  const { status, body } = await callService(headers, nextService, ["/whoami", ...others].join("/"));
  return { status: 200, body: { ...self, next: status === 200 ? JSON.parse(body) : { status, body } } };
}

/** Serves `handle` on PORT until SIGTERM; then lets running requests finish. */
export function serve(name: string, handle: (call: Call) => Promise<Answer> | Answer): void {
  process.env.SERVICE = name;
  const server = createServer((request, response) => {
    const answer = async (): Promise<Answer> => {
      const path = request.url ?? "/";
      if (path === "/healthz") return { status: 200, body: { status: "ok", service: name, version, instance } };
      if (/^\/whoami(\/|$)/.test(path)) return whoAmI(name, path, request.headers);
      return handle({
        method: request.method ?? "GET",
        path,
        headers: request.headers,
        body: await readBody(request),
        fetch: (service, target, options) => callService(request.headers, service, target, options),
      });
    };
    answer().then(
      (result) => send(response, result),
      (error: unknown) => {
        console.error(
          `${name}: ${request.method} ${request.url}: ${error instanceof Error ? error.message : String(error)}`,
        );
        send(response, { status: 502, body: { error: "a service that this one needs did not answer", service: name } });
      },
    );
  });
  // Longer than the idle time-out of any proxy in front, so that the proxy is the one that closes.
  server.keepAliveTimeout = 3_900_000;
  server.listen(Number(process.env.PORT ?? 0), "127.0.0.1", () => {
    const address = server.address();
    console.log(
      `${name} ${version} listens on port ${typeof address === "object" && address !== null ? address.port : "?"}`,
    );
  });
  process.on("SIGTERM", () => {
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}

/** Parses the answer of another service; a status that is not 2xx becomes an `UpstreamError` that keeps it. */
export function json(reply: Reply): unknown {
  if (reply.status < 200 || reply.status > 299) throw new UpstreamError(reply);
  return JSON.parse(reply.body);
}

/** A service answered, but not with success. */
export class UpstreamError extends Error {
  readonly reply: Reply;
  constructor(reply: Reply) {
    super(`answered ${reply.status}: ${reply.body.slice(0, 200)}`);
    this.reply = reply;
  }
}
