import { isIPv4, isIPv6 } from "node:net";
import type { SocketAddress } from "./ip-address.ts";
import { bytesOfHost, canonicalHost, hostOfBytes } from "./ip-address.ts";

/** A type-length-value of a version 2 header (§2.2). */
export interface ProxyTlv {
  readonly type: number;
  readonly value: Uint8Array;
}

/** Both ends of the connection that a header tells of. */
export interface ProxiedAddresses {
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
}

/** What the first bytes of a connection say about PROXY protocol. */
export type ProxyHeader =
  | { readonly kind: "incomplete" }
  /** They are something else. */
  | { readonly kind: "none" }
  | { readonly kind: "malformed"; readonly version: 1 | 2; readonly reason: string }
  | {
      readonly kind: "found";
      readonly version: 1 | 2;
      /** Bytes of the header, which are not the application's. */
      readonly length: number;
      /** undefined: the connection speaks for itself (LOCAL, UNKNOWN, UNSPEC), or comes from a Unix socket. */
      readonly addresses: ProxiedAddresses | undefined;
      readonly tlvs: readonly ProxyTlv[];
    };

/**
 * Longest header of version 2 that is taken, with its TLVs. The protocol allows 65,551; nginx takes this many, and nobody sends more: a connection
 * whose peer is not known yet gets no 64 KiB of memory.
 */
export const maxProxyHeaderBytes = 4_096;

/** §2.1: "107 characters … 108-byte buffer". */
const maxVersion1Bytes = 107;
const version1Signature = Buffer.from("PROXY ", "latin1");
const version2Signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const version2FixedBytes = 16;

const incomplete: ProxyHeader = { kind: "incomplete" };
const none: ProxyHeader = { kind: "none" };

/**
 * Reads a header of the PROXY protocol, version 1 or 2 (haproxy's proxy-protocol.txt), from the first bytes of a connection, however they are split.
 *
 * @param bytes everything received so far, from `start`
 */
export function parseProxyHeader(bytes: Buffer, start: number, end: number): ProxyHeader {
  const length = end - start;
  if (beginsAs(version1Signature, bytes, start, end)) {
    return length < version1Signature.length ? incomplete : parseVersion1(bytes, start, end);
  }
  if (!beginsAs(version2Signature, bytes, start, end)) return none;
  return length < version2FixedBytes ? incomplete : parseVersion2(bytes, start, end);
}

/** The bytes do not differ from the signature as far as both go. Of no bytes everything may become. */
function beginsAs(signature: Buffer, bytes: Buffer, start: number, end: number): boolean {
  const compared = Math.min(signature.length, end - start);
  return signature.compare(bytes, start, start + compared, 0, compared) === 0;
}

/** §2.1: `PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n`, single spaces, no leading zeros in ports. */
function parseVersion1(bytes: Buffer, start: number, end: number): ProxyHeader {
  const limit = Math.min(end, start + maxVersion1Bytes);
  const lineEnd = bytes.indexOf("\r\n", start, "latin1");
  if (lineEnd === -1 || lineEnd + 2 > limit) {
    if (limit - start < maxVersion1Bytes) return incomplete;
    return malformed(1, `the line is longer than ${maxVersion1Bytes} bytes`);
  }
  const length = lineEnd + 2 - start;
  const [, family, source, destination, sourcePort, destinationPort, ...rest] = bytes
    .toString("latin1", start, lineEnd)
    .split(" ");
  // What follows UNKNOWN must be ignored.
  if (family === "UNKNOWN") return { kind: "found", version: 1, length, addresses: undefined, tlvs: [] };
  const isRightFamily = family === "TCP4" ? isIPv4 : family === "TCP6" ? isPlainIpv6 : undefined;
  if (isRightFamily === undefined) return malformed(1, "the family is none of TCP4, TCP6 and UNKNOWN");
  const from = parsePort(sourcePort);
  const to = parsePort(destinationPort);
  if (rest.length > 0 || from === undefined || to === undefined) return malformed(1, "there are not two ports");
  if (source === undefined || destination === undefined || !isRightFamily(source) || !isRightFamily(destination))
    return malformed(1, `the addresses are not both of ${family}`);
  const addresses = {
    source: { host: canonicalHost(source), port: from },
    destination: { host: canonicalHost(destination), port: to },
  };
  return { kind: "found", version: 1, length, addresses, tlvs: [] };
}

/** A zone names an interface of the sender's host, which means nothing here. */
function isPlainIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

function parsePort(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:0|[1-9]\d{0,4})$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65_535 ? port : undefined;
}

const families = { unspecified: 0x00, tcp4: 0x11, tcp6: 0x21, unixStream: 0x31 } as const;
const addressBytes: Readonly<Record<number, number>> = {
  [families.unspecified]: 0,
  [families.tcp4]: 12,
  [families.tcp6]: 36,
  [families.unixStream]: 216,
};

function parseVersion2(bytes: Buffer, start: number, end: number): ProxyHeader {
  const versionAndCommand = bytes.readUInt8(start + 12);
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2) return malformed(2, `version ${versionAndCommand >> 4} is unknown`);
  if (command > 1) return malformed(2, `command ${command} is unknown`);
  const family = bytes.readUInt8(start + 13);
  const length = version2FixedBytes + bytes.readUInt16BE(start + 14);
  if (length > maxProxyHeaderBytes) return malformed(2, `the header is longer than ${maxProxyHeaderBytes} bytes`);
  // A connection of the sender's own, a health check: the rest says nothing, and is skipped (§2.2).
  if (command === 0) {
    return end - start < length ? incomplete : { kind: "found", version: 2, length, addresses: undefined, tlvs: [] };
  }
  const size = addressBytes[family];
  if (size === undefined)
    return malformed(2, `family and transport 0x${family.toString(16)} are none of a stream that is known`);
  if (version2FixedBytes + size > length) return malformed(2, "the header is too short for its addresses");
  if (end - start < length) return incomplete;
  const at = start + version2FixedBytes;
  // Of UNSPEC everything is ignored: without addresses nobody knows where TLVs would begin.
  const tlvs = family === families.unspecified ? [] : readTlvs(bytes, at + size, start + length);
  if (tlvs === undefined) return malformed(2, "a TLV runs over the end of the header");
  return { kind: "found", version: 2, length, addresses: readAddresses(bytes, at, family), tlvs };
}

function readAddresses(bytes: Buffer, at: number, family: number): ProxiedAddresses | undefined {
  if (family !== families.tcp4 && family !== families.tcp6) return undefined;
  const size = family === families.tcp4 ? 4 : 16;
  const ports = at + 2 * size;
  return {
    source: { host: hostOfBytes(bytes, at, size), port: bytes.readUInt16BE(ports) },
    destination: { host: hostOfBytes(bytes, at + size, size), port: bytes.readUInt16BE(ports + 2) },
  };
}

/** undefined: they do not fill the space exactly. The values are copies, since the bytes they came in are used again. */
function readTlvs(bytes: Buffer, start: number, end: number): ProxyTlv[] | undefined {
  const tlvs: ProxyTlv[] = [];
  let at = start;
  while (at < end) {
    if (end - at < 3) return undefined;
    const valueStart = at + 3;
    const valueEnd = valueStart + bytes.readUInt16BE(at + 1);
    if (valueEnd > end) return undefined;
    tlvs.push({ type: bytes.readUInt8(at), value: Buffer.from(bytes.subarray(valueStart, valueEnd)) });
    at = valueEnd;
  }
  return tlvs;
}

function malformed(version: 1 | 2, reason: string): ProxyHeader {
  return { kind: "malformed", version, reason };
}

/**
 * The header to send for a connection between these addresses; both as IPv6 when one is. TLVs that find no room in the length's 16 bits are left out from the
 * first such on.
 *
 * @param addresses undefined: of a connection of this side's own (`UNKNOWN`, LOCAL)
 */
export function formatProxyHeader(
  version: 1 | 2,
  addresses: ProxiedAddresses | undefined,
  tlvs: readonly ProxyTlv[] = [],
): Buffer {
  return version === 1 ? formatVersion1(addresses) : formatVersion2(addresses, tlvs);
}

function formatVersion1(addresses: ProxiedAddresses | undefined): Buffer {
  if (addresses === undefined) return Buffer.from("PROXY UNKNOWN\r\n", "latin1");
  const { source, destination } = addresses;
  const isIpv4 = isIPv4(source.host) && isIPv4(destination.host);
  const text = (host: string): string => (isIpv4 || host.includes(":") ? host : `::ffff:${host}`);
  const line = `PROXY ${isIpv4 ? "TCP4" : "TCP6"} ${text(source.host)} ${text(destination.host)} ${source.port} ${destination.port}\r\n`;
  return Buffer.from(line, "latin1");
}

function formatVersion2(addresses: ProxiedAddresses | undefined, tlvs: readonly ProxyTlv[]): Buffer {
  const fixed = Buffer.alloc(version2FixedBytes);
  version2Signature.copy(fixed);
  if (addresses === undefined) {
    fixed.writeUInt8(0x20, 12);
    return fixed;
  }
  const { source, destination } = addresses;
  const isIpv4 = isIPv4(source.host) && isIPv4(destination.host);
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port);
  ports.writeUInt16BE(destination.port, 2);
  const parts: Uint8Array[] = [bytesOfHost(source.host, !isIpv4), bytesOfHost(destination.host, !isIpv4), ports];
  let length = parts.reduce((sum, part) => sum + part.length, 0);
  for (const { type, value } of tlvs) {
    if (length + 3 + value.length > 65_535) break;
    const head = Buffer.of(type, value.length >> 8, value.length & 0xff);
    parts.push(head, value);
    length += 3 + value.length;
  }
  fixed.writeUInt8(0x21, 12);
  fixed.writeUInt8(isIpv4 ? families.tcp4 : families.tcp6, 13);
  fixed.writeUInt16BE(length, 14);
  return Buffer.concat([fixed, ...parts]);
}
