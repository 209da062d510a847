/** Longest name on the wire, root label included, and longest label (RFC 1035 §2.3.4). */
const maxNameBytes = 255;
const maxLabelBytes = 63;

/** A name that was read, and where it ends. */
export interface ReadName {
  /** Labels in lower case, joined by dots; empty: the root. Bytes that no host name has are written as `\DDD` (RFC 4343 §2.1). */
  readonly name: string;
  readonly end: number;
}

/**
 * Reads a name that is written out. Undefined when it is cut off, too long, or compressed: the first name of a message has nothing
 * before it that it could point to (RFC 1035 §4.1.4).
 */
export function readName(message: Uint8Array, start: number): ReadName | undefined {
  const labels: string[] = [];
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > maxLabelBytes) return undefined;
    if (at + 1 + length - start > maxNameBytes || at + 1 + length > message.length) return undefined;
    if (length === 0) return { name: labels.join("."), end: at + 1 };
    labels.push(readLabel(message, at + 1, length));
    at += 1 + length;
  }
}

/** Where a name ends that may be compressed: pointers are not followed, so that none can lead in a circle. Undefined when it is cut off. */
export function skipName(message: Uint8Array, start: number): number | undefined {
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) return at + 2 <= message.length ? at + 2 : undefined;
    if (length > maxLabelBytes || at - start > maxNameBytes) return undefined;
    if (length === 0) return at + 1;
    at += 1 + length;
  }
}

function readLabel(message: Uint8Array, start: number, length: number): string {
  let label = "";
  for (let at = start; at < start + length; at++) {
    const byte = message[at] ?? 0;
    const isUpper = byte >= 0x41 && byte <= 0x5a;
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c;
    if (isUpper) label += String.fromCharCode(byte + 0x20);
    else if (isPlain) label += String.fromCharCode(byte);
    else label += `\\${byte.toString().padStart(3, "0")}`;
  }
  return label;
}
