import type { CidrRange } from "../config/address.ts";

/** An address as one (IPv4) or four (IPv6) unsigned 32-bit words, most significant first. */
export type IpWords = readonly number[];

function parseIpv4(text: string): number | undefined {
  let value = 0;
  let parts = 0;
  let digits = 0;
  let octet = 0;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 46;
    if (code === 46) {
      if (digits === 0) return undefined;
      value = value * 256 + octet;
      parts++;
      digits = 0;
      octet = 0;
    } else {
      if (code < 48 || code > 57) return undefined;
      // A leading zero means octal to some parsers; inet_pton refuses it, and so does Envoy.
      if (digits > 0 && octet === 0) return undefined;
      octet = octet * 10 + code - 48;
      digits++;
      if (octet > 255) return undefined;
    }
  }
  return parts === 4 ? value : undefined;
}

function parseIpv6(text: string): IpWords | undefined {
  const zone = text.indexOf("%");
  let body = zone === -1 ? text : text.slice(0, zone);
  const lastColon = body.lastIndexOf(":");
  if (lastColon === -1) return undefined;
  if (body.includes(".")) {
    const v4 = parseIpv4(body.slice(lastColon + 1));
    if (v4 === undefined) return undefined;
    body = `${body.slice(0, lastColon + 1)}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`;
  }
  const halves = body.split("::");
  if (halves.length > 2) return undefined;
  const groups = (half: string | undefined): number[] | undefined => {
    if (half === undefined || half === "") return [];
    const out: number[] = [];
    for (const group of half.split(":")) {
      if (!/^[0-9a-fA-F]{1,4}$/.test(group)) return undefined;
      out.push(Number.parseInt(group, 16));
    }
    return out;
  };
  const head = groups(halves[0]);
  const tail = groups(halves[1]);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const words: number[] = [];
  for (let i = 0; i < 8; i += 2) words.push((((all[i] as number) << 16) | (all[i + 1] as number)) >>> 0);
  return words;
}

/** Parses an IP literal; IPv4-mapped IPv6 comes out as IPv4 (design §5, Edge). undefined: not an address. */
export function parseIp(text: string): IpWords | undefined {
  if (!text.includes(":")) {
    const v4 = parseIpv4(text);
    return v4 === undefined ? undefined : [v4];
  }
  const words = parseIpv6(text);
  if (words !== undefined && words[0] === 0 && words[1] === 0 && words[2] === 0xffff) return [words[3] as number];
  return words;
}

/** The first `bits` bits of `words`, the rest zero. */
function masked(words: IpWords, bits: number): number[] {
  return words.map((word, index) => {
    const inWord = Math.min(32, Math.max(0, bits - index * 32));
    return inWord === 0 ? 0 : (word & (0xffffffff << (32 - inWord))) >>> 0;
  });
}

/** A CIDR range ready to compare. */
export class BoundCidr {
  readonly text: string;
  readonly bits: number;
  readonly #network: IpWords;

  /** Throws RangeError when `range` is none; the loader has checked it with {@link cidrProblem}. */
  constructor(range: CidrRange) {
    const problem = cidrProblem(range);
    if (problem !== undefined) throw new RangeError(problem);
    const words = parseIp(range.address) as IpWords;
    // A range of IPv4-mapped addresses is a range of IPv4 addresses.
    const isMapped = words.length === 1 && range.address.includes(":");
    this.bits = isMapped ? Math.max(0, range.prefixLength - 96) : range.prefixLength;
    this.#network = masked(words, this.bits);
    this.text = `${range.address}/${range.prefixLength}`;
  }

  /** 4 or 6. */
  get family(): 4 | 6 {
    return this.#network.length === 1 ? 4 : 6;
  }

  contains(ip: IpWords): boolean {
    const network = this.#network;
    if (ip.length !== network.length) return false;
    let bits = this.bits;
    for (let i = 0; bits > 0; i++, bits -= 32) {
      const mask = bits >= 32 ? 0xffffffff : 0xffffffff << (32 - bits);
      if ((((ip[i] as number) ^ (network[i] as number)) & mask) !== 0) return false;
    }
    return true;
  }

  /** Equal for ranges that contain the same addresses. */
  get key(): string {
    return `${this.#network.join(".")}/${this.bits}`;
  }
}

/** What is wrong with a range, or undefined. */
export function cidrProblem(range: CidrRange): string | undefined {
  const words = parseIp(range.address);
  if (words === undefined) return `"${range.address}" is not an IP address`;
  const longest = range.address.includes(":") ? 128 : 32;
  if (!Number.isInteger(range.prefixLength) || range.prefixLength < 0 || range.prefixLength > longest) {
    return `the prefix length ${range.prefixLength} is not between 0 and ${longest}`;
  }
  if (range.address.includes(":") && words.length === 1 && range.prefixLength < 96) {
    return `"${range.address}/${range.prefixLength}" mixes IPv4 and IPv6: write the IPv4 range`;
  }
  return undefined;
}

/** 127.0.0.0/8 and ::1. */
export function isLoopback(ip: IpWords): boolean {
  if (ip.length === 1) return (ip[0] as number) >>> 24 === 127;
  return ip[0] === 0 && ip[1] === 0 && ip[2] === 0 && ip[3] === 1;
}

export function isSameIp(a: IpWords, b: IpWords): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** `host:port`, IPv6 in brackets. */
export function formatHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The canonical text of an IP literal: IPv4-mapped becomes IPv4, IPv6 as RFC 5952. undefined: not an address. */
export function canonicalIp(text: string): string | undefined {
  const words = parseIp(text);
  if (words === undefined) return undefined;
  if (words.length === 1) {
    const v4 = words[0] as number;
    return `${v4 >>> 24}.${(v4 >>> 16) & 255}.${(v4 >>> 8) & 255}.${v4 & 255}`;
  }
  const groups: number[] = [];
  for (const word of words) groups.push(word >>> 16, word & 0xffff);
  let bestStart = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) {
      bestStart = i;
      bestLength = length;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (bestStart === -1) return hex.join(":");
  return `${hex.slice(0, bestStart).join(":")}::${hex.slice(bestStart + bestLength).join(":")}`;
}
