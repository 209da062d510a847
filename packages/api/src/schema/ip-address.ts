import type { TextFormat } from "./text-format.ts";

/** An IPv4 or IPv6 address, or a CIDR range of one. */
export const addressOrRange: TextFormat = {
  name: "address or CIDR",
  what: "an IP address or a CIDR range",
  hint: "Write an address (10.1.2.3, fd00::1) or a range (10.1.0.0/16, fd00::/8).",
  problem: (value) => {
    const slash = value.indexOf("/");
    if (slash < 0) return addressBits(value) === undefined ? "" : undefined;
    const bits = addressBits(value.slice(0, slash));
    const length = value.slice(slash + 1);
    if (bits === undefined) return "";
    return /^(?:0|[1-9]\d{0,2})$/.test(length) && Number(length) <= bits
      ? undefined
      : `has a prefix length that is not from 0 to ${bits}`;
  },
};

/** A loopback address: what only this machine can reach. */
export const loopbackAddress: TextFormat = {
  name: "loopback address",
  what: "a loopback address",
  hint: "Write 127.0.0.1 or ::1; the edge of a local mesh takes plaintext, so it listens on this machine only.",
  problem: (value) => (value === "::1" || (value.startsWith("127.") && addressBits(value) === 32) ? undefined : ""),
};

/** 32 or 128; undefined when the text is no address. Leading zeros are refused: some readers take them for octal. */
export function addressBits(value: string): 32 | 128 | undefined {
  if (!value.includes(":")) return isIpv4(value) ? 32 : undefined;
  return isIpv6(value) ? 128 : undefined;
}

function isIpv4(value: string): boolean {
  const parts = value.split(".");
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** RFC 4291 §2.2: eight groups, one run of zeros written "::", the last two groups perhaps as IPv4. */
function isIpv6(value: string): boolean {
  const halves = value.split("::");
  if (halves.length > 2) return false;
  const [head = "", tail] = halves;
  const headGroups = countGroups(head, tail === undefined);
  const tailGroups = tail === undefined ? 0 : countGroups(tail, true);
  if (headGroups === undefined || tailGroups === undefined) return false;
  const groups = headGroups + tailGroups;
  return tail === undefined ? groups === 8 : groups <= 7;
}

function countGroups(half: string, isAtEnd: boolean): number | undefined {
  if (half === "") return 0;
  const groups = half.split(":");
  const last = groups.at(-1) ?? "";
  const endsInIpv4 = isAtEnd && last.includes(".");
  const hex = endsInIpv4 ? groups.slice(0, -1) : groups;
  if (!hex.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  if (!endsInIpv4) return hex.length;
  return isIpv4(last) ? hex.length + 2 : undefined;
}
