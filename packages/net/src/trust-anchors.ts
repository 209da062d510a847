import { getCACertificates } from "node:tls";
import type { Certificate } from "./certificate.ts";
import { parseCertificatesPem, sha256Hex } from "./certificate.ts";

/** The roots that one validation context trusts, read once per epoch and looked up by subject. */
export class TrustAnchors {
  readonly certificates: readonly Certificate[];
  /** Changes exactly when the set of roots changes, whatever their order or the text around them. */
  readonly fingerprint: string;
  readonly #bySubject = new Map<string, Certificate[]>();

  constructor(certificates: readonly Certificate[]) {
    this.certificates = certificates;
    const hashes: string[] = [];
    for (const certificate of certificates) {
      hashes.push(sha256Hex(certificate.der));
      const sameName = this.#bySubject.get(certificate.subjectKey);
      if (sameName === undefined) this.#bySubject.set(certificate.subjectKey, [certificate]);
      else sameName.push(certificate);
    }
    this.fingerprint = sha256Hex(Buffer.from([...new Set(hashes)].sort().join("\n"), "latin1"));
  }

  /** undefined when the PEM holds no certificate, or one that cannot be read: half a bundle would be a different trust decision. */
  static fromPem(pem: string): TrustAnchors | undefined {
    const certificates = parseCertificatesPem(pem);
    return certificates === undefined ? undefined : new TrustAnchors(certificates);
  }

  /**
   * The machine's own trust store, as OpenSSL finds it (`SSL_CERT_FILE` and `SSL_CERT_DIR` first); undefined when it is empty. A certificate in it that cannot
   * be read is left out: that only narrows who is trusted. Read once a thread, since it takes 0.3 s for 145 roots (Node 26, busy machine).
   */
  static ofSystem(): TrustAnchors | undefined {
    ofSystem ??= new TrustAnchors(
      [...new Set(getCACertificates("system"))].flatMap((pem) => parseCertificatesPem(pem) ?? []),
    );
    return ofSystem.certificates.length === 0 ? undefined : ofSystem;
  }

  bySubject(subjectKey: string): readonly Certificate[] {
    return this.#bySubject.get(subjectKey) ?? [];
  }

  has({ subjectKey, der }: Certificate): boolean {
    return this.bySubject(subjectKey).some((anchor) => anchor.der.equals(der));
  }
}

let ofSystem: TrustAnchors | undefined;

/** Intermediates kept per pool; a mesh has a handful. */
const maxKnownIntermediates = 64;

/** Where a path is looked for beside what the peer sent. */
export interface IntermediatePool {
  bySubject(subjectKey: string): readonly Certificate[];
  add(certificate: Certificate): void;
}

/**
 * Intermediates of chains that were verified before, one pool per trust epoch. A resumed TLS session carries the peer's leaf alone (neither OpenSSL's
 * tickets nor its serialised sessions hold the chain), so the path is rebuilt with these. They are only steps on a path: every signature, date and
 * revocation along it is checked again, and a path still has to end at an anchor.
 */
export class KnownIntermediates implements IntermediatePool {
  readonly #bySubject = new Map<string, Certificate[]>();
  #size = 0;

  bySubject(subjectKey: string): readonly Certificate[] {
    return this.#bySubject.get(subjectKey) ?? [];
  }

  add(certificate: Certificate): void {
    const sameName = this.#bySubject.get(certificate.subjectKey) ?? [];
    if (this.#size >= maxKnownIntermediates || sameName.some((known) => known.der.equals(certificate.der))) return;
    sameName.push(certificate);
    this.#bySubject.set(certificate.subjectKey, sameName);
    this.#size += 1;
  }
}
