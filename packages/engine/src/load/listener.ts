import {
  type Address,
  type ConnectionLimit,
  type Filter,
  type FilterChain,
  type FilterChainMatch,
  FilterChainMatch_ConnectionSourceType,
  type HttpConnectionManager,
  type Listener,
  ListenerSchema,
  type NetworkRbac,
  type PeerMetadata as PeerMetadataMessage,
  SocketAddress_Protocol,
  type TcpProxy,
  TrafficDirection,
} from "@heddle/xds/api";
import { FilterChainIndex } from "../bind/filter-chain-index.ts";
import type { SocketAddress } from "../config/address.ts";
import type { PeerMetadata } from "../config/http-connection-manager.ts";
import type {
  ConnectionLimitConfig,
  FilterChainConfig,
  FilterChainMatchConfig,
  ListenerConfig,
  TcpProxyConfig,
} from "../config/listener.ts";
import { acceptedFields } from "./accepted-fields.ts";
import { loadAccessLogs } from "./access-log.ts";
import { defaultBufferBytes, loadAddress, loadProvenance } from "./core-types.ts";
import { loadDnsListener } from "./dns-filter.ts";
import { unsupportedFields } from "./field-walker.ts";
import { loadHttpConnectionManager } from "./http-connection-manager.ts";
import { loadPeerMetadata } from "./http-filters.ts";
import { loadListenerFilters } from "./listener-filters.ts";
import { Loading, type Loaded, type LoadOptions, Path } from "./loading.ts";
import { loadNetworkRbac } from "./rbac.ts";
import { loadDownstreamTls } from "./tls.ts";

/** It has no address, and what it takes is inside a connection that is secured already. */
function checkInternal(message: Listener, chains: readonly FilterChainConfig[], at: Path, loading: Loading): void {
  if (message.address !== undefined || message.additionalAddresses.length > 0)
    loading.problem(at.field("address"), "an internal listener has no address", "remove it");
  if (message.bindToPort === true)
    loading.problem(at.field("bind_to_port"), "an internal listener is bound to no port", "remove it");
  chains.forEach(({ tls }, index) => {
    if (tls !== undefined)
      loading.problem(
        at.field("filter_chains").index(index).field("transport_socket"),
        "TLS inside a tunnel is not supported",
        "remove it: the carrier has TLS",
      );
  });
}

const directions: Readonly<Record<TrafficDirection, ListenerConfig["direction"]>> = {
  [TrafficDirection.UNSPECIFIED]: "unspecified",
  [TrafficDirection.INBOUND]: "inbound",
  [TrafficDirection.OUTBOUND]: "outbound",
};

export function loadListener(message: Listener, options: LoadOptions = {}): Loaded<ListenerConfig> {
  const loading = new Loading(options);
  const at = new Path(options.path ?? "");
  loading.problems.push(...unsupportedFields(ListenerSchema, message, acceptedFields, at));
  const name = loading.required(message.name, at.field("name"));
  const isInternal = message.listenerSpecifier.case === "internalListener";
  const addresses = isInternal ? [] : loadAddresses(message, at, loading);
  const isUdp = isUdpAddress(message.address);
  const dns = isUdp ? loadDnsListener(message, addresses, at, loading) : undefined;
  const chains = message.filterChains.map((chain, index) =>
    loadFilterChain(chain, `${name}#${index}`, at.field("filter_chains").index(index), loading),
  );
  const fallback = message.defaultFilterChain;
  if (chains.length === 0 && fallback === undefined && !isUdp)
    loading.problem(at.field("filter_chains"), "the list is empty", "give a filter chain");
  checkChains(chains, at.field("filter_chains"), loading);
  if (isInternal) checkInternal(message, chains, at, loading);
  return loading.finish({
    name,
    addresses: isUdp ? [] : addresses,
    direction: directions[message.trafficDirection] ?? "unspecified",
    statPrefix: message.statPrefix,
    bindToPort: !isInternal && (message.bindToPort ?? true),
    tcpBacklog: message.tcpBacklogSize,
    perConnectionBufferBytes: message.perConnectionBufferLimitBytes ?? defaultBufferBytes,
    ignoresGlobalLimit: message.ignoreGlobalConnLimit,
    listenerFilters: isUdp ? [] : loadListenerFilters(message, at.field("listener_filters"), loading),
    dns,
    handsOffByDestination: message.useOriginalDst ?? false,
    listenerFiltersTimeoutMs: loading.duration(
      message.listenerFiltersTimeout,
      at.field("listener_filters_timeout"),
      15_000,
    ),
    continueOnListenerFiltersTimeout: message.continueOnListenerFiltersTimeout,
    filterChains: chains,
    defaultFilterChain:
      fallback === undefined
        ? undefined
        : loadFilterChain(fallback, `${name}#default`, at.field("default_filter_chain"), loading),
    accessLogs: loadAccessLogs(message.accessLog, at.field("access_log"), loading),
    provenance: loadProvenance(message.metadata),
  });
}

function isUdpAddress(address: Address | undefined): boolean {
  const { case: kind, value } = address?.address ?? {};
  return kind === "socketAddress" && value?.protocol === SocketAddress_Protocol.UDP;
}

function loadAddresses(message: Listener, at: Path, loading: Loading): SocketAddress[] {
  const protocol = isUdpAddress(message.address) ? SocketAddress_Protocol.UDP : SocketAddress_Protocol.TCP;
  const more = at.field("additional_addresses");
  return [
    loadAddress(message.address, at.field("address"), loading, "ip-only", protocol),
    ...message.additionalAddresses.map(({ address }, index) =>
      loadAddress(address, more.index(index).field("address"), loading, "ip-only", protocol),
    ),
  ];
}

function checkChains(chains: readonly FilterChainConfig[], at: Path, loading: Loading): void {
  const names = new Set<string>();
  chains.forEach(({ name }, index) => {
    if (names.has(name))
      loading.problem(at.index(index).field("name"), `"${name}" is used twice`, "names are unique in a listener");
    names.add(name);
  });
  for (const [first, second] of new FilterChainIndex(chains.map((chain) => ({ match: chain.match, chain })))
    .conflicts) {
    loading.problem(
      at.index(second).field("filter_chain_match"),
      `it takes the same connections as filter chain ${first}`,
      "make the matches differ; which chain a connection gets must not be open",
    );
  }
}

function loadFilterChain(chain: FilterChain, fallbackName: string, at: Path, loading: Loading): FilterChainConfig {
  const name = chain.name === "" ? fallbackName : chain.name;
  const timeout = at.field("transport_socket_connect_timeout");
  return {
    name,
    match: loadFilterChainMatch(chain.filterChainMatch, at.field("filter_chain_match"), loading),
    tls: loadDownstreamTls(chain.transportSocket, at.field("transport_socket"), name, loading),
    tlsHandshakeTimeoutMs: loading.duration(chain.transportSocketConnectTimeout, timeout, 0),
    ...loadFilters(chain.filters, at.field("filters"), loading),
    provenance: loadProvenance(chain.metadata),
  };
}

const sourceTypes: Readonly<Record<FilterChainMatch_ConnectionSourceType, FilterChainMatchConfig["sourceType"]>> = {
  [FilterChainMatch_ConnectionSourceType.ANY]: "any",
  [FilterChainMatch_ConnectionSourceType.SAME_IP_OR_LOOPBACK]: "same-ip-or-loopback",
  [FilterChainMatch_ConnectionSourceType.EXTERNAL]: "external",
};

function loadFilterChainMatch(match: FilterChainMatch | undefined, at: Path, loading: Loading): FilterChainMatchConfig {
  const protocol = match?.transportProtocol ?? "";
  if (protocol !== "" && protocol !== "tls" && protocol !== "raw_buffer") {
    loading.problem(at.field("transport_protocol"), `"${protocol}" is not supported`, "use tls or raw_buffer");
  }
  const port = match?.destinationPort;
  return {
    destinationPort: port === undefined ? undefined : loading.range(port, at.field("destination_port"), 1, 65535),
    prefixRanges: (match?.prefixRanges ?? []).map((range, i) =>
      loading.cidr(range, at.field("prefix_ranges").index(i)),
    ),
    serverNames: (match?.serverNames ?? []).map((server, i) =>
      loadServerName(server, at.field("server_names").index(i), loading),
    ),
    transportProtocol: protocol === "tls" || protocol === "raw_buffer" ? protocol : "",
    applicationProtocols: match?.applicationProtocols ?? [],
    directSourcePrefixRanges: (match?.directSourcePrefixRanges ?? []).map((range, i) =>
      loading.cidr(range, at.field("direct_source_prefix_ranges").index(i)),
    ),
    sourceType: sourceTypes[match?.sourceType ?? 0] ?? "any",
    sourcePrefixRanges: (match?.sourcePrefixRanges ?? []).map((range, i) =>
      loading.cidr(range, at.field("source_prefix_ranges").index(i)),
    ),
    sourcePorts: (match?.sourcePorts ?? []).map((source, i) =>
      loading.range(source, at.field("source_ports").index(i), 1, 65535),
    ),
  };
}

function loadServerName(name: string, at: Path, loading: Loading): string {
  const isWildcard = name.startsWith("*.") && !name.slice(1).includes("*") && name.length > 2;
  if (!isWildcard && (name.includes("*") || name === "")) {
    loading.problem(at, `"${name}" is not a server name`, "a wildcard covers whole labels: *.example.com");
  }
  return name.toLowerCase();
}

/** A connection limit, network RBAC filters, then exactly one terminal filter. */
function loadFilters(
  filters: readonly Filter[],
  at: Path,
  loading: Loading,
): Pick<FilterChainConfig, "connectionLimit" | "networkRbac" | "peerMetadata" | "terminal"> {
  let connectionLimit: FilterChainConfig["connectionLimit"];
  const networkRbac: FilterChainConfig["networkRbac"][number][] = [];
  let terminal: FilterChainConfig["terminal"] | undefined;
  let peerMetadata: PeerMetadata | undefined;
  filters.forEach((filter, index) => {
    const where = at.index(index).field("typed_config");
    const message = loading.unpack(
      filter.configType.case === "typedConfig" ? filter.configType.value : undefined,
      where,
    );
    const isLast = index === filters.length - 1;
    switch (message?.$typeName) {
      case undefined:
        return;
      case "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit":
        if (index > 0)
          loading.problem(at.index(index), "a connection limit stands behind another filter", "put it first");
        if (isLast) loading.problem(at.index(index), notTerminal, endWithTerminal);
        connectionLimit = loadConnectionLimit(message as ConnectionLimit, where, loading);
        return;
      case "envoy.extensions.filters.network.rbac.v3.RBAC":
        if (isLast) loading.problem(at.index(index), notTerminal, endWithTerminal);
        networkRbac.push(loadNetworkRbac(message as NetworkRbac, filter.name, where, loading));
        return;
      case "heddle.v1.PeerMetadata": {
        const config = loadPeerMetadata(message as PeerMetadataMessage, filter.name, false, where, loading);
        if (config.direction !== "outbound" || isLast)
          loading.problem(where, "it stands before a TCP proxy, outbound", "use DIRECTION_OUTBOUND, and put it first");
        peerMetadata = config.local;
        return;
      }
      case "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager":
        terminal = { kind: "http", http: loadHttpConnectionManager(message as HttpConnectionManager, where, loading) };
        break;
      case "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy":
        terminal = { kind: "tcp", tcp: loadTcpProxy(message as TcpProxy, where, loading) };
        break;
      default:
        if (message !== undefined) loading.misplaced(message, where, "a network filter");
        return;
    }
    if (!isLast) loading.problem(at.index(index), "a terminal filter is followed by others", "put it last");
  });
  if (filters.length === 0) loading.problem(at, "the list is empty", "give an HTTP connection manager or a TCP proxy");
  if (peerMetadata !== undefined && terminal?.kind === "http")
    loading.problem(at, "heddle.v1.PeerMetadata stands before an HTTP connection manager", "make it an HTTP filter");
  return { connectionLimit, networkRbac, peerMetadata, terminal: terminal ?? { kind: "tcp", tcp: noTcpProxy } };
}

const notTerminal = "the last filter is not a terminal one";
const endWithTerminal = "end with a connection manager or TCP proxy";

function loadConnectionLimit(limit: ConnectionLimit, at: Path, loading: Loading): ConnectionLimitConfig {
  const max = limit.maxConnections;
  if (max === undefined || max < 1n)
    loading.problem(at.field("max_connections"), "must be at least 1", "say how many connections are let in");
  return {
    statPrefix: loading.required(limit.statPrefix, at.field("stat_prefix")),
    maxConnections: Number(max ?? 0n),
    delayMs: loading.duration(limit.delay, at.field("delay"), 0),
  };
}

const hour = 3_600_000;

/** Only ever part of a configuration that is refused. */
const noTcpProxy: TcpProxyConfig = {
  statPrefix: "",
  clusters: [],
  idleTimeoutMs: hour,
  maxConnectAttempts: 1,
  maxDownstreamConnectionDurationMs: 0,
  accessLogs: [],
};

function loadTcpProxy(tcp: TcpProxy, at: Path, loading: Loading): TcpProxyConfig {
  return {
    statPrefix: loading.required(tcp.statPrefix, at.field("stat_prefix")),
    clusters: loadTcpClusters(tcp, at, loading),
    idleTimeoutMs: loading.duration(tcp.idleTimeout, at.field("idle_timeout"), hour),
    maxConnectAttempts: loading.range(tcp.maxConnectAttempts ?? 1, at.field("max_connect_attempts"), 1, 1000),
    maxDownstreamConnectionDurationMs: loading.duration(
      tcp.maxDownstreamConnectionDuration,
      at.field("max_downstream_connection_duration"),
      0,
    ),
    accessLogs: loadAccessLogs(tcp.accessLog, at.field("access_log"), loading),
  };
}

function loadTcpClusters(tcp: TcpProxy, at: Path, loading: Loading): TcpProxyConfig["clusters"] {
  const specifier = tcp.clusterSpecifier;
  if (specifier.case === "cluster")
    return [{ name: loading.required(specifier.value, at.field("cluster")), weight: 1 }];
  const where = at.field("weighted_clusters").field("clusters");
  const clusters = specifier.case === "weightedClusters" ? specifier.value.clusters : [];
  if (clusters.length === 0)
    loading.problem(
      specifier.case === undefined ? at : where,
      "there is no cluster",
      "give cluster or weighted_clusters",
    );
  return clusters.map(({ name, weight }, index) => ({
    name: loading.required(name, where.index(index).field("name")),
    weight: loading.range(weight, where.index(index).field("weight"), 1, 2 ** 32 - 1),
  }));
}
