import { getCACertificates, type PeerCertificate } from "node:tls";
import { errorEntry } from "@heddle/core";
import type { ClusterConfig, SanMatcher, SecretConfig, SecretRef, ValidationConfig } from "@heddle/engine";
import type { GrpcConnection } from "@heddle/xds/client";

/** Looks up a certificate or trust anchors as they are now. */
export type FindSecret = (ref: Pick<SecretRef, "source" | "name">) => SecretConfig | undefined;

/**
 * Dials the control plane as its cluster says: plaintext, or TLS with the certificate and anchors of this moment. The
 * endpoints are tried in turn, one for each call.
 */
export function adsDialer(
  cluster: ClusterConfig,
  findSecret: FindSecret,
  anchorsPem: () => string | undefined,
): (signal: AbortSignal) => Promise<GrpcConnection> {
  const endpoints = (cluster.inlineEndpoints?.localities ?? []).flatMap((locality) => locality.endpoints);
  let turn = 0;
  return async (signal) => {
    const endpoint = endpoints[turn++ % Math.max(1, endpoints.length)];
    if (endpoint === undefined) throw new Error(`the cluster ${cluster.name} has no endpoint`);
    const { GrpcConnection } = await import("@heddle/xds/client");
    const { host, port } = endpoint.address;
    const authority = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
    const options = { connectTimeoutMs: cluster.connectTimeoutMs, timers: { setTimeout, clearTimeout } };
    const tls = cluster.transport.default;
    if (tls === undefined) return GrpcConnection.dial({ ...options, url: `http://${authority}` }, signal);
    const { certificate, validation, minVersion, maxVersion } = tls.common;
    const own = certificate === undefined ? undefined : findSecret(certificate);
    if (certificate !== undefined && own?.kind !== "certificate") throw new Error(errorEntry("identity_missing").text);
    const ca = authoritiesOf(validation, findSecret, anchorsPem);
    if (ca.length === 0)
      throw new Error(
        `the cluster ${cluster.name} has no trust anchors: without them anybody could pose as the control plane`,
      );
    const matchers = namesOf(validation, findSecret);
    const crl = revocationListsOf(validation, findSecret);
    const session = {
      ca: [...ca],
      // Every authority on the path needs one, as in the proxy's other contexts.
      ...(crl === undefined ? {} : { crl: [...crl] }),
      minVersion: `TLSv${minVersion}` as const,
      maxVersion: `TLSv${maxVersion}` as const,
      ...(tls.sni === "" ? {} : { servername: tls.sni }),
      ...(own?.kind === "certificate" ? { cert: own.certificateChainPem, key: own.privateKey.reveal() } : {}),
      // Without matchers the runtime compares the dialled name: workloads of the mesh have none, so none can pose as the control plane.
      ...(matchers.length === 0
        ? {}
        : { checkServerIdentity: (_host: string, peer: PeerCertificate) => judge(peer, matchers) }),
    };
    return GrpcConnection.dial({ ...options, url: `https://${authority}`, session }, signal);
  };
}

/**
 * Certificates of the authorities, in PEM, that may vouch for the control plane; empty: none. A secret that the proxy is yet to be given, its own
 * bundle or one of the control plane itself, is stood for by the mesh's bundle; one that says what it trusts is never.
 */
export function authoritiesOf(
  validation: ValidationConfig | undefined,
  findSecret: FindSecret,
  anchorsPem: () => string | undefined,
): readonly string[] {
  const named = validation?.trustedCa;
  if (named === undefined) return [];
  if (!("name" in named)) return authoritiesIn(named);
  const secret = findSecret(named);
  if (secret?.kind === "validation") return authoritiesIn(secret.validation.trustedCa);
  const pem = named.source === "local" || named.source === "ads" ? anchorsPem() : undefined;
  return pem === undefined ? [] : [pem];
}

/**
 * Revocation lists, in PEM, of the cluster's own context or else of the secret that it names; undefined: none is asked for.
 *
 * @throws where lists are named and cannot be read: a certificate that nobody can say was not revoked vouches for nobody
 */
export function revocationListsOf(
  validation: ValidationConfig | undefined,
  findSecret: FindSecret,
): readonly string[] | undefined {
  const pem = validation?.crlPem ?? rulesOfSecret(validation, findSecret)?.crlPem;
  if (pem === undefined) return undefined;
  // The runtime reads the first list of a text alone.
  const lists = pem.match(/-----BEGIN X509 CRL-----[^]*?-----END X509 CRL-----/g);
  if (lists === null) throw new Error("the control plane's revocation list cannot be read: PEM lists are expected");
  return lists;
}

/** Names that the control plane may have, those of the secret where the cluster's own context has none; empty: the one that is dialled. */
function namesOf(validation: ValidationConfig | undefined, findSecret: FindSecret): readonly SanMatcher[] {
  const own = validation?.matchSubjectAltNames ?? [];
  return own.length > 0 ? own : (rulesOfSecret(validation, findSecret)?.matchSubjectAltNames ?? []);
}

function rulesOfSecret(validation: ValidationConfig | undefined, findSecret: FindSecret): ValidationConfig | undefined {
  const named = validation?.trustedCa;
  const secret = named !== undefined && "name" in named ? findSecret(named) : undefined;
  return secret?.kind === "validation" ? secret.validation : undefined;
}

function authoritiesIn(anchors: ValidationConfig["trustedCa"]): readonly string[] {
  if (anchors === undefined || "name" in anchors) return [];
  return "store" in anchors ? getCACertificates(anchors.store) : [anchors.pem];
}

function judge(peer: PeerCertificate, matchers: readonly SanMatcher[]): Error | undefined {
  const names = (peer.subjectaltname ?? "").split(", ").map((entry) => {
    const colon = entry.indexOf(":");
    return { type: entry.slice(0, colon).toLowerCase().replace("ip address", "ip"), value: entry.slice(colon + 1) };
  });
  const isMatched = matchers.some(({ type, match }) =>
    names.some((name) => name.type === type && matches(match, name.value)),
  );
  return isMatched
    ? undefined
    : new Error(`the control plane's certificate is for ${peer.subjectaltname ?? "nobody"}, which is not accepted`);
}

function matches(match: SanMatcher["match"], value: string): boolean {
  if (match.kind === "regex") return new RegExp(`^(?:${match.regex})$`, "u").test(value);
  const wanted = match.ignoreCase ? match.value.toLowerCase() : match.value;
  const given = match.ignoreCase ? value.toLowerCase() : value;
  switch (match.kind) {
    case "exact":
      return given === wanted;
    case "prefix":
      return given.startsWith(wanted);
    case "suffix":
      return given.endsWith(wanted);
    case "contains":
      return given.includes(wanted);
  }
}
