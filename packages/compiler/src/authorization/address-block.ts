import type { CidrRangeSchema, MessageInitShape } from "@heddle/xds/api";

/** An address or CIDR block; a lone address is a block of one. */
export function compileAddressBlock(text: string): MessageInitShape<typeof CidrRangeSchema> {
  const [address = "", length] = text.split("/");
  // An IPv4 address in IPv6 clothes is an IPv4 address before any policy sees it (design §5, "Edge").
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) {
    const bits = length === undefined ? 128 : Number(length);
    if (bits >= 96) return { addressPrefix: mapped, prefixLen: bits - 96 };
  }
  return {
    addressPrefix: address,
    prefixLen: length === undefined ? (address.includes(":") ? 128 : 32) : Number(length),
  };
}
