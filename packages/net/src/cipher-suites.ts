/**
 * What TLS 1.2 may use: authenticated encryption alone (RFC 5288, 7905), so that no padding or MAC order can be attacked. Those without an
 * ephemeral key exchange are used only where a configuration names them.
 */
const forwardSecretSuites = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
] as const;

/** TLS 1.3's own, all of them authenticated; no configuration chooses among them, as in Envoy. */
const tls13Suites = ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];

/** OpenSSL's list. @param chosen for TLS 1.2; empty: all that are forward secret */
export function cipherList(chosen: readonly string[]): string {
  return [...tls13Suites, ...(chosen.length === 0 ? forwardSecretSuites : chosen)].join(":");
}
