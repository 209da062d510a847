import type { Socket } from "node:net";
import type { TLSSocketOptions } from "node:tls";
import { connect, TLSSocket } from "node:tls";
import { peerChain } from "./peer-chain.ts";
import type { PeerIdentity } from "./peer-identity.ts";
import { verifyPeer } from "./peer-verification.ts";
import type { SocketFailure } from "./socket-failure.ts";
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
  return new TLSSocket(raw, options);
}

/** A client side of TLS around a connected socket. */
export function wrapClient(raw: Socket, context: ClientTlsContext): TLSSocket {
  return connect({
    socket: raw,
    secureContext: context.secureContext,
    // The runtime's own check knows roots and host names, not identities; `verifyPeer` decides instead.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(context.sni === "" ? {} : { servername: context.sni }),
    ...(context.alpnWire === undefined ? {} : { ALPNProtocols: context.alpnWire }),
  });
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
    const chain = peerChain(socket);
    const isOptional = context.role === "server" && !context.requirePeerCertificate;
    if (chain.length > 0 || !isOptional) {
      const verdict = verifyPeer(chain, context.policy, wallMs);
      if (!verdict.ok) return refused(context.role, verdict.code, verdict.reason);
      peer = verdict.identity;
    }
  }
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
