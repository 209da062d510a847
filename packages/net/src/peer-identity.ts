import type { Certificate } from "./certificate.ts";
import { certificatePem, sha256Hex } from "./certificate.ts";
import type { SpiffeId } from "@heddle/core";

/** Who a verified peer is. Made by `verifyPeer` alone, so holding one means that every check passed. */
export class PeerIdentity {
  /** First URI name; empty when there is none. */
  readonly principal: string;
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  /** RFC 2253 text, as Envoy prints it; empty for most SPIFFE leaves. */
  readonly subject: string;
  /** Parts of the SPIFFE ID; empty when the certificate has none, or its path is not Istio's. */
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** Lower-case hexadecimal. */
  readonly serial: string;
  /** Lower-case hexadecimal SHA-256 of the leaf's DER. */
  readonly sha256: string;
  readonly #chainDer: readonly Buffer[];

  constructor(leaf: Certificate, spiffeId: SpiffeId | undefined, chainDer: readonly Buffer[]) {
    this.principal = leaf.uriSans[0] ?? "";
    this.uriSans = leaf.uriSans;
    this.dnsSans = leaf.dnsSans;
    this.subject = leaf.subject;
    this.trustDomain = spiffeId?.trustDomain ?? "";
    this.namespace = spiffeId?.namespace ?? "";
    this.serviceAccount = spiffeId?.serviceAccount ?? "";
    this.notBeforeMs = leaf.notBeforeMs;
    this.notAfterMs = leaf.notAfterMs;
    this.serial = leaf.serial;
    this.sha256 = sha256Hex(leaf.der);
    this.#chainDer = chainDer;
  }

  /** The same as `principal`. */
  get uri(): string {
    return this.principal;
  }

  get fingerprint(): string {
    return this.sha256;
  }

  get certificatePem(): string {
    const [leaf] = this.#chainDer;
    return leaf === undefined ? "" : certificatePem(leaf);
  }

  /** The chain as it was verified, leaf first, without the anchor. */
  get chainPem(): string {
    return this.#chainDer.map(certificatePem).join("");
  }
}
