import type { Socket } from "node:net";
import type { TLSSocketOptions } from "node:tls";
import { connect, TLSSocket } from "node:tls";
import { peerChain } from "./peer-chain.ts";
import type { PeerIdentity } from "./peer-identity.ts";
import { verifyPeer } from "./peer-verification.ts";
import type { ResumableSession } from "./session-cache.ts";
import type { SocketFailure } from "./socket-failure.ts";
import { logKeysOf } from "./tls-key-log.ts";
import type { ClientTlsContext, ServerTlsContext } from "./tls-context.ts";

/** What a finished and accepted handshake agreed on. */
export interface TlsSession {
  readonly version: string;
  readonly cipher: string;
  /** Lower-case; empty: none. */
  readonly sni: string;
  /** Empty: none. */
  readonly alpn: string;
  readonly isResumed: boolean;
  /** undefined only where policy asks for no certificate, or lets clients do without. */
  readonly peer: PeerIdentity | undefined;
  readonly localPrincipal: string;
  /** Epoch of the context under which the session was made. */
  readonly epoch: number;
}

export type SessionOutcome =
  | { readonly ok: true; readonly session: TlsSession }
  | { readonly ok: false; readonly failure: SocketFailure };

/** A server side of TLS around an accepted socket. */
export function wrapServer(raw: Socket, context: ServerTlsContext): TLSSocket {
  const options: TLSSocketOptions = {
    isServer: true,
    secureContext: context.secureContext,
    requestCert: context.policy !== undefined,
    // Makes OpenSSL answer a missing certificate with the alert certificate_required. Nothing else is judged by it: whoever does show one meets `verifyPeer`.
    rejectUnauthorized: context.requirePeerCertificate,
    ...(context.alpnWire === undefined ? {} : { ALPNProtocols: context.alpnWire }),
  };
  const socket = new TLSSocket(raw, options);
  logKeysOf(socket);
  return socket;
}

/** A client side of TLS around a connected socket. @param address of the server, whose sessions may be resumed */
export function wrapClient(raw: Socket, context: ClientTlsContext, address: string): TLSSocket {
  const { sessions } = context;
  const session = sessions.take(address);
  const socket = connect({
    socket: raw,
    ...(session === undefined ? {} : { session: session.ticket }),
    secureContext: context.secureContext,
    // The runtime's own check knows roots and host names, not identities; `verifyPeer` decides instead.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(context.sni === "" ? {} : { servername: context.sni }),
    ...(context.alpnWire === undefined ? {} : { ALPNProtocols: context.alpnWire }),
  });
  logKeysOf(socket);
  if (session !== undefined) offered.set(socket, { address, session });
  socket.on("session", (ticket: Buffer) => {
    const chainDer = chainOf(socket);
    if (chainDer.length > 0) sessions.put(address, { ticket, chainDer });
  });
  return socket;
}

/** Of clients' sockets that offered a session: which one. */
const offered = new WeakMap<TLSSocket, { readonly address: string; readonly session: ResumableSession }>();

/**
 * What the peer sent, leaf first. A resumed handshake has no certificate message: the server side finds the leaf in the ticket, a client
 * remembers whose session it offered. Only the server of that session can have finished the handshake (RFC 8446 §2.2).
 */
function chainOf(socket: TLSSocket): readonly Buffer[] {
  const chain = peerChain(socket);
  if (chain.length > 0 || !socket.isSessionReused()) return chain;
  return offered.get(socket)?.session.chainDer ?? [];
}

/** Judges the peer of a handshake that OpenSSL has finished, also of a resumed one. */
export function establishSession(
  socket: TLSSocket,
  context: ServerTlsContext | ClientTlsContext,
  wallMs: number,
): SessionOutcome {
  const sni = socket.servername;
  const sniText = typeof sni === "string" ? sni.toLowerCase() : "";
  if (context.role === "server" && context.requireSni && sniText === "") {
    return refused(
      context.role,
      "downstream_protocol_error",
      "the client sent no server name (SNI), which is required here",
    );
  }
  let peer: PeerIdentity | undefined;
  if (context.policy !== undefined) {
    const chain = chainOf(socket);
    const isOptional = context.role === "server" && !context.requirePeerCertificate;
    if (chain.length > 0 || !isOptional) {
      const verdict = verifyPeer(chain, context.policy, wallMs);
      if (!verdict.ok) return refused(context.role, verdict.code, verdict.reason);
      peer = verdict.identity;
    }
  }
  if (context.role === "client") keepResumed(socket, context);
  return {
    ok: true,
    session: {
      version: socket.getProtocol() ?? "",
      cipher: socket.getCipher().standardName,
      sni: context.role === "client" ? context.sni : sniText,
      alpn: typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "",
      isResumed: socket.isSessionReused(),
      peer,
      localPrincipal: context.localPrincipal,
      epoch: context.epoch,
    },
  };
}

/**
 * OpenSSL's servers take a ticket again and give no new one to who resumes. That its use links connections (RFC 8446 appendix C.4) tells
 * nobody more than the certificates do that both sides show. A session whose server was refused is not kept.
 */
function keepResumed(socket: TLSSocket, { sessions }: ClientTlsContext): void {
  const used = offered.get(socket);
  if (used !== undefined && socket.isSessionReused()) sessions.put(used.address, used.session);
}

/** As client, a refused server is one failed connection attempt of its endpoint; the code in the text tells which rule refused it. */
function refused(role: "server" | "client", code: SocketFailure["code"], reason: string): SessionOutcome {
  return {
    ok: false,
    failure: {
      kind: "peer",
      code: role === "server" ? code : "upstream_peer_rejected",
      text: `TLS error: ${reason}`,
      cause: code,
    },
  };
}
