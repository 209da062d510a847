/** A valid SPIFFE ID, taken apart. */
export interface SpiffeId {
  readonly trustDomain: string;
  /** With its leading slash; empty for the ID of a trust domain itself. */
  readonly path: string;
  /** The parts of Istio's path `/ns/<namespace>/sa/<service account>`; both empty when the path has another form. */
  readonly namespace: string;
  readonly serviceAccount: string;
}

const scheme = "spiffe://";

/** SPIFFE-ID §2.3: an ID may be up to 2048 bytes, and a trust domain name up to 255. */
const maxIdBytes = 2048;
const maxTrustDomainBytes = 255;

const trustDomainPattern = /^[a-z0-9._-]+$/;
const segmentPattern = /^[a-zA-Z0-9._-]+$/;

/**
 * Reads a SPIFFE ID by the letter of the SPIFFE-ID specification §2: lower-case scheme and trust domain of `[a-z0-9.-_]`; path segments
 * of `[a-zA-Z0-9.-_]`, none empty, `.` or `..`; no user information, port, query, fragment, percent-encoding or trailing slash.
 *
 * @returns undefined for anything else, so that two spellings never name one identity
 */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  // Every character that the patterns below accept is one byte, so lengths in code units are lengths in bytes.
  if (uri.length > maxIdBytes || !uri.startsWith(scheme)) return undefined;
  const slash = uri.indexOf("/", scheme.length);
  const trustDomain = slash === -1 ? uri.slice(scheme.length) : uri.slice(scheme.length, slash);
  if (trustDomain.length > maxTrustDomainBytes || !trustDomainPattern.test(trustDomain)) return undefined;
  if (slash === -1) return { trustDomain, path: "", namespace: "", serviceAccount: "" };

  const path = uri.slice(slash);
  const segments = path.slice(1).split("/");
  for (const segment of segments) {
    if (segment === "." || segment === ".." || !segmentPattern.test(segment)) return undefined;
  }
  const [ns, namespace = "", sa, serviceAccount = ""] = segments;
  if (segments.length === 4 && ns === "ns" && sa === "sa") return { trustDomain, path, namespace, serviceAccount };
  return { trustDomain, path, namespace: "", serviceAccount: "" };
}

/** `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`; the parts must be valid, which {@link parseSpiffeId} tells. */
export function formatSpiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `${scheme}${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}
