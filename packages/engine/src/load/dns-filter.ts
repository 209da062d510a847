import type { DnsFilterConfig as DnsFilterMessage, DnsTable_DnsVirtualDomain, Listener } from "@heddle/xds/api";
import { canonicalIp } from "../bind/ip-address.ts";
import type { SocketAddress } from "../config/address.ts";
import type { DnsDomainConfig, DnsFilterConfig } from "../config/listener.ts";
import type { Loading, Path } from "./loading.ts";

const filterName = "envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig";
/** Envoy's `DEFAULT_RESOLVER_TTL` and `DEFAULT_RESOLVER_TIMEOUT`. */
const defaultTtlSeconds = 300;
const defaultTimeoutMs = 500;

/**
 * What a listener on a UDP port does: it has one filter, which answers questions for names, and none of what serves connections.
 *
 * @param addresses where it listens
 */
export function loadDnsListener(
  message: Listener,
  addresses: readonly SocketAddress[],
  at: Path,
  loading: Loading,
): DnsFilterConfig | undefined {
  if (message.filterChains.length > 0 || message.defaultFilterChain !== undefined) {
    const text = "a listener on a UDP port has no connections";
    loading.problem(at.field("filter_chains"), text, "remove the filter chains");
  }
  const filters = at.field("listener_filters");
  const [filter] = message.listenerFilters;
  if (filter === undefined || message.listenerFilters.length > 1) {
    loading.problem(filters, "a listener on a UDP port has exactly one filter", `give one ${filterName}`);
    return undefined;
  }
  const where = filters.index(0).field("typed_config");
  const config = loading.unpack(filter.configType.case === "typedConfig" ? filter.configType.value : undefined, where);
  if (config === undefined) return undefined;
  if (config.$typeName !== filterName) {
    loading.misplaced(config, where, "envoy.filters.udp.dns_filter");
    return undefined;
  }
  return loadFilter(config as DnsFilterMessage, addresses, where, loading);
}

function loadFilter(
  { statPrefix, serverConfig, clientConfig }: DnsFilterMessage,
  addresses: readonly SocketAddress[],
  at: Path,
  loading: Loading,
): DnsFilterConfig {
  const table = at.field("server_config").field("inline_dns_table").field("virtual_domains");
  const source = serverConfig?.configSource;
  const domains = source?.case === "inlineDnsTable" ? source.value.virtualDomains : [];
  const client = at.field("client_config");
  const loaded = domains.map((domain, index) => loadDomain(domain, table.index(index), loading));
  const names = new Set<string>();
  loaded.forEach(({ name }, index) => {
    if (names.has(name)) loading.problem(table.index(index).field("name"), `"${name}" is there twice`, "keep one");
    names.add(name);
  });
  return {
    addresses,
    statPrefix: loading.required(statPrefix, at.field("stat_prefix")),
    domains: loaded,
    forwarding:
      clientConfig === undefined
        ? undefined
        : {
            timeoutMs: loading.duration(
              clientConfig.resolverTimeout,
              client.field("resolver_timeout"),
              defaultTimeoutMs,
            ),
            maxPending: loading.range(
              Number(clientConfig.maxPendingLookups),
              client.field("max_pending_lookups"),
              1,
              65_535,
            ),
          },
  };
}

function loadDomain(
  { name, endpoint, answerTtl }: DnsTable_DnsVirtualDomain,
  at: Path,
  loading: Loading,
): DnsDomainConfig {
  const config = endpoint?.endpointConfig;
  const addresses = config?.case === "addressList" ? config.value.address : [];
  const where = at.field("endpoint").field("address_list").field("address");
  if (addresses.length === 0) loading.problem(where, "there are no addresses", "give at least one");
  return {
    name: loading.required(name.toLowerCase().replace(/\.$/, ""), at.field("name")),
    addresses: addresses.map((text, index) => {
      const ip = canonicalIp(text);
      if (ip === undefined)
        loading.problem(where.index(index), `"${text}" is not an IP address`, "give an IPv4 or IPv6 address");
      return ip ?? text;
    }),
    ttlSeconds: Math.round(loading.duration(answerTtl, at.field("answer_ttl"), defaultTtlSeconds * 1000) / 1000),
  };
}
