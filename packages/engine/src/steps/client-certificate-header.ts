import type { PeerView } from "../bind/connection.ts";
import type { HttpConnectionManagerConfig } from "../config/http-connection-manager.ts";
import type { RequestRecord } from "./request-record.ts";
import { appendToList } from "./forwarded-for.ts";

const name = "x-forwarded-client-cert";

/**
 * `x-forwarded-client-cert` (Envoy's mutateXfccRequestHeader): removed when it is to be sanitised or the connection is not
 * mutual TLS, passed on, appended to, or replaced by what this connection verified.
 */
export function setClientCertificateHeader(config: HttpConnectionManagerConfig, req: RequestRecord): void {
  const mode = config.forwardClientCert;
  if (mode === "always-forward-only") return;
  const { peer } = req.connection;
  if (mode === "sanitize" || peer === undefined) {
    req.headers.remove(name);
    return;
  }
  if (mode === "forward-only") return;
  const element = clientCertificateElement(config.setCurrentClientCert, peer, req.connection.localPrincipal);
  if (mode === "append-forward") appendToList(req.headers, name, element);
  else req.headers.set(name, element);
}

function clientCertificateElement(
  wanted: HttpConnectionManagerConfig["setCurrentClientCert"],
  peer: PeerView,
  localPrincipal: string,
): string {
  const parts: string[] = [];
  if (localPrincipal !== "") parts.push(`By=${localPrincipal}`);
  if (peer.sha256 !== "") parts.push(`Hash=${peer.sha256}`);
  if (wanted.cert && peer.certificatePem !== "") parts.push(`Cert="${encodePem(peer.certificatePem)}"`);
  if (wanted.chain && peer.chainPem !== "") parts.push(`Chain="${encodePem(peer.chainPem)}"`);
  if (wanted.subject) parts.push(`Subject="${peer.subject.replaceAll('"', '\\"')}"`);
  if (wanted.uri) {
    if (peer.uriSans.length === 0) parts.push("URI=");
    else for (const uri of peer.uriSans) parts.push(`URI=${uri}`);
  }
  if (wanted.dns) for (const dns of peer.dnsSans) parts.push(`DNS=${dns}`);
  return parts.join(";");
}

/** What Envoy's URL encoding of a PEM escapes: line feeds, blanks and the characters that the header's syntax uses. */
function encodePem(pem: string): string {
  return pem
    .replaceAll("\n", "%0A")
    .replaceAll(" ", "%20")
    .replaceAll("+", "%2B")
    .replaceAll("/", "%2F")
    .replaceAll("=", "%3D");
}
