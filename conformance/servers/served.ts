import { fileURLToPath } from "node:url";
import { ServerProgram } from "../program.ts";
import type { Protocol, Served, Site } from "../suite.ts";

/** Starts `origin.ts`: Node's own servers, one application on all protocols. */
export async function serveOrigin({ tls }: Site): Promise<Served> {
  const path = fileURLToPath(new URL("origin.ts", import.meta.url));
  const { server, match } = await ServerProgram.start(process.execPath, [path, tls.certificate, tls.key], /\{.*\}/);
  const ports = JSON.parse(match[0]) as Record<Protocol, number>;
  return { ports, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

/** Starts `ws-echo.ts`. */
export async function serveWebSockets(): Promise<Served> {
  const path = fileURLToPath(new URL("ws-echo.ts", import.meta.url));
  const { server, match } = await ServerProgram.start(process.execPath, [path], /port (\d+)/);
  return { ports: { h1: Number(match[1]) }, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
