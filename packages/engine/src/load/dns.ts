import { type CaresDnsResolverConfig, type Cluster, Cluster_DnsLookupFamily } from "@heddle/xds/api";
import type { ClusterConfig, DnsResolverConfig } from "../config/cluster.ts";
import { loadAddress } from "./core-types.ts";
import type { Loading, Path } from "./loading.ts";

const families: Readonly<Record<Cluster_DnsLookupFamily, ClusterConfig["dns"]["family"]>> = {
  [Cluster_DnsLookupFamily.AUTO]: "auto",
  [Cluster_DnsLookupFamily.V4_ONLY]: "v4-only",
  [Cluster_DnsLookupFamily.V6_ONLY]: "v6-only",
  [Cluster_DnsLookupFamily.V4_PREFERRED]: "v4-preferred",
  [Cluster_DnsLookupFamily.ALL]: "all",
};

/** Envoy's defaults: every 5 s, and as often after a failure. */
export function loadDns(message: Cluster, at: Path, loading: Loading): ClusterConfig["dns"] {
  const refreshMs = loading.duration(message.dnsRefreshRate, at.field("dns_refresh_rate"), 5000);
  if (refreshMs === 0) loading.problem(at.field("dns_refresh_rate"), "the rate is zero", "give a duration above zero");
  const failure = message.dnsFailureRefreshRate;
  const where = at.field("dns_failure_refresh_rate");
  const failureBaseMs = loading.duration(failure?.baseInterval, where.field("base_interval"), refreshMs);
  const fallbackMax = failure === undefined ? refreshMs : failureBaseMs * 10;
  const failureMaxMs = loading.duration(failure?.maxInterval, where.field("max_interval"), fallbackMax);
  if (failureBaseMs === 0)
    loading.problem(where.field("base_interval"), "the interval is zero", "give a duration above zero");
  if (failureMaxMs < failureBaseMs)
    loading.problem(where.field("max_interval"), "it is below the base interval", "raise it");
  return {
    refreshMs,
    failureBaseMs,
    failureMaxMs,
    respectTtl: message.respectDnsTtl,
    family: families[message.dnsLookupFamily] ?? "auto",
    resolver: loadResolver(message, at.field("typed_dns_resolver_config"), loading),
  };
}

const dnsResolverName = "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig";
const getAddrInfoName = "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig";

function loadResolver(message: Cluster, at: Path, loading: Loading): DnsResolverConfig {
  const own = message.typedDnsResolverConfig;
  if (own === undefined) return { kind: "default" };
  const where = at.field("typed_config");
  const config = loading.unpack(own.typedConfig, where);
  if (config?.$typeName === getAddrInfoName) return { kind: "getaddrinfo" };
  if (config?.$typeName !== dnsResolverName) {
    if (config !== undefined) loading.misplaced(config, where, "a DNS resolver");
    return { kind: "default" };
  }
  const { resolvers, dnsResolverOptions } = config as CaresDnsResolverConfig;
  return {
    kind: "dns",
    servers: resolvers.map((address, index) => {
      const { host, port } = loadAddress(address, where.field("resolvers").index(index), loading, "ip-only");
      return { host, port: port === 0 ? 53 : port };
    }),
    usesSearchDomains: dnsResolverOptions?.noDefaultSearchDomain !== true,
  };
}
