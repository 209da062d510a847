import { forwardSecretSuites } from "@heddle/core";

/** TLS 1.3's own, all of them authenticated, in BoringSSL's order, which is Envoy's; no configuration chooses among them, as there. */
const tls13Suites = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];

/**
 * OpenSSL's list. TLS 1.2 uses authenticated encryption alone, so that no padding or MAC order can be attacked.
 *
 * @param chosen for TLS 1.2; empty: all that are forward secret
 */
export function cipherList(chosen: readonly string[]): string {
  return [...tls13Suites, ...(chosen.length === 0 ? forwardSecretSuites : chosen)].join(":");
}
