import type { SocketAddress } from "../config/address.ts";

/** What was verified about the peer of a connection, from the DER of its certificate. */
export interface PeerView {
  /** First URI SAN; empty when there is none. */
  readonly principal: string;
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** RFC 2253 text, as Envoy prints it. */
  readonly subject: string;
  /** Parts of a SPIFFE identity; empty when `principal` is none. */
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  /** Lower-case hex SHA-256 of the leaf's DER, for XFCC's `Hash`. */
  readonly sha256: string;
  /** PEM of the leaf and of the whole chain; getters may make them on demand. */
  readonly certificatePem: string;
  readonly chainPem: string;
}

/** A downstream connection as the engine sees it. Addresses are canonical: IPv4-mapped IPv6 is IPv4 already (design §5, Edge). */
export interface ConnectionView {
  /** undefined: no TLS, or no certificate presented. Present only after verification succeeded. */
  readonly peer: PeerView | undefined;
  /** First URI SAN of the certificate that this side presented, for XFCC's `By`; empty: none. */
  readonly localPrincipal: string;
  /** Of whom a PROXY protocol header tells, where the listener reads one; else the peer. */
  readonly remoteAddress: SocketAddress;
  /** The peer of the TCP connection itself. */
  readonly directRemoteAddress: SocketAddress;
  /** The original destination where one was restored. */
  readonly localAddress: SocketAddress;
  /** `localAddress` is the original destination, restored from redirection or told by a PROXY protocol header. */
  readonly isDestinationRestored: boolean;
  readonly isTls: boolean;
  /** Lower-case; empty: none. */
  readonly sni: string;
  /** What filter chains match on: ALPN from a TLS inspector, or `http/1.1`, `h2c` from an HTTP inspector. */
  readonly applicationProtocols: readonly string[];
  /** `tls` when the TLS inspector saw a ClientHello, else `raw_buffer`. */
  readonly transportProtocol: "tls" | "raw_buffer";
  /** TLVs of a PROXY protocol header. */
  readonly proxyTlvs: readonly ProxyTlv[];
}

/** A type-length-value of a PROXY protocol header of version 2. */
export interface ProxyTlv {
  /** 0–255. */
  readonly type: number;
  readonly value: Uint8Array;
}
