/** An IP address (canonical text, IPv6 without brackets) or, where a cluster resolves names, a host name; with a port. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/** `envoy.config.core.v3.CidrRange`: `address` is an IP literal, `prefixLength` in bits (0–32 or 0–128). */
export interface CidrRange {
  readonly address: string;
  readonly prefixLength: number;
}

/**
 * The resource that an xDS object was compiled from. It travels as `filter_metadata["heddle.dev"]`; file and line are
 * resolved by who asks (design §5), so that editing a comment pushes nothing.
 */
export interface Provenance {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly rule: string | undefined;
  readonly generation: string | undefined;
}

/** `envoy.config.core.v3.Locality`; empty strings where not set. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/**
 * String-valued view of `envoy.config.core.v3.Metadata.filter_metadata`: filter name → key → value. Values that are not
 * strings stand here as their JSON text.
 */
export type StringMetadata = Readonly<Record<string, Readonly<Record<string, string>>>>;
