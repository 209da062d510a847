import type { SocketAddress } from "../config/address.ts";
import type { HappyEyeballs } from "../config/cluster.ts";
import type { EndpointConfig } from "../config/endpoints.ts";

/**
 * An endpoint's addresses in the order in which a connection is tried: so many of the first family, then one of the other, and so on
 * (RFC 8305 §4; Envoy's HappyEyeballsConnectionProvider::sortAddresses). Within a family the order stays.
 */
export function addressOrder(
  { address, additionalAddresses }: Pick<EndpointConfig, "address" | "additionalAddresses">,
  { firstFamily, firstFamilyCount }: HappyEyeballs,
): readonly SocketAddress[] {
  if (additionalAddresses.length === 0) return [address];
  const all = [address, ...additionalAddresses];
  const startsWithV6 = firstFamily === "listed" ? isV6(address) : firstFamily === "v6";
  const preferred = all.filter((candidate) => isV6(candidate) === startsWithV6);
  const others = all.filter((candidate) => isV6(candidate) !== startsWithV6);
  const order: SocketAddress[] = [];
  while (preferred.length + others.length > 0)
    order.push(...preferred.splice(0, firstFamilyCount), ...others.splice(0, 1));
  return order;
}

function isV6({ host }: SocketAddress): boolean {
  return host.includes(":");
}
