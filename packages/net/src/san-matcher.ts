import type { SanMatcher } from "./peer-verification.ts";

/** Accepts a certificate's IP address that is this one, in canonical form. */
export function exactIpAddress(address: string): SanMatcher {
  return { type: "ip", description: address, matches: (value) => value === address };
}

/** Accepts exactly this URI, byte by byte. */
export function exactUri(uri: string): SanMatcher {
  return { type: "uri", description: uri, matches: (value) => value === uri };
}

/**
 * Accepts a certificate's DNS name that covers this host: equal without regard to case, or a wildcard that is the whole leftmost label and stands for
 * exactly one label (RFC 9525 §6.3, as Envoy matches `exact` DNS names).
 */
export function exactDnsName(host: string): SanMatcher {
  const wanted = host.toLowerCase();
  const dot = wanted.indexOf(".");
  const wildcard = dot > 0 && wanted.indexOf(".", dot + 1) !== -1 ? `*${wanted.slice(dot)}` : undefined;
  return {
    type: "dns",
    description: host,
    matches(value) {
      const name = value.toLowerCase();
      return name === wanted || (wildcard !== undefined && name === wildcard);
    },
  };
}
