import type { TLSSocket } from "node:tls";

/** More than `verifyPeer` accepts, so that it sees when there were too many. */
const maxChainRead = 12;

/** DER of what the peer sent, leaf first; empty when it sent nothing. */
export function peerChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined && chain.length < maxChainRead) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
