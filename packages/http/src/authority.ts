import { COLON, hostByte } from "./byte-class.ts";

const leftBracket = 0x5b;
const rightBracket = 0x5d;

/** A DNS name has at most 253 characters (RFC 1035 §2.3.4), a port 5; a trailing dot and the colon come on top. */
const longest = 260;

/**
 * Checks uri-host [ ":" port ] (RFC 9110 §7.2, RFC 3986 §3.2). User information is refused (RFC 9110 §4.2.4), an empty host too (§4.2.1).
 *
 * @returns the authority, without the colon of an empty port (RFC 3986 §6.2.3); undefined when it is none
 */
export function readAuthority(text: string): string | undefined {
  if (text.length > longest) return undefined;
  const hostEnd = text.charCodeAt(0) === leftBracket ? bracketedEnd(text) : registeredNameEnd(text);
  if (hostEnd <= 0) return undefined;
  if (hostEnd === text.length) return text;
  if (text.charCodeAt(hostEnd) !== COLON) return undefined;
  if (hostEnd + 1 === text.length) return text.slice(0, hostEnd);
  if (text.length - hostEnd > 6) return undefined;
  let port = 0;
  for (let i = hostEnd + 1; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    port = port * 10 + digit;
  }
  return port <= 65535 ? text : undefined;
}

function registeredNameEnd(text: string): number {
  let i = 0;
  while (i < text.length && hostByte[text.charCodeAt(i)] === 1) i += 1;
  return i;
}

/** The end of "[IPv6 address]"; zone identifiers and IPvFuture name nothing beyond one host and are refused. */
function bracketedEnd(text: string): number {
  const end = text.indexOf("]");
  if (end < 3 || text.charCodeAt(end) !== rightBracket) return -1;
  return /^[0-9A-Fa-f:.]+$/.test(text.slice(1, end)) && text.includes(":") ? end + 1 : -1;
}
