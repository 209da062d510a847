import { randomBytes, webcrypto } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "@heddle/core";
import { Secret } from "@heddle/core";
import { prepareStateDirectory, readStateFile, StateIsNewer, writeStateFile } from "@heddle/state";
import type { Pkcs10CertificateRequest } from "./x509.ts";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "./x509.ts";

const ecdsa = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 86_400_000;
/** Istio's self-signed root lives ten years (istio.md 4.3). */
const rootLifeMs = 3650 * dayMs;
/** Clocks of two machines differ: a certificate is valid a little before it was made. */
const backdateMs = 60_000;
const stateName = "certificate-authority";
const stateVersion = 1;

/** Life of a workload's certificate when the request names none, and the longest that is granted (design §5: 24 h). */
export const defaultLifeMs = dayMs;

/** A signed certificate: the leaf first, the root not among them. */
export interface IssuedCertificate {
  readonly chainPem: readonly string[];
  readonly identity: string;
  readonly serial: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** A key pair with its chain, for the control plane's own door. */
export interface ServerCredentials {
  readonly keyPem: Secret<string>;
  readonly certificate: IssuedCertificate;
}

interface StoredAuthority {
  readonly keyPkcs8: string;
  readonly rootPem: string;
}

/** Why the authority could not be opened; its message says what to do. */
export class AuthorityStateError extends Error {}

/**
 * Heddle's own certificate authority: a self-signed P-256 root, made at the first start and kept in the state
 * directory (0700, file 0600). It signs SPIFFE X.509-SVIDs: one URI SAN, no CA bit, critical extensions (SPIFFE
 * X509-SVID, sections 4 and 5).
 */
export class CertificateAuthority {
  readonly #key: webcrypto.CryptoKey;
  readonly #root: X509Certificate;
  readonly #clock: Clock;
  readonly trustDomain: string;
  /** PEM of the anchor that everything this authority signs chains to. */
  readonly rootPem: string;

  private constructor(key: webcrypto.CryptoKey, rootPem: string, trustDomain: string, clock: Clock) {
    this.#key = key;
    this.#root = new X509Certificate(rootPem);
    this.#clock = clock;
    this.rootPem = rootPem;
    this.trustDomain = trustDomain;
  }

  /**
   * Opens the authority of a state directory, or makes one there.
   *
   * A file that cannot be read is an `AuthorityStateError`, at this start and at every later one, until somebody has put a
   * backup in its place or removed the copy that was moved aside: a new root cuts off every workload that trusts the old one,
   * and a supervisor that starts the process again must not be the one who decides that.
   */
  static async open(directory: string, trustDomain: string, clock: Clock): Promise<CertificateAuthority> {
    prepareStateDirectory(directory);
    const path = join(directory, "authority.state");
    const content = await readStateFile(path, stateName, stateVersion, clock.wallMs());
    switch (content.kind) {
      case "read":
        return CertificateAuthority.#restore(content.payload, path, trustDomain, clock);
      case "absent":
        await refuseAfterDamage(path);
        return CertificateAuthority.#create(path, trustDomain, clock);
      case "newer":
        throw new StateIsNewer(path, content.formatVersion, stateVersion);
      case "corrupt":
        throw new AuthorityStateError(
          `${path} cannot be trusted: ${content.reason}. It was moved to ${content.movedTo}. ${wayOut}`,
        );
    }
  }

  static async #restore(
    payload: Buffer,
    path: string,
    trustDomain: string,
    clock: Clock,
  ): Promise<CertificateAuthority> {
    const { key, root, rootPem } = await readStored(payload, path);
    const names = uriNames(root);
    if (!names.includes(`spiffe://${trustDomain}`)) {
      throw new AuthorityStateError(
        `${path} is the authority of ${names.join(", ")}, not of the trust domain ${trustDomain}: set trustDomain back; or move the folder ${dirname(path)} away, and the next start makes a new root and every workload joins anew`,
      );
    }
    if (root.notAfter.getTime() <= clock.wallMs()) {
      throw new AuthorityStateError(
        `the root in ${path} expired at ${root.notAfter.toISOString()}: compare the host's clock, or remove the file to make a new root, and every workload joins anew`,
      );
    }
    return new CertificateAuthority(key, rootPem, trustDomain, clock);
  }

  static async #create(path: string, trustDomain: string, clock: Clock): Promise<CertificateAuthority> {
    const keys = await webcrypto.subtle.generateKey(ecdsa, true, ["sign", "verify"]);
    const now = clock.wallMs();
    const root = await X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name: `O=${trustDomain}, CN=Heddle root`,
      notBefore: new Date(now - backdateMs),
      notAfter: new Date(now + rootLifeMs),
      signingAlgorithm: ecdsa,
      keys,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        // X509-SVID section 3.1: a signing certificate may carry the trust domain's own id.
        new SubjectAlternativeNameExtension([{ type: "url", value: `spiffe://${trustDomain}` }], false),
        await SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const stored: StoredAuthority = {
      keyPkcs8: Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64"),
      rootPem: root.toString("pem"),
    };
    await writeStateFile(path, stateName, stateVersion, Buffer.from(JSON.stringify(stored)));
    return new CertificateAuthority(keys.privateKey, stored.rootPem, trustDomain, clock);
  }

  /**
   * Signs the public key of a request whose signature and name were checked before (`readCertificateRequest`).
   * @param lifeMs wished life in milliseconds; 0 or more than 24 h becomes 24 h, and never beyond the root's own end
   */
  async sign(request: Pkcs10CertificateRequest, identity: string, lifeMs: number): Promise<IssuedCertificate> {
    return this.#issue(await request.publicKey.export(), identity, lifeMs, []);
  }

  /** Makes a key and a certificate for this process itself, with DNS and IP names beside its SPIFFE id. */
  async issueServer(
    identity: string,
    dnsNames: readonly string[],
    addresses: readonly string[],
  ): Promise<ServerCredentials> {
    const keys = await webcrypto.subtle.generateKey(ecdsa, true, ["sign", "verify"]);
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
    const certificate = await this.#issue(keys.publicKey, identity, defaultLifeMs, [
      ...dnsNames.map((value) => ({ type: "dns", value }) as const),
      ...addresses.map((value) => ({ type: "ip", value }) as const),
    ]);
    const body = pkcs8.match(/.{1,64}/g) ?? [];
    return {
      keyPem: new Secret(`-----BEGIN PRIVATE KEY-----\n${body.join("\n")}\n-----END PRIVATE KEY-----\n`),
      certificate,
    };
  }

  async #issue(
    publicKey: webcrypto.CryptoKey,
    identity: string,
    lifeMs: number,
    otherNames: readonly { type: "dns" | "ip"; value: string }[],
  ): Promise<IssuedCertificate> {
    const now = this.#clock.wallMs();
    const granted = lifeMs > 0 ? Math.min(lifeMs, defaultLifeMs) : defaultLifeMs;
    // A certificate knows whole seconds (RFC 5280 §4.1.2.5): what is reported is what stands in it.
    const notBeforeMs = wholeSecond(now - backdateMs);
    const notAfterMs = wholeSecond(Math.min(now + granted, this.#root.notAfter.getTime()));
    const serial = newSerial();
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial,
      // The subject says nothing (the SAN says all), so the SAN is critical: RFC 5280 §4.2.1.6.
      subject: "",
      issuer: this.#root.subject,
      notBefore: new Date(notBeforeMs),
      notAfter: new Date(notAfterMs),
      signingAlgorithm: ecdsa,
      publicKey,
      signingKey: this.#key,
      extensions: [
        new BasicConstraintsExtension(false, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth], false),
        new SubjectAlternativeNameExtension([{ type: "url", value: identity }, ...otherNames], true),
        await AuthorityKeyIdentifierExtension.create(this.#root.publicKey),
        await SubjectKeyIdentifierExtension.create(publicKey),
      ],
    });
    return {
      chainPem: [certificate.toString("pem")],
      identity,
      serial,
      notBeforeMs,
      notAfterMs,
    };
  }
}

/** Reads what `#create` stored. */
async function readStored(
  payload: Buffer,
  path: string,
): Promise<{ key: webcrypto.CryptoKey; root: X509Certificate; rootPem: string }> {
  try {
    const { keyPkcs8, rootPem } = JSON.parse(payload.toString("utf8")) as StoredAuthority;
    const key = await webcrypto.subtle.importKey("pkcs8", Buffer.from(keyPkcs8, "base64"), ecdsa, false, ["sign"]);
    return { key, root: new X509Certificate(rootPem), rootPem };
  } catch {
    // The parser's own words might quote the key.
    throw new AuthorityStateError(`${path} holds no key and root that can be read. ${wayOut}`);
  }
}

/** What to do about an authority that is lost. */
const wayOut =
  "Put a backup in its place; or remove that file, and the next start makes a new root and every workload joins anew";

async function refuseAfterDamage(path: string): Promise<void> {
  const damaged = (await readdir(dirname(path))).filter((name) => name.startsWith(`${basename(path)}.corrupt-`)).sort();
  if (damaged.length === 0) return;
  throw new AuthorityStateError(
    `${path} was damaged and moved to ${damaged.map((name) => join(dirname(path), name)).join(", ")}. ${wayOut}`,
  );
}

function wholeSecond(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

/** The URI names of a certificate, as they stand in its subject alternative name. */
function uriNames(certificate: X509Certificate): string[] {
  const extension = certificate.getExtension(SubjectAlternativeNameExtension);
  return (extension?.names.items ?? []).filter((name) => name.type === "url").map((name) => name.value);
}

/** 127 random bits: positive, as RFC 5280 §4.1.2.2 demands, and not to be guessed. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString("hex");
}
