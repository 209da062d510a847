import { isIPv4, isIPv6 } from "node:net";

/** A transport address. IPv6 hosts stand without brackets and without zone. */
export interface SocketAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * The one spelling of an IP address that policy and logs may see: IPv4-mapped IPv6 (`::ffff:10.0.0.1`, also in hexadecimal)
 * becomes IPv4, so that an IPv4 rule cannot be walked around through a dual-stack listener; other IPv6 becomes RFC 5952 text
 * without zone. What is not an IP address is returned unchanged.
 */
export function canonicalHost(host: string): string {
  if (!host.includes(":")) return host;
  const zone = host.indexOf("%");
  const bare = zone === -1 ? host : host.slice(0, zone);
  const groups = parseIpv6(bare);
  if (groups === undefined) return host;
  if (isMapped(groups)) return formatIpv4(groups[6] ?? 0, groups[7] ?? 0);
  return formatIpv6(groups);
}

/** `host:port`, IPv6 in brackets: how Envoy prints addresses and how endpoints are keyed. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The inverse of {@link formatAddress} for numeric hosts; undefined when it is none or the port is out of range. */
export function parseAddress(text: string): SocketAddress | undefined {
  const colon = text.lastIndexOf(":");
  if (colon === -1) return undefined;
  const portText = text.slice(colon + 1);
  if (!/^\d{1,5}$/.test(portText)) return undefined;
  const port = Number(portText);
  if (port > 65_535) return undefined;
  let host = text.slice(0, colon);
  if (host.startsWith("[") && host.endsWith("]")) {
    host = host.slice(1, -1);
    return isIPv6(host) ? { host: canonicalHost(host), port } : undefined;
  }
  return isIPv4(host) ? { host, port } : undefined;
}

/** The canonical text of an address of 4 or 16 bytes in the network's order. */
export function hostOfBytes(bytes: Buffer, at: number, size: 4 | 16): string {
  if (size === 4) return bytes.subarray(at, at + 4).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(at + 2 * index));
  return isMapped(groups) ? formatIpv4(groups[6] ?? 0, groups[7] ?? 0) : formatIpv6(groups);
}

/** The bytes of an address in the network's order: 4, or 16 of IPv6 and where an IPv4 address is to be mapped. */
export function bytesOfHost(host: string, isMappedIpv4: boolean): Buffer {
  const groups = parseIpv6(host.includes(":") ? host : `::ffff:${host}`) ?? [];
  const bytes = Buffer.alloc(16);
  groups.forEach((group, index) => bytes.writeUInt16BE(group, 2 * index));
  return host.includes(":") || isMappedIpv4 ? bytes : bytes.subarray(12);
}

/** Eight 16-bit groups, or undefined. */
function parseIpv6(text: string): number[] | undefined {
  if (!isIPv6(text)) return undefined;
  let source = text;
  const lastColon = source.lastIndexOf(":");
  const tail = source.slice(lastColon + 1);
  if (tail.includes(".")) {
    const [a = 0, b = 0, c = 0, d = 0] = tail.split(".").map(Number);
    source = `${source.slice(0, lastColon + 1)}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  }
  const gap = source.indexOf("::");
  if (gap === -1) return source.split(":").map(parseGroup);
  const head = splitGroups(source.slice(0, gap));
  const end = splitGroups(source.slice(gap + 2));
  return [...head, ...Array.from({ length: 8 - head.length - end.length }, () => 0), ...end];
}

function splitGroups(text: string): number[] {
  return text === "" ? [] : text.split(":").map(parseGroup);
}

function parseGroup(text: string): number {
  return Number.parseInt(text, 16);
}

function isMapped(groups: readonly number[]): boolean {
  for (let i = 0; i < 5; i += 1) if (groups[i] !== 0) return false;
  return groups[5] === 0xffff;
}

function formatIpv4(high: number, low: number): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}

/** RFC 5952 §4: lower case, no leading zeros, the longest run of at least two zero groups (the first of equals) as `::`. */
function formatIpv6(groups: readonly number[]): string {
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i += 1) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length += 1;
    if (length > bestLength) {
      bestStart = i;
      bestLength = length;
    }
    if (length > 0) i += length - 1;
  }
  const text = groups.map((group) => group.toString(16));
  if (bestStart === -1) return text.join(":");
  return `${text.slice(0, bestStart).join(":")}::${text.slice(bestStart + bestLength).join(":")}`;
}
