import assert from "node:assert/strict";
import { once } from "node:events";
import {
  createServer,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { BoundCluster } from "@heddle/engine";
import { type ClusterChanges, makeCluster } from "./fixture.ts";

// The far end of carriers, and clusters whose endpoints are reached there.

/** A server that answers when it is told to, and counts its connections. */
export async function startServer(
  t: TestContext,
  settings: Settings = {},
): Promise<{ server: Http2Server; port: number; sessions: () => number }> {
  const server = createServer({ settings });
  let sessions = 0;
  server.on("session", (session) => {
    sessions += 1;
    // One that has said GOAWAY and has no streams reads no more: it does not see its client close.
    t.after(() => session.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { server, port: (server.address() as AddressInfo).port, sessions: () => sessions };
}

export const noContent = "HTTP/1.1 204 No Content\r\n\r\n";

/** A server at the far end of carriers: each connection inside answers what comes. */
export async function startInside(
  t: TestContext,
  answer: (stream: ServerHttp2Stream, count: number) => void = (stream) => stream.write(noContent),
): Promise<{ port: number; streams: ServerHttp2Stream[]; carriers: ServerHttp2Session[] }> {
  const { server, port } = await startServer(t);
  const streams: ServerHttp2Stream[] = [];
  const carriers: ServerHttp2Session[] = [];
  server.on("session", (session) => carriers.push(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    streams.push(stream);
    let count = 0;
    stream.on("error", () => stream.destroy());
    stream.on("end", () => stream.end());
    stream.respond({ ":status": 200 });
    stream.on("data", () => answer(stream, (count += 1)));
  });
  return { port, streams, carriers };
}

/** How streams ended: 0 is in order. */
export async function endsOf(streams: readonly ServerHttp2Stream[]): Promise<number[]> {
  for (const stream of streams) if (!stream.closed) await once(stream, "close");
  return streams.map(({ rstCode }) => rstCode);
}

/** An endpoint whose proxy takes carriers at a port. */
export function tunnelled(
  port: number,
  changes: ClusterChanges = {},
  maxConnectionDurationMs = 0,
  keepAlive?: BoundCluster["config"]["http2"]["keepAlive"],
): BoundCluster {
  return tunnelledFrom(0, port, port, changes, maxConnectionDurationMs, keepAlive);
}

/** As many requests at once as this ride inside carriers, fewer on connections by themselves at a port of their own. */
export function tunnelledFrom(
  minConcurrentRequests: number,
  port: number,
  carrierPort: number,
  changes: ClusterChanges = {},
  maxConnectionDurationMs = 0,
  keepAlive?: BoundCluster["config"]["http2"]["keepAlive"],
): BoundCluster {
  const config = makeCluster([port]).config;
  const http2 = keepAlive === undefined ? config.http2 : { ...config.http2, keepAlive };
  const tunnel = { match: "tunnel", http2, maxConnectionDurationMs, minConcurrentRequests };
  const cluster = makeCluster([port], { tunnel, ...changes });
  const [carrier] = makeCluster([carrierPort]).endpoints;
  assert.ok(carrier);
  const endpoints = cluster.endpoints.map((endpoint) => ({
    ...endpoint,
    tunnel: { authority: "127.0.0.1:8080", carrier },
  }));
  return { ...cluster, endpoints };
}
