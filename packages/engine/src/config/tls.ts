import type { StringMatch } from "./string-match.ts";

/**
 * Where a certificate or validation context comes from.
 * - `ads`: SDS over the ADS stream.
 * - `local`: SDS from the cluster `sds-grpc`, Istio's name for the agent beside the proxy; here the proxy's own identity
 *   manager, so that the key never crosses a wire.
 * - `static`: `static_resources.secrets` of the bootstrap.
 * - `inline`: written in the listener or cluster itself; the loader hands it out in `Loaded.secrets` under this name, so
 *   that private keys stand in exactly one type.
 */
export interface SecretRef {
  readonly name: string;
  readonly source: "ads" | "local" | "static" | "inline";
}

export type TlsVersion = "1.2" | "1.3";

/** `envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher`. */
export interface SanMatcher {
  readonly type: "uri" | "dns" | "ip" | "email";
  readonly match: StringMatch;
}

/** Trust anchors: by reference (a combined or SDS context), inline PEM, or the machine's own trust store (`system_root_certs`). */
export type TrustedCa = SecretRef | { readonly pem: string } | { readonly store: "system" };

/** `CertificateValidationContext`. An empty `matchSubjectAltNames` accepts every name that the anchors vouch for. */
export interface ValidationConfig {
  /** undefined: no verification is possible. */
  readonly trustedCa: TrustedCa | undefined;
  readonly matchSubjectAltNames: readonly SanMatcher[];
  readonly crlPem: string | undefined;
}

/** The part of `CommonTlsContext` that both sides share. */
export interface CommonTlsConfig {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** For TLS 1.2, OpenSSL's names; empty: every suite with authenticated encryption and forward secrecy. */
  readonly cipherSuites: readonly string[];
  /** `ecdh_curves`; empty: OpenSSL's own. */
  readonly groups: readonly string[];
  readonly alpn: readonly string[];
  readonly certificate: SecretRef | undefined;
  readonly validation: ValidationConfig | undefined;
}

export interface DownstreamTlsConfig {
  readonly common: CommonTlsConfig;
  readonly requireClientCertificate: boolean;
  /** `require_sni`: a handshake without SNI is refused. */
  readonly requireSni: boolean;
  readonly sessionTickets: boolean;
}

export interface UpstreamTlsConfig {
  readonly common: CommonTlsConfig;
  /** Sent in the ClientHello; empty: none. */
  readonly sni: string;
  /** Sessions kept for each server, to be resumed; 0: none; Envoy's 1 is filled in. */
  readonly maxSessionKeys: number;
}
