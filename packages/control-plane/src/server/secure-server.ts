import { constants } from "node:crypto";
import { createSecureServer } from "node:http2";
import type { Http2SecureServer, SecureServerOptions as NodeServerOptions } from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import { formatAddress } from "@heddle/net";
import { keepAlive } from "@heddle/xds/server";
import type { ServerCredentials } from "../authority/certificate-authority.ts";
import type { RpcHandlerOptions } from "./rpc-handler.ts";
import { rpcHandler } from "./rpc-handler.ts";

export interface SecureServerOptions extends RpcHandlerOptions {
  readonly host: string;
  readonly port: number;
  /** A bound socket of the parent's that stands for host and port: it is listened on in place of one of this process. */
  readonly descriptor?: number;
  readonly credentials: ServerCredentials;
  readonly rootPem: string;
}

export interface SecureServer {
  /** host:port as bound. */
  readonly address: string;
  readonly port: number;
  /** Takes a new certificate for connections from now on. */
  renew(credentials: ServerCredentials): void;
  close(): Promise<void>;
}

/** A handshake takes milliseconds; who takes longer holds a descriptor and sends nothing. */
const handshakeTimeoutMs = 10_000;
/** A proxy needs one for ADS and one for certificates. */
const maxConcurrentStreams = 100;

/**
 * The control plane's door for proxies: gRPC over TLS 1.3. A client certificate is asked for but not demanded by TLS,
 * since a proxy that joins has none yet; the services demand what they need. Rejects with Node's error when the port
 * cannot be had.
 */
export async function startSecureServer(options: SecureServerOptions): Promise<SecureServer> {
  const { logger, rootPem } = options;
  const server = createSecureServer(
    {
      ...tlsContext(options.credentials, rootPem),
      requestCert: true,
      // Verification is `PeerVerifier`, for each request: a handshake that fails tells a client nothing it can read.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
      settings: { maxConcurrentStreams },
    },
    rpcHandler(options),
  );
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("session", (session) => {
    session.on("error", (error) => logger.debug("a proxy's connection failed", { error: error.message }));
    keepAlive(session, { setTimeout, clearTimeout });
  });
  server.on("tlsClientError", (error) => logger.debug("a TLS handshake failed", { error: error.message }));
  await listen(server, options);
  // Later errors are of one connection that could not be taken (no descriptor left); the door stays open.
  server.on("error", (error) => logger.error("a connection could not be accepted", { error: error.message }));
  const { address, port } = server.address() as AddressInfo;
  return {
    address: formatAddress(address, port),
    port,
    renew: (credentials) => server.setSecureContext(tlsContext(credentials, rootPem)),
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Also those that have not finished their handshake and so have no session.
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}

/** Everything that `setSecureContext` would otherwise put back to Node's defaults. */
function tlsContext(credentials: ServerCredentials, rootPem: string): NodeServerOptions {
  return {
    key: credentials.keyPem.reveal(),
    cert: credentials.certificate.chainPem.join("\n"),
    ca: rootPem,
    minVersion: "TLSv1.3",
    // No tickets: a resumed session would bring no certificate chain to verify.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function listen(server: Http2SecureServer, { host, port, descriptor }: SecureServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(descriptor === undefined ? { port, host } : { fd: descriptor }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
