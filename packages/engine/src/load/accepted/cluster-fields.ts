import type { AcceptedFields } from "../field-walker.ts";
import { healthCheckFields } from "./health-check-fields.ts";
import {
  retryLimits,
  served,
  proven,
  enumerated,
  clusterLoads,
  onlyDefault,
  through,
  withoutEffect,
} from "./proofs.ts";

const tunnels =
  "proxy/src/worker/hbone.test.ts › a TCP connection between two proxies is a CONNECT stream of a carrier";
const carrierLimits =
  "proxy/src/worker/hbone.test.ts › a carrier takes as many streams as it may, and then there is another";
const carrierAge = "proxy/src/worker/hbone.test.ts › a carrier that is old takes no new stream, and its streams go on";
const balancing =
  "engine/src/load/cluster.test.ts › the load balancer comes from lb_policy or from load_balancing_policy";
const endpointsLoad = "engine/src/load/endpoints.test.ts › an assignment's localities and endpoints arrive";
const limits = "engine/src/steps/choose-endpoint.test.ts › requests above the limit of the cluster overflow";
const services = "engine/src/load/cluster.test.ts › the services behind a cluster come from Istio's metadata";
const transport = "engine/src/bind/cluster.test.ts › an endpoint's metadata selects its transport";
const priorities = through(
  clusterLoads,
  "engine/src/bind/priority-level.test.ts › traffic goes to the first level as far as its health reaches",
);
const keepalive =
  "proxy/src/worker/upstream-keepalive.test.ts › connections to a cluster with tcp_keepalive are probed when idle, those to others are not";
const upstreamTrailers = through(
  clusterLoads,
  "upstream/src/transport.test.ts › a chunked body and its trailers arrive as they were sent",
);
const lookupFamily = through(
  clusterLoads,
  "upstream/src/dns/system-resolver.test.ts › a family is asked for alone, or preferred, as dns_lookup_family says",
);
const localityWeight =
  "engine/src/steps/choose-endpoint.test.ts › a locality's weight means nothing unless the cluster balances by localities, as in Envoy";
const shown = "proxy/src/admin/admin.test.ts › clusters and listeners are shown in Envoy's forms";
const connectTime = through(
  clusterLoads,
  "upstream/src/transport-tls.test.ts › a handshake that never ends is a connection that was not made in time",
);
const slowUpstream = through(
  clusterLoads,
  "upstream/src/transport.test.ts › an upstream that does not read stops its writer, and starts it again",
);
const names = through(
  clusterLoads,
  "upstream/src/dns/dns-clusters.test.ts › a strict DNS name has an endpoint for each of its addresses, a logical one for the first",
);
const refresh = through(
  clusterLoads,
  "upstream/src/dns/dns-clusters.test.ts › names are asked for again after the refresh rate, or after their time to live where that counts",
);
const failedLookup = through(
  clusterLoads,
  "upstream/src/dns/dns-clusters.test.ts › a failed look-up keeps the last answer and is tried again with back-off",
);
const preconnect = through(
  clusterLoads,
  "upstream/src/pool.test.ts › with a preconnect ratio connections are made ahead of requests, and kept idle for them",
);
const destinationHeader =
  "engine/src/steps/original-destinations.test.ts › the header's address wins where use_http_header says so, and upstream_port_override changes the port";
const destinationsForgotten =
  "engine/src/steps/original-destinations.test.ts › a destination that nobody asks for is forgotten after the cleanup interval, one in use is not";
const addressTurns =
  "engine/src/bind/cluster.test.ts › an endpoint's addresses are tried by turns of the families, beginning as happy_eyeballs_config says";
const resolvers =
  "engine/src/load/dns.test.ts › a cluster's resolver is the host's, its DNS servers, or those that are named";
const namedServers = through(
  resolvers,
  "upstream/src/dns/system-resolver.test.ts › servers that are named are asked themselves",
);
const searchDomains = through(
  resolvers,
  "upstream/src/dns/dns-resolver.test.ts › search domains are gone through as resolv.conf says, unless they are not to be used",
);
const serverNames =
  "engine/src/load/cluster.test.ts › what TLS connections take from requests arrives, and demands that certificates are verified";
const namedUpstreams = "proxy/src/worker/upstream-server-name.test.ts ›";
const sentNames = through(serverNames, `${namedUpstreams} auto_sni sends the host of the request as server name`);
const http2Upstream =
  "proxy/src/worker/http2.test.ts › an HTTP/1.1 request reaches an HTTP/2 application, and its trailers come back";
const http2Alpn = through(
  clusterLoads,
  "proxy/src/worker/http2.test.ts › ALPN decides, and mutual TLS carries HTTP/2 on both sides",
);
const upstreamIdle = through(
  clusterLoads,
  "upstream/src/transport.test.ts › an idle connection closes when its time is over",
);
const leastRequest =
  "engine/src/steps/choose-endpoint.test.ts › least request prefers the endpoint with fewer active requests";
const leastRequestWeights =
  "engine/src/steps/choose-endpoint.test.ts › least request weighs weights against active requests when they differ";
const roundRobin = "engine/src/steps/choose-endpoint.test.ts › round robin takes turns, in proportion to the weights";
const edsEndpoints = "engine/src/steps/choose-endpoint.test.ts › an EDS cluster has no endpoints until they are given";
const health =
  "engine/src/bind/priority-level.test.ts › health is Envoy's: unknown counts as healthy, a timeout as unhealthy";

const carriers =
  "proxy/src/worker/carriers.test.ts › few requests at once have connections of their own, many ride on connections inside a carrier";

const checks = "upstream/src/health/health-checks.test.ts ›";
const firstCheck = through(
  "engine/src/load/health-check.test.ts › a health check's times and thresholds arrive, and Envoy's defaults with them",
  `${checks} an endpoint serves when its first check has ended well, and not before`,
);
const checkedHosts = through(
  endpointsLoad,
  `${checks} an endpoint is checked at its own check port, else at alt_port, with its own host name`,
);
const removedHosts = through(
  clusterLoads,
  "upstream/src/health/health-checks.test.ts › an endpoint that discovery forgets while its check succeeds stays until it fails, or goes at once where ignore_health_on_host_removal says so",
);

const sourceAddress =
  "proxy/src/worker/original-destination.test.ts › a connection goes where it was meant to go, from the address that upstream_bind_config names";

/** Clusters and endpoints. */
export const clusterFields: AcceptedFields = {
  ...healthCheckFields,
  "envoy.config.cluster.v3.Cluster": {
    ...proven(served, "name", "load_assignment"),
    ...proven(edsEndpoints, "eds_cluster_config"),
    ...proven(connectTime, "connect_timeout"),
    ...proven(slowUpstream, "per_connection_buffer_limit_bytes"),
    ...proven(limits, "circuit_breakers"),
    ...proven(upstreamIdle, "typed_extension_protocol_options"),
    ...proven(refresh, "dns_refresh_rate", "respect_dns_ttl"),
    ...proven(failedLookup, "dns_failure_refresh_rate"),
    ...proven(lookupFamily, "dns_lookup_family"),
    ...proven(firstCheck, "health_checks"),
    ...proven(removedHosts, "ignore_health_on_host_removal"),
    ...proven(namedServers, "typed_dns_resolver_config"),
    ...proven(keepalive, "upstream_connection_options"),
    ...proven(sourceAddress, "upstream_bind_config"),
    ...proven(preconnect, "preconnect_policy"),
    ...enumerated(names, "type", "STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"),
    ...proven(destinationHeader, "original_dst_lb_config"),
    ...proven(destinationsForgotten, "cleanup_interval"),
    ...enumerated(
      through(balancing, roundRobin),
      "lb_policy",
      "ROUND_ROBIN",
      "LEAST_REQUEST",
      "RANDOM",
      "CLUSTER_PROVIDED",
    ),
    ...proven(through(balancing, leastRequest), "least_request_lb_config"),
    ...proven(withoutEffect("it has no setting that is supported", roundRobin), "round_robin_lb_config"),
    ...proven(balancing, "load_balancing_policy"),
    ...proven(priorities, "common_lb_config"),
    ...proven(transport, "transport_socket", "transport_socket_matches"),
    ...proven(services, "metadata"),
  },
  "envoy.config.core.v3.BindConfig": proven(sourceAddress, "source_address", "extra_source_addresses"),
  "envoy.config.core.v3.ExtraSourceAddress": proven(sourceAddress, "address"),
  "envoy.config.cluster.v3.Cluster.EdsClusterConfig": proven(edsEndpoints, "eds_config", "service_name"),
  "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig": {
    ...proven(through(balancing, leastRequest), "choice_count"),
    ...proven(through(balancing, leastRequestWeights), "active_request_bias"),
  },
  "envoy.config.cluster.v3.Cluster.RoundRobinLbConfig": {},
  "envoy.config.core.v3.RuntimeDouble": proven(leastRequestWeights, "default_value"),
  "envoy.config.cluster.v3.Cluster.CommonLbConfig": proven(priorities, "healthy_panic_threshold"),
  "envoy.type.v3.Percent": proven(priorities, "value"),
  "envoy.config.cluster.v3.Cluster.RefreshRate": proven(failedLookup, "base_interval", "max_interval"),
  "envoy.config.cluster.v3.Cluster.TransportSocketMatch": proven(transport, "name", "match", "transport_socket"),
  "heddle.v1.TunnelOptions": {
    ...proven(tunnels, "transport_socket_match"),
    ...proven(carrierLimits, "http2_protocol_options"),
    ...proven(carrierAge, "max_connection_duration"),
    ...proven(carriers, "min_concurrent_requests"),
  },
  "envoy.config.cluster.v3.CircuitBreakers": proven(limits, "thresholds"),
  "envoy.config.cluster.v3.CircuitBreakers.Thresholds": {
    ...enumerated(withoutEffect(onlyDefault, limits), "priority", "DEFAULT"),
    ...proven(limits, "max_connections", "max_pending_requests", "max_requests"),
    ...proven(retryLimits, "max_retries"),
  },
  "envoy.config.cluster.v3.Cluster.OriginalDstLbConfig": proven(
    destinationHeader,
    "use_http_header",
    "http_header_name",
    "upstream_port_override",
  ),
  "envoy.config.cluster.v3.Cluster.PreconnectPolicy": proven(preconnect, "per_upstream_preconnect_ratio"),
  "envoy.config.cluster.v3.UpstreamConnectionOptions": {
    ...proven(keepalive, "tcp_keepalive"),
    ...proven(addressTurns, "happy_eyeballs_config"),
  },
  "envoy.config.cluster.v3.UpstreamConnectionOptions.HappyEyeballsConfig": proven(
    addressTurns,
    "first_address_family_version",
    "first_address_family_count",
  ),
  "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig": {
    ...proven(namedServers, "resolvers"),
    ...proven(searchDomains, "dns_resolver_options"),
  },
  "envoy.config.core.v3.DnsResolverOptions": proven(searchDomains, "no_default_search_domain"),
  "envoy.extensions.network.dns_resolver.getaddrinfo.v3.GetAddrInfoDnsResolverConfig": {},
  "envoy.config.core.v3.TcpKeepalive": proven(
    through(
      clusterLoads,
      "net/src/tcp-keepalive.test.ts › probes, time and interval are set as given, and what is not given stays the system's",
    ),
    "keepalive_probes",
    "keepalive_time",
    "keepalive_interval",
  ),
  "envoy.config.cluster.v3.LoadBalancingPolicy": proven(balancing, "policies"),
  "envoy.config.cluster.v3.LoadBalancingPolicy.Policy": proven(balancing, "typed_extension_config"),
  "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin": {},
  "envoy.extensions.load_balancing_policies.random.v3.Random": {},
  "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest": {
    ...proven(through(balancing, leastRequest), "choice_count"),
    ...proven(through(balancing, leastRequestWeights), "active_request_bias"),
  },
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    ...proven(upstreamIdle, "common_http_protocol_options", "explicit_http_config", "auto_config"),
    ...proven(sentNames, "upstream_http_protocol_options"),
  },
  "envoy.config.core.v3.UpstreamHttpProtocolOptions": {
    ...proven(sentNames, "auto_sni"),
    ...proven(
      through(serverNames, `${namedUpstreams} auto_san_validation demands a certificate for the host of the request`),
      "auto_san_validation",
    ),
    ...proven(
      through(serverNames, `${namedUpstreams} override_auto_sni_header names a header that says who the server is`),
      "override_auto_sni_header",
    ),
  },
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig": {
    ...proven(upstreamTrailers, "http_protocol_options"),
    ...proven(http2Upstream, "http2_protocol_options"),
  },
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.AutoHttpConfig": proven(
    http2Alpn,
    "http_protocol_options",
    "http2_protocol_options",
  ),

  "envoy.config.endpoint.v3.ClusterLoadAssignment": {
    ...proven(through(endpointsLoad, edsEndpoints), "cluster_name", "endpoints"),
    ...proven(priorities, "policy"),
  },
  "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy": proven(priorities, "overprovisioning_factor"),
  "envoy.config.endpoint.v3.LocalityLbEndpoints": {
    ...proven(through(endpointsLoad, shown), "locality"),
    ...proven(served, "lb_endpoints"),
    ...proven(withoutEffect("no cluster balances by localities", localityWeight), "load_balancing_weight"),
    ...proven(priorities, "priority"),
  },
  "envoy.config.core.v3.Locality": proven(through(endpointsLoad, shown), "region", "zone", "sub_zone"),
  "envoy.config.endpoint.v3.LbEndpoint": {
    ...proven(served, "endpoint"),
    ...proven(health, "health_status"),
    ...proven(transport, "metadata"),
    ...proven(roundRobin, "load_balancing_weight"),
  },
  "envoy.config.endpoint.v3.Endpoint": {
    ...proven(served, "address"),
    ...proven(through(endpointsLoad, shown), "hostname"),
    ...proven(addressTurns, "additional_addresses"),
    ...proven(checkedHosts, "health_check_config"),
  },
  "envoy.config.endpoint.v3.Endpoint.HealthCheckConfig": proven(
    checkedHosts,
    "port_value",
    "hostname",
    "disable_active_health_check",
  ),
  "envoy.config.endpoint.v3.Endpoint.AdditionalAddress": proven(addressTurns, "address"),
};
