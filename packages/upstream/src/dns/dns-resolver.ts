import { promises as dns } from "node:dns";
import { readFile } from "node:fs/promises";
import type { SocketAddress } from "@heddle/net";
import { formatAddress } from "@heddle/net";
import type { DnsQuestion, ResolvedName } from "./question.ts";
import { addressesInHosts, parseSearchList, type SearchList, searchOrder } from "./resolver-files.ts";

/** Of both the host's files; others for tests. */
export interface ResolverFiles {
  readonly hosts: string;
  readonly resolvConf: string;
}

const hostFiles: ResolverFiles = { hosts: "/etc/hosts", resolvConf: "/etc/resolv.conf" };

interface TimedAddress {
  readonly address: string;
  readonly ttl: number;
}

/**
 * Asks DNS servers, UDP first and TCP where an answer did not fit, and tells times to live, which the host's own resolver does not.
 * `/etc/hosts` comes first, and search domains are gone through, as that resolver would (resolv.conf(5)).
 *
 * @throws when the servers could not be asked or failed; a name without addresses is an answer
 */
export async function askDnsServers(question: DnsQuestion, files: ResolverFiles = hostFiles): Promise<ResolvedName> {
  const { host } = question;
  const listed = addressesInHosts(await textOf(files.hosts), host);
  if (listed.length > 0) return { addresses: byFamily(question.family, listed), ttlMs: undefined };
  const { servers, usesSearchDomains } =
    question.resolver.kind === "dns" ? question.resolver : { servers: [], usesSearchDomains: true };
  const search: SearchList = usesSearchDomains
    ? parseSearchList(await textOf(files.resolvConf))
    : { domains: [], ndots: 1 };
  for (const name of searchOrder(host, search)) {
    const found = await addressesOf(name, question, servers);
    if (found.length > 0) {
      const ttlMs = Math.min(...found.map(({ ttl }) => ttl)) * 1000;
      return { addresses: found.map(({ address }) => address), ttlMs };
    }
  }
  return { addresses: [], ttlMs: undefined };
}

/** Both families at once where both are wanted; where one is preferred, the other only when that has nothing. */
async function addressesOf(
  name: string,
  { family }: DnsQuestion,
  servers: readonly SocketAddress[],
): Promise<readonly TimedAddress[]> {
  switch (family) {
    case "v4-only":
      return query(4, name, servers);
    case "v6-only":
      return query(6, name, servers);
    case "v4-preferred":
      return preferred(4, 6, name, servers);
    case "auto":
      return preferred(6, 4, name, servers);
    case "all":
      return both(name, servers);
  }
}

/** A family that cannot be asked for must not hide the other. */
async function preferred(
  first: 4 | 6,
  second: 4 | 6,
  name: string,
  servers: readonly SocketAddress[],
): Promise<readonly TimedAddress[]> {
  let failure: Error | undefined;
  try {
    const found = await query(first, name, servers);
    if (found.length > 0) return found;
  } catch (error) {
    failure = error as Error;
  }
  const others = await query(second, name, servers);
  if (others.length === 0 && failure !== undefined) throw failure;
  return others;
}

async function both(name: string, servers: readonly SocketAddress[]): Promise<readonly TimedAddress[]> {
  const [v4, v6] = await Promise.allSettled([query(4, name, servers), query(6, name, servers)]);
  const found = [v4, v6].flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : []));
  if (found.length > 0) return found;
  for (const outcome of [v4, v6]) if (outcome.status === "rejected") throw outcome.reason;
  return found;
}

/** @throws what is no answer: a server that fails, refuses or keeps silent */
async function query(family: 4 | 6, name: string, servers: readonly SocketAddress[]): Promise<readonly TimedAddress[]> {
  // One for each query: it reads the host's servers anew, which change under a process that lives long.
  const resolver = new dns.Resolver({ timeout: 2000, tries: 3 });
  if (servers.length > 0) resolver.setServers(servers.map(({ host, port }) => formatAddress(host, port)));
  try {
    return await (family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === dns.NODATA || code === dns.NOTFOUND) return [];
    throw error;
  }
}

function byFamily(family: DnsQuestion["family"], addresses: readonly string[]): readonly string[] {
  const v4 = addresses.filter((address) => !address.includes(":"));
  const v6 = addresses.filter((address) => address.includes(":"));
  return chooseFamily(family, v4, v6);
}

/** Envoy's `dns_lookup_family`: AUTO takes IPv6 and, when there is none, IPv4; V4_PREFERRED the other way round. */
export function chooseFamily(
  family: DnsQuestion["family"],
  v4: readonly string[],
  v6: readonly string[],
): readonly string[] {
  switch (family) {
    case "v4-only":
      return v4;
    case "v6-only":
      return v6;
    case "v4-preferred":
      return v4.length > 0 ? v4 : v6;
    case "auto":
      return v6.length > 0 ? v6 : v4;
    case "all":
      return [...v4, ...v6];
  }
}

/** Neither file must be there. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    // A host without the file has nothing to say in it.
    return "";
  }
}
