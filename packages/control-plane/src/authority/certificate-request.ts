import { Pkcs10CertificateRequest, SubjectAlternativeNameExtension } from "./x509.ts";

export type ReadRequest =
  | { readonly ok: true; readonly request: Pkcs10CertificateRequest; readonly identity: string }
  | { readonly ok: false; readonly reason: string };

/** Longest request that is read, in characters: a P-256 request takes some 600. */
const maxLength = 16_384;

/**
 * Reads a PKCS #10 request: its signature proves the key, and it must name exactly one URI, the SPIFFE id that is asked
 * for (SPIFFE X509-SVID §2). Keys: P-256 or P-384. Whatever is wrong comes back as a reason; nothing throws.
 */
export async function readCertificateRequest(pem: string): Promise<ReadRequest> {
  if (pem.length > maxLength) return refuse(`the request has ${pem.length} characters; at most ${maxLength} are read`);
  let request: Pkcs10CertificateRequest;
  let names: readonly { readonly type: string; readonly value: string }[];
  try {
    request = new Pkcs10CertificateRequest(pem);
    names = request
      .getExtensions("2.5.29.17")
      .flatMap((extension) => new SubjectAlternativeNameExtension(extension.rawData).names.items);
  } catch {
    // The library's messages speak of ASN.1 offsets; the sender needs to know what was expected.
    return refuse("it is not a PKCS #10 request in PEM");
  }
  const uris = names.filter((name) => name.type === "url");
  const [only] = uris;
  if (only === undefined) return refuse("it names no URI: the SPIFFE id must stand in the subject alternative name");
  if (uris.length > 1) return refuse(`it names ${uris.length} URIs; an X509-SVID has exactly one`);
  const { algorithm } = request.publicKey;
  const curve = (algorithm as { namedCurve?: string }).namedCurve;
  if (algorithm.name !== "ECDSA" || (curve !== "P-256" && curve !== "P-384")) {
    return refuse(`its key is ${algorithm.name}${curve === undefined ? "" : ` ${curve}`}; P-256 and P-384 are signed`);
  }
  try {
    if (!(await request.verify())) return refuse("its signature does not match its key");
  } catch {
    return refuse("its signature cannot be checked");
  }
  return { ok: true, request, identity: only.value };
}

function refuse(reason: string): ReadRequest {
  return { ok: false, reason: `the certificate request is refused: ${reason}` };
}
