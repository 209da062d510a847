import { networkInterfaces } from "node:os";

/** The addresses of one mesh on this machine. IPv6 is absent where the machine has none. */
export interface MeshSubnet {
  /** Counts the meshes that run at one time; also in the name of the host's interface. */
  readonly index: number;
  readonly interfaceName: string;
  readonly hostIpv4: string;
  readonly hostIpv6: string;
  /** Of a replica by its number, from 0. Undefined: there are no more. */
  addressesOf(replica: number): { readonly ipv4: string; readonly ipv6: string } | undefined;
}

export const subnetCount = 32;
export const ipv4PrefixLength = 20;
export const ipv6PrefixLength = 64;
/** The network, the host, and the broadcast address. */
const reserved = 3;
const capacity = 2 ** (32 - ipv4PrefixLength) - reserved;

/**
 * IPv4 out of 198.18.0.0/15, which RFC 2544 sets aside for testing within one site, so that it collides with no home, office or
 * cluster network; IPv6 out of a unique local prefix (RFC 4193) of our own.
 */
export function meshSubnet(index: number): MeshSubnet {
  const base = index * 2 ** (32 - ipv4PrefixLength);
  const ipv4 = (offset: number): string => {
    const at = base + offset;
    return `198.${18 + (at >>> 16)}.${(at >>> 8) & 0xff}.${at & 0xff}`;
  };
  const ipv6 = (offset: number): string => `fd68:6564:646c:${index.toString(16)}::${offset.toString(16)}`;
  return {
    index,
    interfaceName: `heddle${index}`,
    hostIpv4: ipv4(1),
    hostIpv6: ipv6(1),
    addressesOf: (replica) => (replica < capacity ? { ipv4: ipv4(replica + 2), ipv6: ipv6(replica + 2) } : undefined),
  };
}

/** Whether this machine has an address in the IPv4 subnet already. */
export function isTaken(index: number, interfaces = networkInterfaces()): boolean {
  const prefix = (address: string): number => {
    const [a = 0, b = 0, c = 0] = address.split(".").map(Number);
    return ((a << 16) | (b << 8) | c) >>> (24 - ipv4PrefixLength);
  };
  const own = prefix(meshSubnet(index).hostIpv4);
  return Object.values(interfaces).some((list) =>
    (list ?? []).some(({ family, address }) => family === "IPv4" && prefix(address) === own),
  );
}

/**
 * Virtual addresses of services, in the blocks from which Istio allocates them: class E, which nobody routes, and a benchmarking block
 * (RFC 5180). Connections to them never leave the namespace of the caller. A service keeps its addresses for the whole run.
 */
export class ServiceAddresses {
  readonly #numbers = new Map<string, number>();

  of(service: string): readonly [ipv4: string, ipv6: string] {
    const number = this.#numbers.get(service) ?? this.#numbers.size + 1;
    this.#numbers.set(service, number);
    return [`240.240.${(number >>> 8) & 0xff}.${number & 0xff}`, `2001:2::${number.toString(16)}`];
  }
}
