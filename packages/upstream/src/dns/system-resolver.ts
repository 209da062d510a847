import { lookup } from "node:dns/promises";
import type { ResolvedName, ResolveName } from "./dns-clusters.ts";

/**
 * The host's own resolver: /etc/hosts, search domains and all. It tells no time to live, so clusters fall back to their
 * refresh rate.
 */
export const systemResolver: ResolveName = async (host, family): Promise<ResolvedName> => {
  const found = await lookup(host, { all: true, family: family === "v4-only" ? 4 : family === "v6-only" ? 6 : 0 });
  const v4 = found.filter((entry) => entry.family === 4).map(({ address }) => address);
  const v6 = found.filter((entry) => entry.family === 6).map(({ address }) => address);
  // Envoy's families: AUTO asks for IPv6 and takes IPv4 when there is none; V4_PREFERRED the other way round.
  switch (family) {
    case "auto":
      return { addresses: v6.length > 0 ? v6 : v4, ttlMs: undefined };
    case "v4-preferred":
      return { addresses: v4.length > 0 ? v4 : v6, ttlMs: undefined };
    default:
      return { addresses: [...v4, ...v6], ttlMs: undefined };
  }
};
