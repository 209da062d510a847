import type { AcceptedFields } from "../field-walker.ts";
import {
  nameForPeople,
  provenance,
  served,
  statistics,
  mutualTls,
  through,
  withoutEffect,
  proven,
  enumerated,
} from "./proofs.ts";

const internal =
  "proxy/src/worker/hbone.test.ts › a TCP connection between two proxies is a CONNECT stream of a carrier";
const unprocessed =
  "proxy/src/worker/mesh.test.ts › a POST that one inbound proxy could not give to its application goes to another endpoint";
const listenerLoads = "engine/src/load/listener.test.ts › a listener's names, addresses, direction and limits arrive";
const chainLoads =
  "engine/src/load/listener.test.ts › a chain's match is checked, and chains that take the same connections are refused";
const chainMatchLoads = "engine/src/load/listener.test.ts › a chain's match arrives field by field";
const chainMatch = through(
  chainMatchLoads,
  "engine/src/bind/filter-chain-index.test.ts › each condition of a filter chain match separates connections",
);
const chainChoice =
  "engine/src/steps/connection.test.ts › a connection gets the chain that fits, else the default, else none";
const relayLogs =
  "proxy/src/worker/tcp-relay.test.ts › a connection is logged by its listener and by its relay when it ends";
const addresses =
  "proxy/src/worker/listener-settings.test.ts › a listener serves on its additional addresses too, and one that does not bind is on none";
const inspection =
  "proxy/src/worker/listener-settings.test.ts › a client that says nothing to be inspected is given up after listener_filters_timeout, or served where the listener goes on";
const handedOff =
  "proxy/src/worker/proxy-protocol.test.ts › where destinations have listeners of their own, the one that the header names serves";
const proxyLenient =
  "proxy/src/worker/proxy-protocol.test.ts › a listener that allows it takes connections without header, and waits no longer than it needs to see that";
const proxyErrors =
  "proxy/src/worker/proxy-protocol.test.ts › a version that is not allowed is turned away, and counted under the filter's prefix";
const proxyTlvs = "proxy/src/worker/upstream-proxy-protocol.test.ts › TLVs are passed on as far as both sides allow";
const disabledFilters =
  "proxy/src/worker/protocol-detection.test.ts › a filter that is disabled for a port leaves its connections undecided";
const handshakeTimeout =
  "proxy/src/worker/listener-settings.test.ts › a handshake that does not end within transport_socket_connect_timeout ends its connection";
const relayTimes =
  "proxy/src/worker/listener-settings.test.ts › a relay closes a connection on which nothing moves, and one that has lived its time";
const backlog = through(
  listenerLoads,
  "net/src/listener.test.ts › the kernel holds as many waiting connections as the backlog says",
);
const slowReader = through(
  listenerLoads,
  "proxy/src/worker/request-path.test.ts › a long answer to a client that does not read stops the upstream, and goes on when the client does",
);
const relayWeights = "engine/src/steps/connection.test.ts › a TCP proxy's cluster is drawn by weight";
const relayAttempts =
  "proxy/src/worker/before-connected.test.ts › a half of a byte stream that ends before its endpoint is there ends at the endpoint that serves it";
const relayed = "proxy/src/worker/tcp-relay.test.ts › bytes go both ways, and each side's end by itself";

const globalLimit = through(
  listenerLoads,
  "proxy/src/worker/overload.test.ts › all listeners share one limit of connections, but for one that ignores it",
);
const limitLoads = "engine/src/load/listener.test.ts › a connection limit stands first in its chain, and arrives";
const connectionLimit =
  "proxy/src/worker/overload.test.ts › connections of a filter chain above its limit are closed, after the delay that it names";
const namesServed =
  "proxy/src/dns/dns-server.test.ts › names of the table are answered by UDP and TCP, for each family, until they change";
const namesForwarded =
  "proxy/src/dns/dns-server.test.ts › other names go to the machine's resolver within the limits of client_config, or do not exist without";
const dnsLoads = "engine/src/load/dns-filter.test.ts › a DNS filter's table and limits arrive";

/** Listeners, their chains and what stands in these beside HTTP. */
export const listenerFields: AcceptedFields = {
  "envoy.config.listener.v3.Listener": {
    ...proven(served, "name", "address", "filter_chains"),
    ...proven(addresses, "additional_addresses", "bind_to_port"),
    ...proven(through(listenerLoads, statistics), "stat_prefix"),
    ...proven(slowReader, "per_connection_buffer_limit_bytes"),
    ...proven(inspection, "listener_filters_timeout", "continue_on_listener_filters_timeout"),
    ...proven(handedOff, "use_original_dst"),
    ...proven(unprocessed, "traffic_direction"),
    ...proven(backlog, "tcp_backlog_size"),
    ...proven(chainChoice, "default_filter_chain"),
    ...proven(provenance, "metadata"),
    ...proven(inspection, "listener_filters"),
    ...proven(relayLogs, "access_log"),
    ...proven(globalLimit, "ignore_global_conn_limit"),
    ...proven(internal, "internal_listener"),
  },
  "envoy.config.listener.v3.Listener.InternalListenerConfig": {},
  "envoy.extensions.filters.network.connection_limit.v3.ConnectionLimit": proven(
    through(limitLoads, connectionLimit),
    "stat_prefix",
    "max_connections",
    "delay",
  ),
  "envoy.config.listener.v3.AdditionalAddress": proven(addresses, "address"),
  "envoy.config.core.v3.Address": proven(served, "socket_address"),
  "envoy.config.core.v3.SocketAddress": {
    ...enumerated(namesServed, "protocol", "TCP", "UDP"),
    ...proven(served, "address", "port_value"),
  },
  "envoy.config.core.v3.CidrRange": proven(chainMatch, "address_prefix", "prefix_len"),
  "envoy.config.core.v3.Metadata": proven(provenance, "filter_metadata"),
  "envoy.config.listener.v3.ListenerFilter": {
    ...proven(withoutEffect(nameForPeople, inspection), "name"),
    ...proven(inspection, "typed_config"),
    ...proven(disabledFilters, "filter_disabled"),
  },
  "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": {},
  "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": {},
  "envoy.extensions.filters.listener.original_dst.v3.OriginalDst": {},
  "envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol": {
    ...proven(proxyLenient, "allow_requests_without_proxy_protocol"),
    ...proven(proxyErrors, "disallowed_versions", "stat_prefix"),
    ...proven(proxyTlvs, "pass_through_tlvs"),
  },
  "envoy.config.core.v3.ProxyProtocolPassThroughTLVs": proven(proxyTlvs, "match_type", "tlv_type"),
  "envoy.config.listener.v3.ListenerFilterChainMatchPredicate": proven(
    disabledFilters,
    "or_match",
    "and_match",
    "not_match",
    "any_match",
    "destination_port_range",
  ),
  "envoy.config.listener.v3.ListenerFilterChainMatchPredicate.MatchSet": proven(disabledFilters, "rules"),
  "envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig": {
    ...proven(through(dnsLoads, namesServed), "stat_prefix", "server_config"),
    ...proven(through(dnsLoads, namesForwarded), "client_config"),
  },
  "envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig.ServerContextConfig": proven(
    through(dnsLoads, namesServed),
    "inline_dns_table",
  ),
  "envoy.extensions.filters.udp.dns_filter.v3.DnsFilterConfig.ClientContextConfig": proven(
    through(dnsLoads, namesForwarded),
    "resolver_timeout",
    "max_pending_lookups",
  ),
  "envoy.data.dns.v3.DnsTable": proven(through(dnsLoads, namesServed), "virtual_domains"),
  "envoy.data.dns.v3.DnsTable.DnsVirtualDomain": proven(
    through(dnsLoads, namesServed),
    "name",
    "endpoint",
    "answer_ttl",
  ),
  "envoy.data.dns.v3.DnsTable.DnsEndpoint": proven(through(dnsLoads, namesServed), "address_list"),
  "envoy.data.dns.v3.DnsTable.AddressList": proven(through(dnsLoads, namesServed), "address"),
  "envoy.config.listener.v3.FilterChain": {
    ...proven(served, "filters"),
    ...proven(through(chainLoads, served), "name"),
    ...proven(chainMatch, "filter_chain_match"),
    ...proven(provenance, "metadata"),
    ...proven(mutualTls, "transport_socket"),
    ...proven(handshakeTimeout, "transport_socket_connect_timeout"),
  },
  "envoy.config.listener.v3.FilterChainMatch": proven(
    chainMatch,
    "destination_port",
    "prefix_ranges",
    "direct_source_prefix_ranges",
    "source_type",
    "source_prefix_ranges",
    "source_ports",
    "server_names",
    "transport_protocol",
    "application_protocols",
  ),
  "envoy.config.listener.v3.Filter": {
    ...proven(withoutEffect(nameForPeople, served), "name"),
    ...proven(served, "typed_config"),
  },
  "envoy.config.core.v3.TransportSocket": {
    ...proven(withoutEffect(nameForPeople, mutualTls), "name"),
    ...proven(mutualTls, "typed_config"),
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": {
    ...proven(through(listenerLoads, statistics), "stat_prefix"),
    ...proven(relayed, "cluster"),
    ...proven(relayWeights, "weighted_clusters"),
    ...proven(relayTimes, "idle_timeout", "max_downstream_connection_duration"),
    ...proven(relayAttempts, "max_connect_attempts"),
    ...proven(relayLogs, "access_log"),
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster": proven(relayWeights, "clusters"),
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": proven(
    relayWeights,
    "name",
    "weight",
  ),
};
