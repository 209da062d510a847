import type { ErrorCode } from "@heddle/core";
import type { Certificate } from "./certificate.ts";
import { hasKeyUsage, keyPurpose, keyUsageBit } from "./certificate.ts";
import { KnownCertificates } from "./known-certificates.ts";
import { PeerIdentity } from "./peer-identity.ts";
import type { RevocationList } from "./revocation-list.ts";
import type { SpiffeId } from "@heddle/core";
import { parseSpiffeId } from "@heddle/core";
import type { IntermediatePool, TrustAnchors } from "./trust-anchors.ts";

/** One accepted name; a peer needs one name that one matcher accepts. */
export interface SanMatcher {
  readonly type: "uri" | "dns" | "ip" | "email";
  matches(value: string): boolean;
  /** What is expected, for the message of a refusal. */
  readonly description: string;
}

export interface PeerPolicy {
  readonly anchors: TrustAnchors;
  /** What the peer acts as in the connection: the extended key usage that its certificate must allow. */
  readonly usage: "client" | "server";
  /** Empty: any name that the anchors vouch for. */
  readonly sanMatchers: readonly SanMatcher[];
  /** A name that the peer needs beside one of those. */
  readonly requiredName?: SanMatcher;
  /** Accepted trust domains; empty or absent: any. Implies `requireSpiffeId` when not empty. */
  readonly trustDomains?: readonly string[];
  /** The peer must have a SPIFFE ID. A certificate that claims one is held to SPIFFE's rules in any case. */
  readonly requireSpiffeId: boolean;
  /** When given, every authority on the path must have a current list here, as Envoy's `crl` demands. */
  readonly revocations?: readonly RevocationList[];
  /** Read to complete a path and filled from verified chains; see `KnownIntermediates`. */
  readonly knownIntermediates?: IntermediatePool;
}

export interface PeerRefusal {
  readonly ok: false;
  readonly code: ErrorCode;
  /** For the operator: names the certificate and what is wrong with it. */
  readonly reason: string;
}

export type PeerVerdict = { readonly ok: true; readonly identity: PeerIdentity } | PeerRefusal;

/** Certificates looked at of what a peer sends; OpenSSL's own bound is 100, real chains have at most four. */
const maxChainLength = 10;

/** One for all connections of the thread. */
const known = new KnownCertificates();

/** Signatures checked for one peer: chains of look-alike issuers must not buy unbounded work. */
const maxSignatureChecks = 24;

/**
 * Decides whether a peer is who it says: the one function that does, for every TLS connection in either direction, on full handshakes and on resumed
 * sessions. RFC 5280 §6 for the path (signatures, dates, CA flag, key usage, path length, revocation; unknown critical extensions and name constraints
 * refuse), then the SPIFFE X.509-SVID rules §4 and §5, then trust domain, then names.
 *
 * @param chainDer what the peer sent, leaf first; order and completeness of the rest do not matter
 * @param wallMs wall-clock time in epoch milliseconds
 */
export function verifyPeer(chainDer: readonly Buffer[], policy: PeerPolicy, wallMs: number): PeerVerdict {
  const leafDer = chainDer[0];
  if (leafDer === undefined) return refuse("peer_missing", "the peer sent no certificate");
  if (chainDer.length > maxChainLength)
    return refuse("peer_untrusted", `the peer sent ${chainDer.length} certificates`);
  const chain: Certificate[] = [];
  for (const der of chainDer) {
    const certificate = known.parse(der);
    if (certificate === undefined) return refuse("peer_untrusted", "a certificate of the peer's chain is malformed");
    chain.push(certificate);
  }
  const leaf = chain[0];
  if (leaf === undefined) return refuse("peer_missing", "the peer sent no certificate");

  const path = new PathSearch(chain, policy, wallMs).find(leaf);
  if (!Array.isArray(path)) return path;
  const usage = checkLeafUsage(leaf, policy);
  if (usage !== undefined) return usage;
  const spiffeId = checkSpiffeId(leaf, policy);
  if (spiffeId !== undefined && "ok" in spiffeId) return spiffeId;
  const names = checkNames(leaf, policy.sanMatchers);
  if (names !== undefined) return names;
  const required = policy.requiredName === undefined ? undefined : checkNames(leaf, [policy.requiredName]);
  if (required !== undefined) return required;

  // Of what it sent beside its path only a root: that is what many send, and nothing else is anybody's.
  for (const certificate of chain)
    if (path.includes(certificate) || policy.anchors.has(certificate)) known.remember(certificate);
  for (const intermediate of path.slice(1)) policy.knownIntermediates?.add(intermediate);
  return {
    ok: true,
    identity: new PeerIdentity(
      leaf,
      spiffeId,
      path.map((certificate) => certificate.der),
    ),
  };
}

/** Depth-first search for a path from the leaf to an anchor. */
class PathSearch {
  readonly #candidates: readonly Certificate[];
  readonly #policy: PeerPolicy;
  readonly #wallMs: number;
  #signatureChecks = 0;
  /** The first thing that spoiled an otherwise complete step: more telling than "no path". */
  #nearMiss: PeerRefusal | undefined;

  constructor(chain: readonly Certificate[], policy: PeerPolicy, wallMs: number) {
    this.#candidates = chain.slice(1);
    this.#policy = policy;
    this.#wallMs = wallMs;
  }

  /** The path, leaf first, without its anchor. */
  find(leaf: Certificate): Certificate[] | PeerRefusal {
    const leafProblem = this.#checkDates(leaf) ?? checkExtensions(leaf);
    if (leafProblem !== undefined) {
      // An expired leaf of a stranger is a stranger's first of all, but saying "expired" helps more and grants nothing.
      return leafProblem;
    }
    const path = [leaf];
    if (this.#extend(path)) return path;
    return this.#nearMiss ?? refuse("peer_untrusted", `${nameOf(leaf)} is signed by no trusted authority`);
  }

  #extend(path: Certificate[]): boolean {
    const child = path[path.length - 1];
    if (child === undefined) return false;
    for (const anchor of this.#policy.anchors.bySubject(child.issuerKey)) {
      if (this.#vouches(anchor, child, path.length - 1)) return true;
    }
    if (path.length >= maxChainLength) return false;
    const intermediates = this.#policy.knownIntermediates?.bySubject(child.issuerKey) ?? [];
    for (const issuer of [...this.#candidates, ...intermediates]) {
      if (issuer.subjectKey !== child.issuerKey || path.includes(issuer)) continue;
      if (!this.#vouches(issuer, child, path.length - 1)) continue;
      path.push(issuer);
      if (this.#extend(path)) return true;
      path.pop();
    }
    return false;
  }

  /** @param below number of intermediates between this issuer and the leaf */
  #vouches(issuer: Certificate, child: Certificate, below: number): boolean {
    const { subjectKeyId } = issuer;
    if (child.authorityKeyId !== undefined && subjectKeyId !== undefined && child.authorityKeyId !== subjectKeyId)
      return false;
    if (this.#signatureChecks >= maxSignatureChecks) return false;
    this.#signatureChecks += 1;
    if (!known.isSignedBy(child, issuer)) return false;
    const problem = this.#checkIssuer(issuer, below) ?? this.#checkRevocation(issuer, child);
    if (problem === undefined) return true;
    this.#nearMiss ??= problem;
    return false;
  }

  #checkIssuer(issuer: Certificate, below: number): PeerRefusal | undefined {
    if (!issuer.isCa) return refuse("peer_untrusted", `${nameOf(issuer)} signed a certificate but is no authority`);
    if (issuer.keyUsage !== undefined && !hasKeyUsage(issuer, keyUsageBit.keyCertSign)) {
      return refuse("peer_untrusted", `${nameOf(issuer)} may not sign certificates (key usage)`);
    }
    if (issuer.pathLength !== undefined && below > issuer.pathLength) {
      return refuse("peer_untrusted", `${nameOf(issuer)} allows fewer intermediates below itself than there are`);
    }
    if (issuer.keyPurposes !== undefined && !allowsPurpose(issuer.keyPurposes, this.#policy.usage, true)) {
      return refuse(
        "peer_wrong_usage",
        `${nameOf(issuer)} may not vouch for TLS ${this.#policy.usage}s (extended key usage)`,
      );
    }
    return checkExtensions(issuer) ?? this.#checkDates(issuer);
  }

  #checkDates(certificate: Certificate): PeerRefusal | undefined {
    if (this.#wallMs > certificate.notAfterMs) {
      return refuse(
        "peer_expired",
        `${nameOf(certificate)} expired at ${isoTime(certificate.notAfterMs)}, it is ${isoTime(this.#wallMs)}`,
      );
    }
    if (this.#wallMs < certificate.notBeforeMs) {
      return refuse(
        "peer_not_yet_valid",
        `${nameOf(certificate)} is valid from ${isoTime(certificate.notBeforeMs)}, it is ${isoTime(this.#wallMs)}: compare the hosts' clocks`,
      );
    }
    return undefined;
  }

  #checkRevocation(issuer: Certificate, child: Certificate): PeerRefusal | undefined {
    const { revocations } = this.#policy;
    if (revocations === undefined) return undefined;
    let hasCurrentList = false;
    for (const list of revocations) {
      if (list.issuerKey !== issuer.subjectKey || !list.isSignedBy(issuer)) continue;
      if (list.revokedSerials.has(child.serial)) return refuse("peer_revoked", `${nameOf(child)} has been revoked`);
      const isCurrent =
        list.thisUpdateMs <= this.#wallMs && (list.nextUpdateMs === undefined || this.#wallMs <= list.nextUpdateMs);
      hasCurrentList ||= isCurrent;
    }
    if (hasCurrentList) return undefined;
    return refuse("peer_untrusted", `there is no current revocation list of ${nameOf(issuer)}`);
  }
}

function checkExtensions(certificate: Certificate): PeerRefusal | undefined {
  if (certificate.unsupported === undefined) return undefined;
  return refuse(
    "peer_untrusted",
    `${nameOf(certificate)} has an extension that is not supported: ${certificate.unsupported}`,
  );
}

function checkLeafUsage(leaf: Certificate, policy: PeerPolicy): PeerRefusal | undefined {
  const isSvid = claimsSpiffeId(leaf);
  // X.509-SVID §4.1 and §4.3: a leaf is no CA, has the key usage extension, and may neither sign certificates nor lists.
  if (leaf.isCa) return refuse("peer_wrong_usage", `${nameOf(leaf)} is an authority's certificate`);
  const signsOthers = hasKeyUsage(leaf, keyUsageBit.keyCertSign) || hasKeyUsage(leaf, keyUsageBit.crlSign);
  if (isSvid && (leaf.keyUsage === undefined || signsOthers)) {
    return refuse("peer_wrong_usage", `${nameOf(leaf)} has a key usage that a SPIFFE certificate may not have`);
  }
  // RFC 8446 §4.4.2.2: the certificate must allow signing.
  if (leaf.keyUsage !== undefined && !hasKeyUsage(leaf, keyUsageBit.digitalSignature)) {
    return refuse("peer_wrong_usage", `${nameOf(leaf)} may not make digital signatures (key usage)`);
  }
  if (leaf.keyPurposes !== undefined && !allowsPurpose(leaf.keyPurposes, policy.usage, !isSvid)) {
    return refuse("peer_wrong_usage", `${nameOf(leaf)} may not act as TLS ${policy.usage} (extended key usage)`);
  }
  return undefined;
}

function allowsPurpose(purposes: readonly string[], usage: "client" | "server", acceptsAny: boolean): boolean {
  if (acceptsAny && purposes.includes(keyPurpose.any)) return true;
  return purposes.includes(usage === "client" ? keyPurpose.clientAuth : keyPurpose.serverAuth);
}

function checkSpiffeId(leaf: Certificate, policy: PeerPolicy): SpiffeId | PeerRefusal | undefined {
  const trustDomains = policy.trustDomains ?? [];
  if (!claimsSpiffeId(leaf)) {
    if (!policy.requireSpiffeId && trustDomains.length === 0) return undefined;
    return refuse("peer_no_identity", `${nameOf(leaf)} has no SPIFFE ID`);
  }
  // X.509-SVID §2: exactly one URI name, whatever its scheme.
  if (leaf.uriSans.length !== 1)
    return refuse("peer_no_identity", `${nameOf(leaf)} has ${leaf.uriSans.length} URI names, not one`);
  const id = parseSpiffeId(leaf.uriSans[0] ?? "");
  if (id === undefined || id.path === "")
    return refuse("peer_no_identity", `${leaf.uriSans[0]} is no workload's SPIFFE ID`);
  if (trustDomains.length > 0 && !trustDomains.includes(id.trustDomain)) {
    return refuse(
      "peer_wrong_trust_domain",
      `the peer belongs to trust domain ${id.trustDomain}, accepted: ${trustDomains.join(", ")}`,
    );
  }
  return id;
}

/** Also by the wrong letters: `SPIFFE://…` must not slip through as an ordinary URI. */
function claimsSpiffeId(leaf: Certificate): boolean {
  return leaf.uriSans.some((uri) => uri.slice(0, 7).toLowerCase() === "spiffe:");
}

function checkNames(leaf: Certificate, matchers: readonly SanMatcher[]): PeerRefusal | undefined {
  if (matchers.length === 0) return undefined;
  for (const matcher of matchers) {
    if (namesOf(leaf, matcher.type).some((name) => matcher.matches(name))) return undefined;
  }
  const expected = matchers.map((matcher) => matcher.description).join(", ");
  return refuse("peer_wrong_identity", `the peer is ${nameOf(leaf)}, expected: ${expected}`);
}

function namesOf(leaf: Certificate, type: SanMatcher["type"]): readonly string[] {
  switch (type) {
    case "uri":
      return leaf.uriSans;
    case "dns":
      return leaf.dnsSans;
    case "ip":
      return leaf.ipSans;
    case "email":
      return leaf.emailSans;
  }
}

function nameOf(certificate: Certificate): string {
  const name = certificate.uriSans[0] ?? certificate.dnsSans[0] ?? certificate.subject;
  return name === "" ? `certificate ${certificate.serial}` : name;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function refuse(code: ErrorCode, reason: string): PeerRefusal {
  return { ok: false, code, reason };
}
