import "reflect-metadata";
import type { webcrypto } from "node:crypto";
import { randomBytes } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from "@peculiar/x509";

type KeyPair = webcrypto.CryptoKeyPair;

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

// Flags combine to a number that the enum has no name for.
const authorityUsage = (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign) as KeyUsageFlags;

const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";

/** Everything about a leaf that a test may want wrong. What is left out is as a SPIFFE X.509-SVID demands. */
export interface LeafOptions {
  /** URI names; default: the workload's SPIFFE ID. */
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  /** RFC 4514 text, e.g. `CN=reviews, O=Example`; empty by default, as Istio's leaves are. */
  readonly subject?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly isCa?: boolean;
  /** KeyUsage flags; `null`: without the extension. */
  readonly keyUsage?: KeyUsageFlags | null;
  /** Extended key usages by OID; `null`: without the extension. */
  readonly purposes?: readonly string[] | null;
  /** Replaces the whole SubjectAltName extension by these bytes. */
  readonly subjectAltNameDer?: Buffer;
  readonly extraExtensions?: readonly Extension[];
}

export interface IssuedIdentity {
  /** Leaf first, then the intermediates up to but without the root. */
  readonly chainDer: readonly Buffer[];
  readonly chainPem: string;
  readonly privateKeyPem: string;
  /** Hexadecimal. */
  readonly serialNumber: string;
}

export interface AuthorityOptions {
  readonly subject?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly pathLength?: number;
  readonly isCa?: boolean;
  readonly keyUsage?: KeyUsageFlags;
  readonly extraExtensions?: readonly Extension[];
}

/** A certificate authority for one test: a root, intermediates below it, and leaves both good and bad. */
export class ThrowawayCa {
  readonly certificateDer: Buffer;
  readonly certificatePem: string;
  readonly subject: string;
  readonly #keys: KeyPair;
  /** What leaves carry behind themselves: this authority and those above it, without the root. */
  readonly #chain: readonly Buffer[];

  private constructor(subject: string, certificateDer: Buffer, keys: KeyPair, chain: readonly Buffer[]) {
    this.subject = subject;
    this.certificateDer = certificateDer;
    this.certificatePem = pem("CERTIFICATE", certificateDer);
    this.#keys = keys;
    this.#chain = chain;
  }

  static async create(options: AuthorityOptions = {}): Promise<ThrowawayCa> {
    const subject = options.subject ?? `CN=throw-away root ${randomBytes(4).toString("hex")}`;
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject,
      issuer: subject,
      ...validity(options),
      signingKey: keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: algorithm,
      extensions: await authorityExtensions(options, keys.publicKey, undefined),
    });
    return new ThrowawayCa(subject, Buffer.from(certificate.rawData), keys, []);
  }

  /** An authority signed by this one. */
  async createIntermediate(options: AuthorityOptions = {}): Promise<ThrowawayCa> {
    const subject = options.subject ?? `CN=throw-away intermediate ${randomBytes(4).toString("hex")}`;
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject,
      issuer: this.subject,
      ...validity(options),
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: algorithm,
      extensions: await authorityExtensions(options, keys.publicKey, this.#keys.publicKey),
    });
    const der = Buffer.from(certificate.rawData);
    return new ThrowawayCa(subject, der, keys, [der, ...this.#chain]);
  }

  /** An X.509-SVID for this SPIFFE ID, or what `options` make of it. */
  async issue(spiffeId: string, options: LeafOptions = {}): Promise<IssuedIdentity> {
    const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
    const serialNumber = newSerial();
    const certificate = await X509CertificateGenerator.create({
      serialNumber,
      subject: options.subject ?? "",
      issuer: this.subject,
      ...validity(options),
      signingKey: this.#keys.privateKey,
      publicKey: keys.publicKey,
      signingAlgorithm: algorithm,
      extensions: [
        ...leafExtensions(options),
        ...subjectAltName(spiffeId, options),
        await AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
        ...(options.extraExtensions ?? []),
      ],
    });
    const chainDer = [Buffer.from(certificate.rawData), ...this.#chain];
    const pkcs8 = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
    return {
      chainDer,
      chainPem: chainDer.map((der) => pem("CERTIFICATE", der)).join(""),
      privateKeyPem: pem("PRIVATE KEY", pkcs8),
      serialNumber,
    };
  }

  /** A revocation list of this authority, PEM. */
  async revoke(
    serialNumbers: readonly string[],
    options: { readonly thisUpdate?: Date; readonly nextUpdate?: Date } = {},
  ): Promise<string> {
    const list = await X509CrlGenerator.create({
      issuer: this.subject,
      thisUpdate: options.thisUpdate ?? new Date(Date.now() - 60_000),
      nextUpdate: options.nextUpdate ?? new Date(Date.now() + 3_600_000),
      entries: serialNumbers.map((serialNumber) => ({ serialNumber, revocationDate: new Date(Date.now() - 60_000) })),
      signingKey: this.#keys.privateKey,
      signingAlgorithm: algorithm,
    });
    return pem("X509 CRL", Buffer.from(list.rawData));
  }
}

function validity(options: { readonly notBefore?: Date; readonly notAfter?: Date }): {
  notBefore: Date;
  notAfter: Date;
} {
  return {
    notBefore: options.notBefore ?? new Date(Date.now() - 60_000),
    notAfter: options.notAfter ?? new Date(Date.now() + 3_600_000),
  };
}

async function authorityExtensions(
  options: AuthorityOptions,
  subjectKey: CryptoKey,
  issuerKey: CryptoKey | undefined,
): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(options.isCa ?? true, options.pathLength, true),
    new KeyUsagesExtension(options.keyUsage ?? authorityUsage, true),
    await SubjectKeyIdentifierExtension.create(subjectKey),
    ...(issuerKey === undefined ? [] : [await AuthorityKeyIdentifierExtension.create(issuerKey)]),
    ...(options.extraExtensions ?? []),
  ];
}

function leafExtensions(options: LeafOptions): Extension[] {
  const extensions: Extension[] = [new BasicConstraintsExtension(options.isCa ?? false, undefined, true)];
  if (options.keyUsage !== null) {
    extensions.push(new KeyUsagesExtension(options.keyUsage ?? KeyUsageFlags.digitalSignature, true));
  }
  if (options.purposes !== null) {
    extensions.push(new ExtendedKeyUsageExtension([...(options.purposes ?? [serverAuth, clientAuth])]));
  }
  return extensions;
}

function subjectAltName(spiffeId: string, options: LeafOptions): Extension[] {
  const id = "2.5.29.17";
  if (options.subjectAltNameDer !== undefined) return [new Extension(id, false, options.subjectAltNameDer)];
  const uris = options.uris ?? [spiffeId];
  const dnsNames = options.dnsNames ?? [];
  if (uris.length + dnsNames.length === 0) return [];
  const names = [
    ...uris.map((value) => ({ type: "url" as const, value })),
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
  ];
  return [new SubjectAlternativeNameExtension(names)];
}

/** Positive and 16 bytes: the first byte is neither 0 nor above 127. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString("hex");
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

export { Extension, KeyUsageFlags };
