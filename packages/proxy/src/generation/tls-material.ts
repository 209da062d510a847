import type { ClusterConfig } from "@heddle/engine";
import { buildClientContext, parseRevocationListsPem, TrustAnchors } from "@heddle/net";
import type { SourcedSecret } from "./active-configuration.ts";

/** Why TLS with what a cluster's files hold could not begin; undefined: it could. */
export function tlsMaterialProblem(
  { transport }: ClusterConfig,
  inlineSecrets: readonly SourcedSecret[],
): string | undefined {
  for (const { secret } of inlineSecrets) {
    if (secret.kind !== "certificate") continue;
    const certificate = { chainPem: secret.certificateChainPem, privateKeyPem: secret.privateKey };
    const built = buildClientContext({
      epoch: 0,
      certificate,
      minVersion: "1.2",
      maxVersion: "1.3",
      alpn: [],
      policy: undefined,
      sni: "",
    });
    if (!built.ok) return built.reason;
  }
  for (const tls of [transport.default, ...transport.matches.map((match) => match.tls)]) {
    const { trustedCa, crlPem } = tls?.common.validation ?? {};
    if (trustedCa !== undefined && "pem" in trustedCa && TrustAnchors.fromPem(trustedCa.pem) === undefined)
      return "the trust anchors cannot be read: PEM certificates are expected";
    if (crlPem !== undefined && parseRevocationListsPem(crlPem) === undefined)
      return "the revocation list cannot be read: PEM lists are expected";
  }
  return undefined;
}
