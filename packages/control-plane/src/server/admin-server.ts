import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, OutgoingHttpHeaders, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "@heddle/core";
import { formatAddress } from "@heddle/net";
import type { ErrorResponse } from "../admin-api/index.ts";

/** What a route answers: a value as JSON, or text of another type. */
export type AdminAnswer =
  | { readonly status: number; readonly body: unknown }
  | { readonly status: number; readonly contentType: string; readonly text: string };

/** One call of the admin API. `isOpen` routes need no token. */
export interface AdminRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly isOpen?: boolean;
  readonly handle: (body: unknown) => Promise<AdminAnswer> | AdminAnswer;
}

export interface AdminServerOptions {
  /** Loopback, unless the operator asked for something else. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly token: string;
  readonly routes: readonly AdminRoute[];
  readonly logger: Logger;
}

const maxBodyBytes = 64 * 1024;
/** For a whole request with its body. */
const requestTimeoutMs = 10_000;

/** A mistake of the caller, with the status and the words for it. */
export class AdminProblem extends Error {
  readonly status: number;
  readonly hint: string;
  readonly headers: OutgoingHttpHeaders;
  constructor(status: number, message: string, hint: string, headers: OutgoingHttpHeaders = {}) {
    super(message);
    this.status = status;
    this.hint = hint;
    this.headers = headers;
  }
}

/**
 * Serves the admin API over HTTP. Whoever can read the token file (0600) is the operator. The Host header must name a loopback
 * address or the address that was asked for, so that a page in a browser cannot reach it under a name of its own (DNS rebinding).
 * Rejects with Node's error when the port cannot be had.
 */
export async function startAdminServer(
  options: AdminServerOptions,
): Promise<{ address: string; close: () => Promise<void> }> {
  const { logger } = options;
  const server = createServer((request, response) => {
    answer(request, options).then(
      (result) => send(response, result),
      (error: unknown) => {
        if (error instanceof AdminProblem) return refuse(response, error);
        // The caller went away in the middle: nobody is left to tell, and nothing is wrong here.
        if (request.destroyed && !request.complete) return;
        logger.error("an admin call failed", {
          path: request.url,
          error: error instanceof Error ? error.message : String(error),
        });
        refuse(response, new AdminProblem(500, "the control plane failed to answer", "see its log"));
      },
    );
  });
  server.requestTimeout = requestTimeoutMs;
  server.headersTimeout = requestTimeoutMs;
  await listen(server, options.host, options.port);
  // Later errors are of one connection that could not be taken (no descriptor left); the others go on.
  server.on("error", (error) => logger.error("an admin connection could not be accepted", { error: error.message }));
  const { address, port } = server.address() as AddressInfo;
  return {
    address: formatAddress(address, port),
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      return closed;
    },
  };
}

async function answer(request: IncomingMessage, options: AdminServerOptions): Promise<AdminAnswer> {
  if (!isAllowedHost(request.headers.host ?? "", options.host)) {
    throw new AdminProblem(403, "the Host header does not name a loopback address", "call 127.0.0.1 or localhost");
  }
  const path = URL.parse(request.url ?? "", "http://localhost")?.pathname;
  if (path === undefined) throw new AdminProblem(400, "the request target is not a path", "begin it with /api/v1/");
  const candidates = options.routes.filter((route) => route.path === path);
  const isOpen = candidates.some((route) => route.isOpen === true);
  if (!isOpen && !isToken(request.headers.authorization, options.token)) {
    const hint = "send `Authorization: Bearer <token>`; run.json holds it";
    // RFC 9110 §15.5.2: a 401 names the scheme.
    throw new AdminProblem(401, "the token is missing or wrong", hint, { "www-authenticate": "Bearer" });
  }
  const route = candidates.find((candidate) => candidate.method === request.method);
  if (route !== undefined) return route.handle(route.method === "POST" ? await readJson(request) : undefined);
  if (candidates.length > 0) {
    const allow = candidates.map(({ method }) => method).join(", ");
    // RFC 9110 §15.5.6: a 405 says what is allowed.
    throw new AdminProblem(405, `${path} does not take ${request.method}`, `use ${allow}`, { allow });
  }
  const known = options.routes.map((route) => route.path).join(", ");
  throw new AdminProblem(404, `there is nothing at ${path}`, `known: ${known}`);
}

/** Compares digests, so that neither length nor content of the token shows in the time it takes. */
function isToken(header: string | undefined, token: string): boolean {
  const given = /^Bearer (\S+)$/i.exec(header ?? "")?.[1] ?? "";
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function isAllowedHost(header: string, bound: string): boolean {
  const name = header.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name) || name === bound;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const bytes = await readBody(request);
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new AdminProblem(400, "the body is not JSON", "send an object as application/json");
  }
}

/** Not by iteration: leaving that early destroys the socket, and the caller would never read why. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) chunks.push(chunk);
      else reject(new AdminProblem(413, `the body is longer than ${maxBodyBytes} bytes`, "send less"));
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
  });
}

function refuse(response: ServerResponse, problem: AdminProblem): void {
  send(
    response,
    { status: problem.status, body: { error: problem.message, hint: problem.hint } satisfies ErrorResponse },
    problem.headers,
  );
}

function send(response: ServerResponse, answer: AdminAnswer, headers: OutgoingHttpHeaders = {}): void {
  const [contentType, text] =
    "text" in answer
      ? [answer.contentType, answer.text]
      : ["application/json; charset=utf-8", `${JSON.stringify(answer.body)}\n`];
  response.writeHead(answer.status, { ...headers, "content-type": contentType, "cache-control": "no-store" });
  response.end(text);
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
