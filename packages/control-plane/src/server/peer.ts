import type { Http2ServerRequest } from "node:http2";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { Clock } from "@heddle/core";
import { verifyPeer } from "@heddle/net";

/** The verified owner of a client certificate. */
export interface Peer {
  /** SPIFFE id. */
  readonly identity: string;
}

export type PeerResult =
  /** The client brought no certificate: it may only ask for one, with a join token. */
  | { readonly kind: "none" }
  | { readonly kind: "verified"; readonly peer: Peer }
  | { readonly kind: "refused"; readonly reason: string };

/**
 * Who is on the other end of a request's connection, by the one verification function of `@heddle/net`. Asked for each
 * request and not once per connection: a certificate that expires in the middle of a connection stops counting.
 */
export function peerOf(request: Http2ServerRequest, anchorsPem: string, trustDomain: string, clock: Clock): PeerResult {
  const socket = request.stream.session?.socket as TLSSocket | undefined;
  const chain = socket === undefined ? [] : certificateChain(socket);
  if (chain.length === 0) return { kind: "none" };
  const verified = verifyPeer(
    chain,
    { anchorsPem, usage: "client", trustDomains: [trustDomain], sanMatchers: [] },
    clock.wallMs(),
  );
  return verified.ok
    ? { kind: "verified", peer: { identity: verified.identity.uri } }
    : { kind: "refused", reason: verified.reason };
}

/** DER of what the peer sent, leaf first. Node links the chain by `issuerCertificate`; a root points at itself. */
function certificateChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  const seen = new Set<string>();
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.raw !== undefined && !seen.has(certificate.fingerprint256)) {
    seen.add(certificate.fingerprint256);
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
