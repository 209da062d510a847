import type { KeyObject } from "node:crypto";
import { createHash, X509Certificate } from "node:crypto";
import type { DerElement } from "./der.ts";
import { DerReader, DerSyntaxError, derTag, readBoolean, readOid, readSmallInteger, readTime } from "./der.ts";
import { formatDistinguishedName } from "./distinguished-name.ts";
import { canonicalHost } from "./ip-address.ts";

const oid = {
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  authorityKeyIdentifier: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;

/** Extended key usages that matter for TLS. */
export const keyPurpose = {
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
  any: "2.5.29.37.0",
} as const;

/** Bits of the KeyUsage extension, RFC 5280 §4.2.1.3, numbered from the first. */
export const keyUsageBit = { digitalSignature: 0, keyCertSign: 5, crlSign: 6 } as const;

/** Extensions whose meaning is enforced here or that restrict nothing in our use. Any other critical one refuses the certificate. */
const understood: ReadonlySet<string> = new Set([
  oid.keyUsage,
  oid.subjectAltName,
  oid.basicConstraints,
  oid.extendedKeyUsage,
  oid.subjectKeyIdentifier,
  oid.authorityKeyIdentifier,
]);

/**
 * A certificate read from its DER. Names come from the signed bytes, never from a printed form: printing joins names with commas, so a name that
 * holds a comma could pose as two (CVE-2021-44532, CVE-2021-44533).
 */
export interface Certificate {
  readonly der: Buffer;
  /** Lower-case hexadecimal, as signed (a leading 00 is kept). */
  readonly serial: string;
  /** DER of issuer and subject, as latin1 text, for comparison and lookup. */
  readonly issuerKey: string;
  readonly subjectKey: string;
  /** RFC 2253 text. */
  readonly subject: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly uriSans: readonly string[];
  readonly dnsSans: readonly string[];
  readonly emailSans: readonly string[];
  /** Canonical text. */
  readonly ipSans: readonly string[];
  readonly isCa: boolean;
  /** Number of intermediates that may follow; undefined: no limit. */
  readonly pathLength: number | undefined;
  /** Bit set by {@link keyUsageBit}; undefined: the extension is absent. */
  readonly keyUsage: number | undefined;
  /** undefined: the extension is absent. */
  readonly keyPurposes: readonly string[] | undefined;
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** What makes the certificate unusable although it can be read: an extension that would have to be enforced and is not understood. */
  readonly unsupported: string | undefined;
  /** OpenSSL's view, for signatures and keys only. */
  readonly x509: X509Certificate;
}

/** Reads one certificate; undefined when it is not strict DER of RFC 5280's shape, has a name twice over, or OpenSSL cannot read it. */
export function parseCertificate(der: Buffer): Certificate | undefined {
  try {
    return readCertificate(der);
  } catch (error) {
    if (error instanceof DerSyntaxError || isOpensslError(error)) return undefined;
    throw error;
  }
}

/** All certificates of a PEM text, in order; undefined when one cannot be read or there is none. Text around the blocks is ignored (RFC 7468 §2). */
export function parseCertificatesPem(pem: string): Certificate[] | undefined {
  const certificates: Certificate[] = [];
  for (const der of derBlocks(pem, "CERTIFICATE") ?? []) {
    const certificate = parseCertificate(der);
    if (certificate === undefined) return undefined;
    certificates.push(certificate);
  }
  return certificates.length > 0 ? certificates : undefined;
}

/** The DER of every PEM block with this label; undefined when a block is not closed or not base64. */
export function derBlocks(pem: string, label: string): Buffer[] | undefined {
  const begin = `-----BEGIN ${label}-----`;
  const end = `-----END ${label}-----`;
  const blocks: Buffer[] = [];
  for (let from = pem.indexOf(begin); from !== -1; from = pem.indexOf(begin, from)) {
    const to = pem.indexOf(end, from);
    if (to === -1) return undefined;
    const base64 = pem.slice(from + begin.length, to).replace(/\s+/g, "");
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
    blocks.push(Buffer.from(base64, "base64"));
    from = to;
  }
  return blocks;
}

/** PEM of one DER certificate, with a final newline. */
export function certificatePem(der: Buffer): string {
  const base64 = der.toString("base64");
  const lines: string[] = ["-----BEGIN CERTIFICATE-----"];
  for (let i = 0; i < base64.length; i += 64) lines.push(base64.slice(i, i + 64));
  lines.push("-----END CERTIFICATE-----", "");
  return lines.join("\n");
}

export function sha256Hex(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function hasKeyUsage(certificate: Certificate, bit: number): boolean {
  return certificate.keyUsage !== undefined && (certificate.keyUsage & (1 << bit)) !== 0;
}

/** Whether `issuer`'s key made the signature on `certificate`. */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  try {
    const key: KeyObject = issuer.x509.publicKey;
    return certificate.x509.verify(key);
  } catch {
    // OpenSSL throws for a key or algorithm that it does not support: such a signature vouches for nothing.
    return false;
  }
}

function isOpensslError(error: unknown): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("ERR_");
}

function readCertificate(der: Buffer): Certificate {
  const outer = new DerReader(der);
  const certificate = outer.enter(outer.expect(derTag.sequence));
  outer.expectEnd();
  const tbsElement = certificate.expect(derTag.sequence);
  const tbs = certificate.enter(tbsElement);
  const outerAlgorithm = certificate.expect(derTag.sequence);
  certificate.expect(derTag.bitString);
  certificate.expectEnd();

  const version = tbs.optional(0xa0);
  const isV3 = version !== undefined && der[version.end - 1] === 2;
  const serial = tbs.expect(derTag.integer);
  const algorithm = tbs.expect(derTag.sequence);
  // RFC 5280 §4.1.1.2: the unsigned algorithm outside must be the signed one.
  if (!sliceOf(der, algorithm).equals(sliceOf(der, outerAlgorithm)))
    throw new DerSyntaxError("two signature algorithms");
  const issuer = tbs.expect(derTag.sequence);
  const validity = tbs.enter(tbs.expect(derTag.sequence));
  const notBeforeMs = readTime(der, validity.next());
  const notAfterMs = readTime(der, validity.next());
  validity.expectEnd();
  const subject = tbs.expect(derTag.sequence);
  tbs.expect(derTag.sequence);
  tbs.optional(0x81);
  tbs.optional(0x82);
  const extensions = emptyExtensions();
  const extensionsElement = tbs.optional(0xa3);
  if (extensionsElement !== undefined) {
    if (!isV3) throw new DerSyntaxError("extensions need version 3");
    const wrapper = tbs.enter(extensionsElement);
    readExtensions(wrapper.enter(wrapper.expect(derTag.sequence)), extensions);
    wrapper.expectEnd();
  }
  tbs.expectEnd();

  return {
    der,
    serial: der.toString("hex", serial.contentStart, serial.end),
    issuerKey: der.toString("latin1", issuer.start, issuer.end),
    subjectKey: der.toString("latin1", subject.start, subject.end),
    subject: formatDistinguishedName(tbs.enter(subject)),
    notBeforeMs,
    notAfterMs,
    ...extensions,
    x509: new X509Certificate(der),
  };
}

interface Extensions {
  uriSans: string[];
  dnsSans: string[];
  emailSans: string[];
  ipSans: string[];
  isCa: boolean;
  pathLength: number | undefined;
  keyUsage: number | undefined;
  keyPurposes: string[] | undefined;
  subjectKeyId: string | undefined;
  authorityKeyId: string | undefined;
  unsupported: string | undefined;
}

function emptyExtensions(): Extensions {
  return {
    uriSans: [],
    dnsSans: [],
    emailSans: [],
    ipSans: [],
    isCa: false,
    pathLength: undefined,
    keyUsage: undefined,
    keyPurposes: undefined,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    unsupported: undefined,
  };
}

function readExtensions(list: DerReader, into: Extensions): void {
  const seen = new Set<string>();
  while (!list.isAtEnd) {
    const extension = list.enter(list.expect(derTag.sequence));
    const id = readOid(list.bytes, extension.expect(derTag.oid));
    const critical = extension.optional(derTag.boolean);
    const isCritical = critical !== undefined && readBoolean(list.bytes, critical);
    const value = extension.expect(derTag.octetString);
    extension.expectEnd();
    // RFC 5280 §4.2: no extension twice; which one counts would be a matter of taste.
    if (seen.has(id)) throw new DerSyntaxError("the same extension twice");
    seen.add(id);
    readExtension(id, extension.enter(value), into);
    // Name constraints are not enforced yet, so they refuse their CA whether or not it marked them critical, as RFC 5280 §4.2.1.10 demands.
    if ((isCritical && !understood.has(id)) || id === oid.nameConstraints) into.unsupported ??= id;
  }
}

function readExtension(id: string, value: DerReader, into: Extensions): void {
  switch (id) {
    case oid.subjectAltName:
      readNames(value.enter(value.expect(derTag.sequence)), into);
      break;
    case oid.basicConstraints: {
      const constraints = value.enter(value.expect(derTag.sequence));
      const ca = constraints.optional(derTag.boolean);
      into.isCa = ca !== undefined && readBoolean(value.bytes, ca);
      const pathLength = constraints.optional(derTag.integer);
      if (pathLength !== undefined) into.pathLength = readSmallInteger(value.bytes, pathLength);
      constraints.expectEnd();
      break;
    }
    case oid.keyUsage:
      into.keyUsage = readKeyUsage(value.bytes, value.expect(derTag.bitString));
      break;
    case oid.extendedKeyUsage: {
      const purposes = value.enter(value.expect(derTag.sequence));
      into.keyPurposes = [];
      while (!purposes.isAtEnd) into.keyPurposes.push(readOid(value.bytes, purposes.expect(derTag.oid)));
      break;
    }
    case oid.subjectKeyIdentifier:
      into.subjectKeyId = hexOf(value.bytes, value.expect(derTag.octetString));
      break;
    case oid.authorityKeyIdentifier: {
      const fields = value.enter(value.expect(derTag.sequence));
      const keyId = fields.optional(0x80);
      if (keyId !== undefined) into.authorityKeyId = hexOf(value.bytes, keyId);
      return;
    }
    default:
      return;
  }
  value.expectEnd();
}

function readNames(names: DerReader, into: Extensions): void {
  while (!names.isAtEnd) {
    const name = names.next();
    if (name.tag === 0x86) into.uriSans.push(visibleAscii(names.bytes, name));
    else if (name.tag === 0x82) into.dnsSans.push(visibleAscii(names.bytes, name));
    else if (name.tag === 0x81) into.emailSans.push(visibleAscii(names.bytes, name));
    else if (name.tag === 0x87) into.ipSans.push(readIpAddress(names.bytes, name));
  }
}

/** Names are IA5String; NUL, blanks and bytes above ASCII have no place in them and are how one name is made to look like another. */
function visibleAscii(bytes: Buffer, element: DerElement): string {
  for (let i = element.contentStart; i < element.end; i += 1) {
    const byte = bytes[i] ?? 0;
    if (byte < 0x21 || byte > 0x7e) throw new DerSyntaxError("a name with a byte that is not visible ASCII");
  }
  if (element.end === element.contentStart) throw new DerSyntaxError("an empty name");
  return bytes.toString("latin1", element.contentStart, element.end);
}

/** RFC 5280 §4.2.1.6: 4 bytes for IPv4, 16 for IPv6. */
function readIpAddress(bytes: Buffer, element: DerElement): string {
  const raw = bytes.subarray(element.contentStart, element.end);
  if (raw.length === 4) return raw.join(".");
  if (raw.length !== 16) throw new DerSyntaxError("an address of neither 4 nor 16 bytes");
  return canonicalHost((raw.toString("hex", 0, 16).match(/.{4}/g) ?? []).join(":"));
}

function readKeyUsage(bytes: Buffer, element: DerElement): number {
  const unusedBits = bytes[element.contentStart] ?? 8;
  if (unusedBits > 7 || element.end - element.contentStart > 3) throw new DerSyntaxError("not a KeyUsage");
  let usage = 0;
  for (let i = element.contentStart + 1, bit = 0; i < element.end; i += 1, bit += 8) {
    const byte = bytes[i] ?? 0;
    for (let k = 0; k < 8; k += 1) if ((byte & (0x80 >> k)) !== 0) usage |= 1 << (bit + k);
  }
  return usage;
}

function sliceOf(bytes: Buffer, element: DerElement): Buffer {
  return bytes.subarray(element.start, element.end);
}

function hexOf(bytes: Buffer, element: DerElement): string {
  return bytes.toString("hex", element.contentStart, element.end);
}
