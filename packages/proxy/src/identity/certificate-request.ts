import { createPublicKey, type KeyObject, sign } from "node:crypto";

// DER tags (X.690).
const integer = 0x02;
const bitString = 0x03;
const octetString = 0x04;
const sequence = 0x30;
const set = 0x31;
/** GeneralName ::= [6] uniformResourceIdentifier (RFC 5280 §4.2.1.6). */
const uriName = 0x86;
/** CertificationRequestInfo's attributes ::= [0] (RFC 2986 §4.1). */
const attributes = 0xa0;

const subjectAltName = Buffer.from("0603551d11", "hex");
/** 1.2.840.113549.1.9.14 (RFC 2985 §5.4.2) */
const extensionRequest = Buffer.from("06092a864886f70d01090e", "hex");
/** 1.2.840.10045.4.3.2 (RFC 5758 §3.2) */
const ecdsaWithSha256 = Buffer.from("06082a8648ce3d040302", "hex");
const critical = Buffer.from("0101ff", "hex");

/**
 * A PKCS #10 request (RFC 2986) for an X.509-SVID: empty subject, the SPIFFE URI as the only subject alternative name,
 * critical because the subject is empty (RFC 5280 §4.2.1.6). Written out here since it is the only thing that a proxy ever
 * encodes: the X.509 library costs each one 22 MB and 120 ms.
 *
 * @param key a P-256 private key
 * @returns PEM
 */
export function createCertificateRequest(key: KeyObject, uri: string): string {
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const names = tlv(sequence, tlv(uriName, Buffer.from(uri, "latin1")));
  const extensions = tlv(sequence, tlv(sequence, subjectAltName, critical, tlv(octetString, names)));
  const info = tlv(
    sequence,
    tlv(integer, Buffer.from([0])),
    tlv(sequence),
    publicKey,
    tlv(attributes, tlv(sequence, extensionRequest, tlv(set, extensions))),
  );
  const signature = sign("sha256", info, key);
  const request = tlv(sequence, info, tlv(sequence, ecdsaWithSha256), tlv(bitString, Buffer.from([0]), signature));
  const base64 = request.toString("base64").replaceAll(/.{64}(?!$)/g, "$&\n");
  return `-----BEGIN CERTIFICATE REQUEST-----\n${base64}\n-----END CERTIFICATE REQUEST-----\n`;
}

/** Tag, length, value; lengths in the definite form, below 64 KiB. */
function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}
