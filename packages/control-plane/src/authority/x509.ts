/**
 * The one door to `@peculiar/x509`: its dependency injection needs a polyfill of the Reflect metadata API, loaded
 * before it, and its cryptography provider.
 */
import "reflect-metadata";
import { cryptoProvider } from "@peculiar/x509";

cryptoProvider.set(globalThis.crypto);

export {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
