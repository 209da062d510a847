import type { DerReader } from "./der.ts";
import { DerSyntaxError, derTag, readOid } from "./der.ts";

/** Short names as OpenSSL prints them; attributes without one are printed as dotted OID and hexadecimal DER (RFC 2253 §2.4). */
const shortNames: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.42": "GN",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};

/** A Name as RFC 2253 text, most specific part first: what Envoy puts into `Subject=` of x-forwarded-client-cert. */
export function formatDistinguishedName(name: DerReader): string {
  const parts: string[] = [];
  while (!name.isAtEnd) {
    const rdn = name.enter(name.expect(derTag.set));
    const attributes: string[] = [];
    while (!rdn.isAtEnd) attributes.push(formatAttribute(rdn.enter(rdn.expect(derTag.sequence))));
    if (attributes.length === 0) throw new DerSyntaxError("empty relative distinguished name");
    parts.unshift(attributes.join("+"));
  }
  return parts.join(",");
}

function formatAttribute(reader: DerReader): string {
  const oid = readOid(reader.bytes, reader.expect(derTag.oid));
  const value = reader.next();
  reader.expectEnd();
  const shortName = shortNames[oid];
  const utf8 = shortName === undefined ? undefined : utf8Of(reader.bytes, value.tag, value.contentStart, value.end);
  if (utf8 === undefined)
    return `${shortName ?? oid}=#${reader.bytes.toString("hex", value.start, value.end).toUpperCase()}`;
  return `${shortName}=${escapeValue(utf8)}`;
}

/** The value's bytes in UTF-8, or undefined for a type that is no text. */
function utf8Of(bytes: Buffer, tag: number, start: number, end: number): Buffer | undefined {
  switch (tag) {
    case derTag.utf8String:
    case derTag.printableString:
    case derTag.ia5String:
      return bytes.subarray(start, end);
    case derTag.teletexString:
      return Buffer.from(bytes.toString("latin1", start, end), "utf8");
    case derTag.bmpString: {
      if ((end - start) % 2 !== 0) throw new DerSyntaxError("odd length of a BMPString");
      const swapped = Buffer.from(bytes.subarray(start, end)).swap16();
      return Buffer.from(swapped.toString("utf16le", 0, swapped.length), "utf8");
    }
    default:
      return undefined;
  }
}

/** RFC 2253 §2.4; bytes outside printable ASCII as `\XX`, as OpenSSL's XN_FLAG_RFC2253 does. */
function escapeValue(utf8: Buffer): string {
  let text = "";
  for (let i = 0; i < utf8.length; i += 1) {
    const byte = utf8[i] ?? 0;
    const char = String.fromCharCode(byte);
    const isEdgeSpace = byte === 0x20 && (i === 0 || i === utf8.length - 1);
    if (byte < 0x20 || byte > 0x7e) text += `\\${byte.toString(16).toUpperCase().padStart(2, "0")}`;
    else if (isEdgeSpace || (byte === 0x23 && i === 0) || ',+"\\<>;'.includes(char)) text += `\\${char}`;
    else text += char;
  }
  return text;
}
