import { createPrivateKey, X509Certificate } from "node:crypto";
import { Secret } from "@heddle/core";

/** This proxy's own certificate and key: an X.509-SVID. */
export interface Identity {
  /** `spiffe://…` */
  readonly uri: string;
  /** Leaf first, then intermediates; without the root. PEM. */
  readonly chainPem: string;
  readonly privateKeyPem: Secret<string>;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly serialNumber: string;
}

/** Reads a chain and its key; says why they are no identity. */
export function readIdentity(
  chainPem: string,
  privateKeyPem: string,
): { identity: Identity; problem: undefined } | { identity: undefined; problem: string } {
  let leaf: X509Certificate;
  let isOfKey: boolean;
  try {
    leaf = new X509Certificate(chainPem);
    isOfKey = leaf.checkPrivateKey(createPrivateKey(privateKeyPem));
  } catch (error) {
    return { identity: undefined, problem: `the certificate or its key cannot be read: ${(error as Error).message}` };
  }
  if (!isOfKey) return { identity: undefined, problem: "the certificate is for another key" };
  const uri = /(?:^|, )URI:([^,]+)/.exec(leaf.subjectAltName ?? "")?.[1];
  if (uri === undefined) return { identity: undefined, problem: "the certificate names no SPIFFE URI" };
  return {
    problem: undefined,
    identity: {
      uri,
      chainPem,
      privateKeyPem: new Secret(privateKeyPem),
      notBeforeMs: leaf.validFromDate.getTime(),
      notAfterMs: leaf.validToDate.getTime(),
      serialNumber: leaf.serialNumber,
    },
  };
}
