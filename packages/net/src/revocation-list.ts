import { verify } from "node:crypto";
import type { Certificate } from "./certificate.ts";
import { derBlocks, hasKeyUsage, keyUsageBit } from "./certificate.ts";
import { DerReader, DerSyntaxError, derTag, readBoolean, readOid, readTime } from "./der.ts";

/** Signature algorithms by OID, with the digest that node:crypto wants; Ed25519 has its digest built in. */
const digests: Readonly<Record<string, string | null>> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.3.101.112": null,
};

/** Extensions of a list that say who it is from and which one it is; any other critical one changes its meaning (RFC 5280 §5.2). */
const understood: ReadonlySet<string> = new Set(["2.5.29.20", "2.5.29.35"]);

/** A certificate revocation list, RFC 5280 §5. */
export interface RevocationList {
  readonly issuerKey: string;
  readonly thisUpdateMs: number;
  /** undefined: the list does not age. */
  readonly nextUpdateMs: number | undefined;
  /** Serial numbers, lower-case hexadecimal as signed. */
  readonly revokedSerials: ReadonlySet<string>;
  isSignedBy(issuer: Certificate): boolean;
}

/** All lists of a PEM text; undefined when there is none or one cannot be read or understood, so that a broken list never means "nothing is revoked". */
export function parseRevocationListsPem(pem: string): RevocationList[] | undefined {
  const lists: RevocationList[] = [];
  for (const der of derBlocks(pem, "X509 CRL") ?? []) {
    try {
      lists.push(readList(der));
    } catch (error) {
      if (error instanceof DerSyntaxError) return undefined;
      throw error;
    }
  }
  return lists.length > 0 ? lists : undefined;
}

function readList(der: Buffer): RevocationList {
  const outer = new DerReader(der);
  const list = outer.enter(outer.expect(derTag.sequence));
  outer.expectEnd();
  const tbsElement = list.expect(derTag.sequence);
  const outerAlgorithm = list.expect(derTag.sequence);
  const signature = list.expect(derTag.bitString);
  list.expectEnd();
  if (der[signature.contentStart] !== 0) throw new DerSyntaxError("a signature of broken bytes");

  const tbs = list.enter(tbsElement);
  tbs.optional(derTag.integer);
  const algorithm = tbs.expect(derTag.sequence);
  if (!der.subarray(algorithm.start, algorithm.end).equals(der.subarray(outerAlgorithm.start, outerAlgorithm.end))) {
    throw new DerSyntaxError("two signature algorithms");
  }
  const issuer = tbs.expect(derTag.sequence);
  const thisUpdateMs = readTime(der, tbs.next());
  const isTime = tbs.peekTag() === derTag.utcTime || tbs.peekTag() === derTag.generalizedTime;
  const nextUpdateMs = isTime ? readTime(der, tbs.next()) : undefined;
  const revokedSerials = new Set<string>();
  const revoked = tbs.optional(derTag.sequence);
  if (revoked !== undefined) readEntries(tbs.enter(revoked), revokedSerials);
  const extensions = tbs.optional(0xa0);
  if (extensions !== undefined) {
    const wrapper = tbs.enter(extensions);
    refuseUnknownCritical(wrapper.enter(wrapper.expect(derTag.sequence)), understood);
  }
  tbs.expectEnd();

  const signed = der.subarray(tbsElement.start, tbsElement.end);
  const signatureBytes = der.subarray(signature.contentStart + 1, signature.end);
  const digest = digests[readOid(der, list.enter(algorithm).expect(derTag.oid))];
  if (digest === undefined) throw new DerSyntaxError("a signature algorithm that is not supported");
  return {
    issuerKey: der.toString("latin1", issuer.start, issuer.end),
    thisUpdateMs,
    nextUpdateMs,
    revokedSerials,
    isSignedBy(certificate) {
      // RFC 5280 §6.3.3 (f): the issuer's key must be allowed to sign lists, if it says what it is for.
      if (certificate.keyUsage !== undefined && !hasKeyUsage(certificate, keyUsageBit.crlSign)) return false;
      try {
        return verify(digest, signed, certificate.x509.publicKey, signatureBytes);
      } catch {
        // A key that does not fit the algorithm made no such signature.
        return false;
      }
    },
  };
}

function readEntries(entries: DerReader, into: Set<string>): void {
  while (!entries.isAtEnd) {
    const entry = entries.enter(entries.expect(derTag.sequence));
    const serial = entry.expect(derTag.integer);
    into.add(entries.bytes.toString("hex", serial.contentStart, serial.end));
    readTime(entries.bytes, entry.next());
    const extensions = entry.optional(derTag.sequence);
    // An indirect list (certificateIssuer) is critical and not understood: its serials belong to other authorities.
    if (extensions !== undefined) refuseUnknownCritical(entry.enter(extensions), new Set());
    entry.expectEnd();
  }
}

function refuseUnknownCritical(extensions: DerReader, known: ReadonlySet<string>): void {
  while (!extensions.isAtEnd) {
    const extension = extensions.enter(extensions.expect(derTag.sequence));
    const id = readOid(extensions.bytes, extension.expect(derTag.oid));
    const critical = extension.optional(derTag.boolean);
    const isCritical = critical !== undefined && readBoolean(extensions.bytes, critical);
    if (isCritical && !known.has(id)) throw new DerSyntaxError("a critical extension that is not understood");
  }
}
