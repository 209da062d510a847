import { X509Certificate } from "node:crypto";
import { derBlocks } from "@heddle/net";
import type { CertificateView } from "./source.ts";

/** The certificates of a PEM text, for `/certs`. */
export function certificateViews(pem: string, name: string): CertificateView[] {
  return (derBlocks(pem, "CERTIFICATE") ?? []).flatMap((der) => {
    let certificate: X509Certificate;
    try {
      certificate = new X509Certificate(der);
    } catch {
      // An unreadable certificate serves nobody; the loader has said so where it came in.
      return [];
    }
    const names = (certificate.subjectAltName ?? "")
      .split(", ")
      .flatMap((entry) => /^(?:URI|DNS|IP Address):(.+)$/.exec(entry)?.[1] ?? []);
    return [
      {
        path: name,
        serialNumber: certificate.serialNumber.toLowerCase(),
        subjectAltNames: names,
        validFromMs: certificate.validFromDate.getTime(),
        expirationMs: certificate.validToDate.getTime(),
      },
    ];
  });
}
