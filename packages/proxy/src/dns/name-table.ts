import { type DnsFilterConfig, parseIp } from "@heddle/engine";

/** What a name of the table stands for; addresses as they go on the wire. */
export interface KnownName {
  readonly ipv4: readonly Uint8Array[];
  readonly ipv6: readonly Uint8Array[];
  readonly ttlSeconds: number;
}

export type NameTable = ReadonlyMap<string, KnownName>;

export function bindNames({ domains }: Pick<DnsFilterConfig, "domains">): NameTable {
  return new Map(
    domains.map(({ name, addresses, ttlSeconds }) => {
      const all = addresses.flatMap((address) => bytesOf(address));
      const of = (length: number): Uint8Array[] => all.filter((bytes) => bytes.length === length);
      return [name, { ipv4: of(4), ipv6: of(16), ttlSeconds }];
    }),
  );
}

/** The loader has let only IP literals through. */
function bytesOf(address: string): Uint8Array[] {
  const words = parseIp(address);
  if (words === undefined) return [];
  const bytes = Buffer.alloc(words.length * 4);
  words.forEach((word, index) => bytes.writeUInt32BE(word, index * 4));
  return [bytes];
}
