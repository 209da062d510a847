import type {
  SanMatcher as SanMatcherConfig,
  SecretConfig,
  SecretRef,
  TrustedCa,
  ValidationConfig,
} from "@heddle/engine";
import { matchesString } from "@heddle/engine";
import type { IntermediatePool, PeerPolicy, SanMatcher } from "@heddle/net";
import { exactDnsName, exactUri, KnownIntermediates, parseRevocationListsPem, TrustAnchors } from "@heddle/net";

/** The secrets of one worker, and a number that changes with every one of them. */
export interface SecretLookup {
  readonly epoch: number;
  get(ref: SecretRef): SecretConfig | undefined;
}

export type BuiltPolicy =
  | { readonly ok: true; readonly policy: PeerPolicy | undefined }
  | { readonly ok: false; readonly reason: string };

/**
 * What a validation context demands of a peer, secrets looked up. Without a context there is no policy: no certificate is
 * asked for. Whatever is missing or unreadable is a reason and never a wider policy.
 *
 * @param knownIntermediates from which chains of resumed sessions are completed; this policy's own unless said otherwise
 */
export function peerPolicyOf(
  validation: ValidationConfig | undefined,
  usage: "client" | "server",
  secrets: SecretLookup,
  knownIntermediates: IntermediatePool = new KnownIntermediates(),
): BuiltPolicy {
  if (validation === undefined) return { ok: true, policy: undefined };
  const { trustedCa } = validation;
  if (trustedCa === undefined) return refused("the validation context names no trust anchors");
  const bundle =
    "name" in trustedCa ? bundleOf(trustedCa, secrets) : { anchors: trustedCa, crlPem: undefined, names: [] };
  if (bundle === undefined)
    return refused(`the trust anchors ${"name" in trustedCa ? trustedCa.name : ""} have not arrived`);
  const isOfSystem = "store" in bundle.anchors;
  const anchors = "store" in bundle.anchors ? TrustAnchors.ofSystem() : TrustAnchors.fromPem(bundle.anchors.pem);
  if (anchors === undefined) {
    return refused(
      isOfSystem
        ? "the machine's trust store is empty: install ca-certificates, or name the anchors"
        : "the trust anchors cannot be read: PEM certificates are expected",
    );
  }
  const crlPem = validation.crlPem ?? bundle.crlPem;
  const revocations = crlPem === undefined ? undefined : parseRevocationListsPem(crlPem);
  if (crlPem !== undefined && revocations === undefined)
    return refused("the revocation list cannot be read: PEM lists are expected");
  const names = validation.matchSubjectAltNames.length > 0 ? validation.matchSubjectAltNames : bundle.names;
  return {
    ok: true,
    policy: {
      anchors,
      usage,
      sanMatchers: names.map(sanMatcher),
      requireSpiffeId: false,
      knownIntermediates,
      ...(revocations === undefined ? {} : { revocations }),
    },
  };
}

interface Bundle {
  readonly anchors: Exclude<TrustedCa, SecretRef>;
  readonly crlPem: string | undefined;
  readonly names: readonly SanMatcherConfig[];
}

function bundleOf(ref: SecretRef, secrets: SecretLookup): Bundle | undefined {
  const secret = secrets.get(ref);
  if (secret?.kind !== "validation") return undefined;
  const { trustedCa, crlPem, matchSubjectAltNames } = secret.validation;
  if (trustedCa === undefined || "name" in trustedCa) return undefined;
  return { anchors: trustedCa, crlPem, names: matchSubjectAltNames };
}

function sanMatcher({ type, match }: SanMatcherConfig): SanMatcher {
  if (match.kind === "exact" && type === "uri" && !match.ignoreCase) return exactUri(match.value);
  if (match.kind === "exact" && type === "dns") return exactDnsName(match.value);
  const description = match.kind === "regex" ? `${type} ~ ${match.regex}` : `${type} ${match.kind} ${match.value}`;
  return { type, description, matches: matchesString(match) };
}

function refused(reason: string): BuiltPolicy {
  return { ok: false, reason };
}
