import type { ClientSessionOptions, SecureClientSessionOptions } from "node:http2";
import type { Transport } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import type { Timers } from "../keep-alive.ts";
import { pingIntervalMs, pingTimeoutMs } from "../keep-alive.ts";

export interface AdsConnection {
  readonly transport: Transport;
  close(): void;
}

export interface DialOptions {
  /** `https://host:port`, or `http://` for a control plane behind a secured socket. */
  readonly url: string;
  /** TLS material, `createConnection` for other kinds of sockets. */
  readonly session?: ClientSessionOptions | SecureClientSessionOptions;
  /** How long connecting, TLS included, may take. */
  readonly connectTimeoutMs: number;
  readonly timers: Timers<unknown>;
}

/**
 * Opens an HTTP/2 connection for one gRPC stream, with a PING every 30 s that must be answered within 10 s.
 *
 * @throws when the connection cannot be made in time, or when `signal` aborts.
 */
export async function dialHttp2(options: DialOptions, signal: AbortSignal): Promise<AdsConnection> {
  const manager = new Http2SessionManager(
    options.url,
    // No PING without a stream: connect-node 2.2 sets that timer also when the last stream closes because its connection was
    // closed, and 30 s later the PING throws where nobody can catch it.
    { pingIntervalMs, pingTimeoutMs, pingIdleConnection: false },
    options.session,
  );
  const close = (): void => manager.abort();
  const onTimeout = (): void => manager.abort(new Error(`no connection after ${options.connectTimeoutMs} ms`));
  const timer = options.timers.setTimeout(onTimeout, options.connectTimeoutMs);
  signal.addEventListener("abort", close);
  try {
    const state = await manager.connect();
    if (state === "error") throw manager.error();
  } finally {
    options.timers.clearTimeout(timer);
    signal.removeEventListener("abort", close);
  }
  const transport = createGrpcTransport({ baseUrl: options.url, sessionManager: manager, acceptCompression: [] });
  return { transport, close };
}
