import { lookup } from "node:dns/promises";
import { askDnsServers, chooseFamily } from "./dns-resolver.ts";
import type { DnsQuestion, ResolvedName, ResolveName } from "./question.ts";

/**
 * The host's own resolver: /etc/hosts, search domains and all. It tells no time to live, so where that counts, or servers are named,
 * the DNS servers are asked themselves.
 */
export const systemResolver: ResolveName = (question) => {
  const { resolver, needsTtl } = question;
  return resolver.kind === "dns" || (resolver.kind === "default" && needsTtl)
    ? askDnsServers(question)
    : askHost(question);
};

async function askHost({ host, family }: DnsQuestion): Promise<ResolvedName> {
  try {
    const found = await lookup(host, { all: true, family: family === "v4-only" ? 4 : family === "v6-only" ? 6 : 0 });
    const v4 = found.filter((entry) => entry.family === 4).map(({ address }) => address);
    const v6 = found.filter((entry) => entry.family === 6).map(({ address }) => address);
    return { addresses: chooseFamily(family, v4, v6), ttlMs: undefined };
  } catch (error) {
    // EAI_NONAME and EAI_NODATA: there is no such address, and that is an answer.
    if ((error as NodeJS.ErrnoException).code === "ENOTFOUND") return { addresses: [], ttlMs: undefined };
    throw error;
  }
}
