import { createHash, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Logger } from "@heddle/core";
import type { ErrorResponse, HealthResponse } from "../admin-api/index.ts";

/** What a route answers. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** One call of the admin API. `isOpen` routes need no token. */
export interface AdminRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly isOpen?: boolean;
  readonly handle: (body: unknown) => Promise<AdminAnswer> | AdminAnswer;
}

export interface AdminServerOptions {
  /** host:port, port 0 for any free one. Loopback, unless the operator asked for something else. */
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly routes: readonly AdminRoute[];
  readonly logger: Logger;
}

const maxBodyBytes = 64 * 1024;

/** A mistake of the caller, with the status and the words for it. */
export class AdminProblem extends Error {
  readonly status: number;
  readonly hint: string;
  constructor(status: number, message: string, hint: string) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

/**
 * Serves the admin API over HTTP. Whoever can read the token file (0600) is the operator. The Host header must name a loopback
 * address, so that a page in a browser cannot reach it under a name of its own (DNS rebinding).
 */
export async function startAdminServer(options: AdminServerOptions): Promise<{ address: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    answer(request, options).then(
      ({ status, body }) => send(response, status, body),
      (error: unknown) => {
        if (error instanceof AdminProblem) return send(response, error.status, problem(error.message, error.hint));
        options.logger.error("an admin call failed", { path: request.url, error: error instanceof Error ? error.message : String(error) });
        send(response, 500, problem("the control plane failed to answer", "see its log"));
      },
    );
  });
  server.requestTimeout = 10_000;
  await listen(server, options.host, options.port);
  const { address, port } = server.address() as AddressInfo;
  return {
    address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(request: IncomingMessage, options: AdminServerOptions): Promise<AdminAnswer> {
  if (!isLoopbackHost(request.headers.host ?? "")) {
    throw new AdminProblem(403, "the Host header does not name a loopback address", "call 127.0.0.1 or localhost");
  }
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const candidates = options.routes.filter((route) => route.path === path);
  const isOpen = candidates.some((route) => route.isOpen === true);
  if (!isOpen && !isToken(request.headers.authorization, options.token)) {
    throw new AdminProblem(401, "the token is missing or wrong", "send `Authorization: Bearer <token>`; run.json holds it");
  }
  const route = candidates.find((candidate) => candidate.method === request.method);
  if (route !== undefined) return route.handle(route.method === "POST" ? await readJson(request) : undefined);
  if (candidates.length > 0) throw new AdminProblem(405, `${path} does not take ${request.method}`, `use ${candidates[0]!.method}`);
  throw new AdminProblem(404, `there is nothing at ${path}`, `known: ${options.routes.map((known) => known.path).join(", ")}`);
}

/** Compares digests, so that neither length nor content of the token shows in the time it takes. */
function isToken(header: string | undefined, token: string): boolean {
  const given = /^Bearer (\S+)$/i.exec(header ?? "")?.[1] ?? "";
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, "");
  return name === "localhost" || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new AdminProblem(413, `the body is longer than ${maxBodyBytes} bytes`, "send less");
    chunks.push(chunk);
  }
  if (bytes === 0) return {};
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new AdminProblem(400, "the body is not JSON", "send an object as application/json");
  }
}

function problem(error: string, hint: string): ErrorResponse {
  return { error, hint };
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
  response.end(`${JSON.stringify(body)}\n`);
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

/** `GET /api/v1/health`: the process answers. */
export const healthRoute: AdminRoute = {
  method: "GET",
  path: "/api/v1/health",
  isOpen: true,
  handle: () => ({ status: 200, body: { status: "ok" } satisfies HealthResponse }),
};
