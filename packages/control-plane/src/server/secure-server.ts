import { constants } from "node:crypto";
import { createSecureServer } from "node:http2";
import type { Http2ServerRequest, Http2SecureServer, ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import type { ConnectRouter } from "@connectrpc/connect";
import { createContextValues } from "@connectrpc/connect";
import type { ContextValues } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import type { Logger } from "@heddle/core";
import { keepAlive } from "@heddle/xds/server";
import type { ServerCredentials } from "../authority/certificate-authority.ts";

export interface SecureServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: ServerCredentials;
  readonly rootPem: string;
  readonly routes: (router: ConnectRouter) => void;
  /** Called for each request: puts what is known of the caller where the services find it. */
  readonly identify: (request: Http2ServerRequest, values: ContextValues) => void;
  readonly logger: Logger;
}

export interface SecureServer {
  /** host:port as bound. */
  readonly address: string;
  /** Takes a new certificate for connections from now on. */
  renew(credentials: ServerCredentials): void;
  close(): Promise<void>;
}

/**
 * The control plane's door for proxies: gRPC over TLS 1.3. A client certificate is asked for but not demanded by TLS,
 * since a proxy that joins has none yet; the services demand what they need.
 */
export async function startSecureServer(options: SecureServerOptions): Promise<SecureServer> {
  const { logger } = options;
  const server = createSecureServer(
    {
      ...tlsMaterial(options.credentials, options.rootPem),
      minVersion: "TLSv1.3",
      requestCert: true,
      // Verification is `peerOf`, for each request: a handshake that fails tells a client nothing it can read.
      rejectUnauthorized: false,
      // No tickets: a resumed session would bring no certificate chain to verify.
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    connectNodeAdapter({
      routes: options.routes,
      contextValues: (request) => {
        const values = createContextValues();
        options.identify(request as Http2ServerRequest, values);
        return values;
      },
    }),
  );
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.on("close", () => sessions.delete(session));
    session.on("error", (error) => logger.debug("a proxy's connection failed", { error: error.message }));
    keepAlive(session, { setTimeout, clearTimeout });
  });
  server.on("tlsClientError", (error) => logger.debug("a TLS handshake failed", { error: error.message }));
  await listen(server, options.host, options.port);
  const { address, port } = server.address() as AddressInfo;
  return {
    address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
    renew: (credentials) => server.setSecureContext(tlsMaterial(credentials, options.rootPem)),
    close: () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.destroy();
      return closed;
    },
  };
}

function tlsMaterial(credentials: ServerCredentials, rootPem: string): { key: string; cert: string; ca: string } {
  return {
    key: credentials.keyPem.reveal(),
    cert: credentials.certificate.chainPem.join("\n"),
    ca: rootPem,
  };
}

function listen(server: Http2SecureServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
