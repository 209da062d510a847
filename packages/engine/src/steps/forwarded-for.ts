import type { MutableHeaders } from "../bind/headers.ts";
import { canonicalIp } from "../bind/ip-address.ts";

/** An address from `x-forwarded-for`, and whether it was the only one. */
export interface ForwardedAddress {
  readonly host: string | undefined;
  readonly isOnly: boolean;
}

const none: ForwardedAddress = { host: undefined, isOnly: false };

/** Longest header that is looked at, so that an attacker cannot make the search itself expensive. */
const maxLength = 8192;

/**
 * The address `skip` places from the right end of `x-forwarded-for` (Envoy's getLastAddressFromXFF); undefined when there
 * are not that many, or when it is no IP address (a port may follow in the forms `1.2.3.4:80` and `[::1]:80`).
 */
export function lastForwardedAddress(headers: MutableHeaders, skip: number): ForwardedAddress {
  const header = headers.get("x-forwarded-for");
  if (header === undefined || header.length > maxLength) return none;
  let end = header.length;
  let start = header.lastIndexOf(",");
  for (let i = 0; i < skip; i++) {
    if (start === -1) return none;
    end = start;
    start = end === 0 ? -1 : header.lastIndexOf(",", end - 1);
  }
  return { host: addressOf(header.slice(start + 1, end).trim()), isOnly: !header.includes(",") };
}

function addressOf(text: string): string | undefined {
  const plain = canonicalIp(text);
  if (plain !== undefined) return text.includes("%") ? undefined : plain;
  const bracketed = /^\[([^\]]+)\](?::[0-9]{1,5})?$/.exec(text);
  if (bracketed?.[1] !== undefined) return bracketed[1].includes("%") ? undefined : canonicalIp(bracketed[1]);
  const withPort = /^([0-9.]+):[0-9]{1,5}$/.exec(text);
  return withPort?.[1] === undefined ? undefined : canonicalIp(withPort[1]);
}

/** Appends to one comma-separated value, as Envoy's appendXff does. */
export function appendToList(headers: MutableHeaders, name: string, value: string): void {
  const present = headers.get(name);
  headers.set(name, present === undefined || present === "" ? value : `${present},${value}`);
}
