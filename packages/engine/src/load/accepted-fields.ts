import type { AcceptedField, AcceptedFields } from "./field-walker.ts";

// Titles of the tests that prove the fields below; accepted-fields.test.ts checks that each exists.
const provenance = "engine/src/load/listener.test.ts › provenance comes from the metadata of heddle.dev";
const chainMatch =
  "engine/src/bind/filter-chain-index.test.ts › each condition of a filter chain match separates connections";
const secretSources =
  "engine/src/load/tls.test.ts › secrets come from ADS, the local identity, the bootstrap or the context itself";
const dataSource = "engine/src/load/core-types.test.ts › data comes inline, from a file or from the environment";
const underscores = "engine/src/steps/prepare-request.test.ts › names with underscores are allowed, dropped or refused";
const remoteAddress = "engine/src/steps/prepare-request.test.ts › the client's address follows the trusted hops";
const internal =
  "engine/src/steps/prepare-request.test.ts › only configured ranges are internal, and only they may steer the proxy";
const forwardedHeaders =
  "engine/src/steps/prepare-request.test.ts › forwarded headers are appended, set or stripped at the edge";
const requestId = "engine/src/steps/prepare-request.test.ts › a request id is made, kept or replaced";
const clientCertificate = "engine/src/steps/prepare-request.test.ts › the client certificate header follows its mode";
const paths = "engine/src/steps/prepare-request.test.ts › the path is normalised before anything looks at it";
const hosts =
  "engine/src/steps/prepare-request.test.ts › ports and trailing dots of the authority are stripped as configured";
const scheme =
  "engine/src/steps/prepare-request.test.ts › the scheme comes from the transport, a trusted hop or the configuration";
const responseHead =
  "engine/src/steps/response-headers.test.ts › the server, via and request id headers follow the connection manager";
const suppressed = "engine/src/steps/response-headers.test.ts › Envoy's own headers can be suppressed";
const domains =
  "engine/src/bind/virtual-host-index.test.ts › exact domains win over suffixes, suffixes over prefixes, and longer over shorter ones";
const tableHost =
  "engine/src/steps/decide-request.test.ts › the virtual host is found by its domains, with or without the port";
const tls = "engine/src/steps/redirect.test.ts › a virtual host that requires TLS redirects";
const internalOnly =
  "engine/src/steps/decide-request.test.ts › headers that are internal only are removed from outsiders";
const routeMatch =
  "engine/src/steps/decide-request.test.ts › a route matches by path, headers, query parameters and fraction";
const mutationOrder =
  "engine/src/steps/request-rewrite.test.ts › header mutations run from the weighted cluster to the table, or the other way round";
const mutation =
  "engine/src/steps/request-rewrite.test.ts › a header is appended, added, overwritten or removed as its action says";
const clusters = "engine/src/steps/decide-request.test.ts › a route leads to a cluster by name, by header or by weight";
const noCluster = "engine/src/steps/decide-request.test.ts › a cluster that does not exist gives the configured status";
const rewrites = "engine/src/steps/request-rewrite.test.ts › paths and hosts are rewritten";
const timeouts =
  "engine/src/steps/decide-request.test.ts › timeouts come from the route, the connection manager and the caller's headers";
const mirrors =
  "engine/src/steps/decide-request.test.ts › mirrors are drawn by their fraction and inherited from the outside";
const redirects = "engine/src/steps/redirect.test.ts › a redirect changes scheme, host, port, path and query";
const direct = "engine/src/steps/redirect.test.ts › a direct response has the route's status and body";
const overrides = "engine/src/steps/decide-request.test.ts › the most specific override of a filter wins";
const attemptCount =
  "engine/src/steps/retry.test.ts › the attempt count is told to the upstream and the caller when asked for";
const retries = "engine/src/steps/retry.test.ts › each retry condition retries what it names and nothing else";
const retryLimits = "engine/src/steps/retry.test.ts › retries end at the policy's number and at the cluster's limit";
const backOff = "engine/src/steps/retry.test.ts › the back-off doubles from its base to its maximum, fully jittered";
const perTry = "engine/src/steps/retry.test.ts › a per-try timeout is retried like a reset";
const retryHosts = "engine/src/steps/retry.test.ts › endpoints that were tried are avoided";
const idempotent = "engine/src/steps/retry.test.ts › under IdempotentRequest only idempotent requests are sent again";
const rbac = "engine/src/steps/authorization.test.ts › each permission and principal matches what it names";
const rbacActions = "engine/src/steps/authorization.test.ts › ALLOW, DENY and LOG decide as Envoy's";
const rbacShadow = "engine/src/steps/authorization.test.ts › shadow rules are reported and never enforced";
const networkRbac = "engine/src/steps/authorization.test.ts › a network filter judges the connection";
const faults =
  "engine/src/steps/fault-injection.test.ts › delays and aborts hit their share of the requests that they concern";
const faultLimit = "engine/src/steps/fault-injection.test.ts › no more faults than allowed are active at once";
const accessLogs = "engine/src/load/access-log.test.ts › an access log's sink, format and filter arrive";
const balancing =
  "engine/src/load/cluster.test.ts › the load balancer comes from lb_policy or from load_balancing_policy";
const limits = "engine/src/steps/choose-endpoint.test.ts › requests above the limit of the cluster overflow";
const services = "engine/src/load/cluster.test.ts › the services behind a cluster come from Istio's metadata";
const transport = "engine/src/bind/cluster.test.ts › an endpoint's metadata selects its transport";
const priorities =
  "engine/src/bind/priority-level.test.ts › traffic goes to the first level as far as its health reaches";

// Titles of tests of behaviour, outside the loaders: real sockets and real peers.
const chainChoice =
  "engine/src/steps/connection.test.ts › a connection gets the chain that fits, else the default, else none";
const relayLogs =
  "proxy/src/worker/tcp-relay.test.ts › a connection is logged by its listener and by its relay when it ends";
const peerMetadata =
  "proxy/src/worker/peer-metadata.test.ts › what one proxy announces the other reads, and nothing of it is left";
const keepalive =
  "proxy/src/worker/upstream-keepalive.test.ts › connections to a cluster with tcp_keepalive are probed when idle, those to others are not";
const upstreamTrailers = "upstream/src/transport.test.ts › a chunked body and its trailers arrive as they were sent";
const lookupFamily =
  "upstream/src/dns/system-resolver.test.ts › a family is asked for alone, or preferred, as dns_lookup_family says";
const localityWeight =
  "engine/src/steps/choose-endpoint.test.ts › a locality's weight means nothing unless the cluster balances by localities, as in Envoy";
const lastClose =
  "proxy/src/worker/listener-settings.test.ts › a client that stays after the last answer is cut off after delayed_close_timeout";
const sni = "net/src/fast-socket.test.ts › both sides know who the other is, and bytes travel";
const sanTypes =
  "upstream/src/tls/peer-policy.test.ts › a name of each type is compared with the certificate's names of that type alone";
const served = "proxy/src/supervisor/supervisor.test.ts › the example bootstrap is served";
const addresses =
  "proxy/src/worker/listener-settings.test.ts › a listener serves on its additional addresses too, and one that does not bind is on none";
const inspection =
  "proxy/src/worker/listener-settings.test.ts › a client that says nothing to be inspected is given up after listener_filters_timeout, or served where the listener goes on";
const handshakeTimeout =
  "proxy/src/worker/listener-settings.test.ts › a handshake that does not end within transport_socket_connect_timeout ends its connection";
const relayTimes =
  "proxy/src/worker/listener-settings.test.ts › a relay closes a connection on which nothing moves, and one that has lived its time";
const defaultHost =
  "proxy/src/worker/listener-settings.test.ts › an HTTP/1.0 request without a host goes to the host that the listener names for it";
const backlog = "net/src/listener.test.ts › the kernel holds as many waiting connections as the backlog says";
const slowReader =
  "proxy/src/worker/request-path.test.ts › a long answer to a client that does not read stops the upstream, and goes on when the client does";
const shown = "proxy/src/admin/admin.test.ts › clusters and listeners are shown in Envoy's forms";
const statistics =
  "proxy/src/admin/admin.test.ts › statistics come as text, JSON and for Prometheus, and can be filtered";
const standardMetrics = "proxy/src/worker/mesh.test.ts › Istio's metrics name both ends, on both sides";
const logFilters =
  "proxy/src/worker/access-log-filters.test.ts › each filter keeps the lines that it names, in text and in JSON";
const mutualTls =
  "proxy/src/worker/mesh.test.ts › a request crosses two proxies over mutual TLS and the application sees who asked";
const clientRequired = "proxy/src/worker/mesh.test.ts › a client without a certificate, or in plaintext, is not served";
const serverName = "net/src/fast-socket.test.ts › a required server name is required";
const noTickets = "net/src/session-resumption.test.ts › without session tickets nothing is resumed";
const tlsVersions = "net/src/fast-socket.test.ts › TLS 1.2 and a foreign ALPN are refused with their reason";
const otherIdentity = "proxy/src/worker/mesh.test.ts › an endpoint with another identity than expected gets nothing";
const secretPolicy =
  "upstream/src/tls/peer-policy.test.ts › anchors and names of a validation secret are used, and names beside the reference win";
const revocation = "upstream/src/tls/peer-policy.test.ts › a revocation list in the context is obeyed";
const secretsOverAds =
  "proxy/src/worker/trust-change.test.ts › secrets come over ADS; when an anchor is withdrawn, open connections of those it vouched for are closed and others stay";
const headTime = "proxy/src/worker/timeouts.test.ts › a head that is begun and not finished in time: 408 and the end";
const bodyTime =
  "proxy/src/worker/timeouts.test.ts › a body that does not come in time: 408, and the upstream is given up";
const streamIdle =
  "proxy/src/worker/timeouts.test.ts › an upstream that says nothing for too long: 504 with its reason";
const connectionIdle =
  "proxy/src/worker/timeouts.test.ts › a connection without requests is closed after its idle time";
const connectionAge =
  "proxy/src/worker/timeouts.test.ts › a connection that has lived long enough ends, between requests at once";
const lastRequest = "proxy/src/worker/timeouts.test.ts › the last request that a connection may carry is told so";
const streamAge = "proxy/src/worker/timeouts.test.ts › a stream that lasts too long is answered with 504";
const expectation =
  "proxy/src/worker/request-path.test.ts › 100-continue is answered only when the request will be forwarded";
const http10 =
  "proxy/src/worker/request-path.test.ts › HTTP/1.0 gets its answer without chunks and its connection closed";
const trailers =
  "proxy/src/worker/request-path.test.ts › a chunked body is forwarded in chunks and its trailers with it";
const absoluteForm = "proxy/src/worker/request-path.test.ts › where absolute form is switched off it is refused";
const headLimits = "http/src/http1/request-decoder.test.ts › exactly the limits is allowed";
const filterOrder =
  "engine/src/steps/decide-request.test.ts › filters run in their order, and before a missing route is answered";
const routesOverAds =
  "proxy/src/generation/active-configuration.test.ts › a listener serves when its routes and its certificate have come";
const tableInSnapshot =
  "engine/src/steps/decide-request.test.ts › a table that comes by name is looked up in the snapshot";
const relayWeights = "engine/src/steps/connection.test.ts › a TCP proxy's cluster is drawn by weight";
const relayAttempts =
  "proxy/src/worker/before-connected.test.ts › a half of a byte stream that ends before its endpoint is there ends at the endpoint that serves it";
const relayed = "proxy/src/worker/tcp-relay.test.ts › bytes go both ways, and each side's end by itself";
const connectTime =
  "upstream/src/transport-tls.test.ts › a handshake that never ends is a connection that was not made in time";
const slowUpstream =
  "upstream/src/transport.test.ts › an upstream that does not read stops its writer, and starts it again";
const names =
  "upstream/src/dns/dns-clusters.test.ts › a strict DNS name has an endpoint for each of its addresses, a logical one for the first";
const refresh =
  "upstream/src/dns/dns-clusters.test.ts › names are asked for again after the refresh rate, or after their time to live where that counts";
const failedLookup =
  "upstream/src/dns/dns-clusters.test.ts › a failed look-up keeps the last answer and is tried again with back-off";
const firstBytes = "proxy/src/worker/http2.test.ts › a listener for HTTP/2 alone does not answer HTTP/1.1";
const http2Limits =
  "proxy/src/worker/http2.test.ts › limits of streams and header fields are announced, kept and answered";
const http2Drain =
  "proxy/src/worker/http2-drain.test.ts › a client that does not answer the PING gets the last GOAWAY after the drain timeout";
const http2Upstream =
  "proxy/src/worker/http2.test.ts › an HTTP/1.1 request reaches an HTTP/2 application, and its trailers come back";
const http2Alpn = "proxy/src/worker/http2.test.ts › ALPN decides, and mutual TLS carries HTTP/2 on both sides";
const upstreamIdle = "upstream/src/transport.test.ts › an idle connection closes when its time is over";
const leastRequest =
  "engine/src/steps/choose-endpoint.test.ts › least request prefers the endpoint with fewer active requests";
const leastRequestWeights =
  "engine/src/steps/choose-endpoint.test.ts › least request weighs weights against active requests when they differ";
const roundRobin = "engine/src/steps/choose-endpoint.test.ts › round robin takes turns, in proportion to the weights";
const edsEndpoints = "engine/src/steps/choose-endpoint.test.ts › an EDS cluster has no endpoints until they are given";
const health =
  "engine/src/bind/priority-level.test.ts › health is Envoy's: unknown counts as healthy, a timeout as unhealthy";
const headerForms =
  "engine/src/bind/header-matcher.test.ts › a header matches by exact value, prefix, suffix and substring";
const headerRegex =
  "engine/src/bind/header-matcher.test.ts › a header matches a regex as a whole, and bytes that are not UTF-8 are unreadable";
const headerRange = "engine/src/bind/header-matcher.test.ts › a range is half-open and takes whole integers only";
const headerPresence = "engine/src/bind/header-matcher.test.ts › presence and absence can be asked for, and inverted";
const headerMissing =
  "engine/src/bind/header-matcher.test.ts › an inverted condition on a missing header matches only when missing is treated as empty";

type Fields = Readonly<Record<string, AcceptedField>>;

function proven(proof: string, ...names: readonly string[]): Fields {
  return Object.fromEntries(names.map((name) => [name, { proof }]));
}

function enumerated(proof: string, name: string, ...values: readonly string[]): Fields {
  return { [name]: { proof, values } };
}

/**
 * Every field that the loaders accept, with the test that proves its behaviour. What is not here is refused by the walker
 * with its path; accepted-fields.test.ts sets every field of every message that can be reached and sees that it is one or
 * the other. Fields of well-known types (durations, wrappers, structs) are part of the field that holds them.
 */
export const acceptedFields: AcceptedFields = {
  "envoy.config.listener.v3.Listener": {
    ...proven(served, "name", "address", "filter_chains"),
    ...proven(addresses, "additional_addresses", "bind_to_port"),
    ...proven(statistics, "stat_prefix"),
    ...proven(slowReader, "per_connection_buffer_limit_bytes"),
    ...proven(inspection, "listener_filters_timeout", "continue_on_listener_filters_timeout"),
    ...proven(standardMetrics, "traffic_direction"),
    ...proven(backlog, "tcp_backlog_size"),
    ...proven(chainChoice, "default_filter_chain"),
    ...proven(provenance, "metadata"),
    ...proven(inspection, "listener_filters"),
    ...proven(relayLogs, "access_log"),
  },
  "envoy.config.listener.v3.AdditionalAddress": proven(addresses, "address"),
  "envoy.config.core.v3.Address": proven(served, "socket_address"),
  "envoy.config.core.v3.SocketAddress": {
    ...enumerated(served, "protocol", "TCP"),
    ...proven(served, "address", "port_value"),
  },
  "envoy.config.core.v3.CidrRange": proven(chainMatch, "address_prefix", "prefix_len"),
  "envoy.config.core.v3.Metadata": proven(provenance, "filter_metadata"),
  "envoy.config.listener.v3.ListenerFilter": proven(inspection, "name", "typed_config"),
  "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": {},
  "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": {},
  "envoy.extensions.filters.listener.original_dst.v3.OriginalDst": {},
  "envoy.config.listener.v3.FilterChain": {
    ...proven(served, "filters", "name"),
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
  "envoy.config.listener.v3.Filter": proven(served, "name", "typed_config"),
  "envoy.config.core.v3.TransportSocket": proven(mutualTls, "name", "typed_config"),
  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer": {},
  "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext": {
    ...proven(mutualTls, "common_tls_context"),
    ...proven(clientRequired, "require_client_certificate"),
    ...proven(serverName, "require_sni"),
    ...proven(noTickets, "disable_stateless_session_resumption"),
  },
  "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext": {
    ...proven(mutualTls, "common_tls_context"),
    ...proven(sni, "sni"),
  },
  "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext": {
    ...proven(tlsVersions, "tls_params", "alpn_protocols"),
    ...proven(mutualTls, "tls_certificates", "validation_context"),
    ...proven(secretsOverAds, "tls_certificate_sds_secret_configs", "validation_context_sds_secret_config"),
    ...proven(secretPolicy, "combined_validation_context"),
  },
  "envoy.extensions.transport_sockets.tls.v3.TlsParameters": {
    ...enumerated(tlsVersions, "tls_minimum_protocol_version", "TLS_AUTO", "TLSv1_2", "TLSv1_3"),
    ...enumerated(tlsVersions, "tls_maximum_protocol_version", "TLS_AUTO", "TLSv1_2", "TLSv1_3"),
  },
  "envoy.extensions.transport_sockets.tls.v3.TlsCertificate": proven(mutualTls, "certificate_chain", "private_key"),
  "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig": proven(secretsOverAds, "name", "sds_config"),
  "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext": {
    ...proven(mutualTls, "trusted_ca"),
    ...proven(otherIdentity, "match_typed_subject_alt_names"),
    ...proven(revocation, "crl"),
    ...enumerated(mutualTls, "trust_chain_verification", "VERIFY_TRUST_CHAIN"),
  },
  "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext": proven(
    secretPolicy,
    "default_validation_context",
    "validation_context_sds_secret_config",
  ),
  "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher": {
    ...enumerated(sanTypes, "san_type", "EMAIL", "DNS", "URI", "IP_ADDRESS"),
    ...proven(sanTypes, "matcher"),
  },
  "envoy.extensions.transport_sockets.tls.v3.Secret": proven(
    secretsOverAds,
    "name",
    "tls_certificate",
    "validation_context",
  ),
  "envoy.config.core.v3.DataSource": proven(
    dataSource,
    "filename",
    "inline_bytes",
    "inline_string",
    "environment_variable",
  ),
  "envoy.config.core.v3.ConfigSource": {
    ...proven(secretsOverAds, "ads"),
    ...proven(secretSources, "api_config_source", "initial_fetch_timeout"),
    ...enumerated(secretSources, "resource_api_version", "AUTO", "V3"),
  },
  "envoy.config.core.v3.AggregatedConfigSource": {},
  "envoy.config.core.v3.ApiConfigSource": {
    ...enumerated(secretSources, "api_type", "GRPC", "DELTA_GRPC"),
    ...enumerated(secretSources, "transport_api_version", "AUTO", "V3"),
    ...proven(secretSources, "grpc_services", "set_node_on_first_message_only"),
  },
  "envoy.config.core.v3.GrpcService": proven(secretSources, "envoy_grpc"),
  "envoy.config.core.v3.GrpcService.EnvoyGrpc": proven(secretSources, "cluster_name"),

  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": {
    ...enumerated(firstBytes, "codec_type", "AUTO", "HTTP1", "HTTP2"),
    ...proven(statistics, "stat_prefix"),
    ...proven(connectionIdle, "common_http_protocol_options"),
    ...proven(http10, "http_protocol_options"),
    ...proven(http2Limits, "http2_protocol_options"),
    ...proven(http2Drain, "drain_timeout"),
    ...proven(headLimits, "max_request_headers_kb"),
    ...proven(streamIdle, "stream_idle_timeout"),
    ...proven(bodyTime, "request_timeout"),
    ...proven(headTime, "request_headers_timeout"),
    ...proven(lastClose, "delayed_close_timeout"),
    ...proven(expectation, "proxy_100_continue"),
    ...proven(routesOverAds, "rds"),
    ...proven(served, "route_config"),
    ...proven(filterOrder, "http_filters"),
    ...proven(responseHead, "server_name", "server_header_transformation", "via", "always_set_request_id_in_response"),
    ...proven(scheme, "scheme_header_transformation"),
    ...proven(logFilters, "access_log"),
    ...proven(remoteAddress, "use_remote_address", "xff_num_trusted_hops", "skip_xff_append"),
    ...proven(internal, "internal_address_config"),
    ...proven(forwardedHeaders, "append_x_forwarded_port"),
    ...proven(requestId, "generate_request_id", "preserve_external_request_id"),
    ...proven(clientCertificate, "forward_client_cert_details", "set_current_client_cert_details"),
    ...proven(paths, "normalize_path", "merge_slashes", "path_with_escaped_slashes_action"),
    ...proven(hosts, "strip_matching_host_port", "strip_any_host_port", "strip_trailing_host_dot"),
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig": proven(
    internal,
    "cidr_ranges",
  ),
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails":
    proven(clientCertificate, "subject", "cert", "chain", "dns", "uri"),
  "envoy.extensions.filters.network.http_connection_manager.v3.Rds": {
    ...proven(routesOverAds, "config_source"),
    ...proven(tableInSnapshot, "route_config_name"),
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": {
    ...proven(filterOrder, "name", "typed_config"),
    ...proven(overrides, "disabled"),
  },
  "envoy.config.core.v3.SchemeHeaderTransformation": proven(scheme, "scheme_to_overwrite"),
  "envoy.config.core.v3.HttpProtocolOptions": {
    ...proven(connectionIdle, "idle_timeout"),
    ...proven(connectionAge, "max_connection_duration"),
    ...proven(headLimits, "max_headers_count"),
    ...proven(streamAge, "max_stream_duration"),
    ...proven(lastRequest, "max_requests_per_connection"),
    ...proven(underscores, "headers_with_underscores_action"),
  },
  "envoy.config.core.v3.Http2ProtocolOptions": proven(
    http2Limits,
    "hpack_table_size",
    "max_concurrent_streams",
    "initial_stream_window_size",
    "initial_connection_window_size",
  ),
  "envoy.config.core.v3.Http1ProtocolOptions": {
    ...proven(absoluteForm, "allow_absolute_url"),
    ...proven(http10, "accept_http_10"),
    ...proven(defaultHost, "default_host_for_http_10"),
    ...proven(trailers, "enable_trailers"),
  },
  "envoy.extensions.filters.http.router.v3.Router": proven(suppressed, "suppress_envoy_headers"),
  "heddle.v1.StandardMetrics": enumerated(standardMetrics, "reporter", "REPORTER_SOURCE", "REPORTER_DESTINATION"),
  "heddle.v1.PeerMetadata": {
    ...enumerated(peerMetadata, "direction", "DIRECTION_INBOUND", "DIRECTION_OUTBOUND"),
    ...proven(peerMetadata, "local"),
  },
  "heddle.v1.Workload": proven(
    standardMetrics,
    "workload",
    "namespace",
    "canonical_service",
    "canonical_revision",
    "app",
    "version",
    "cluster",
    "principal",
  ),

  "envoy.config.route.v3.RouteConfiguration": {
    ...proven(tableHost, "name", "virtual_hosts", "ignore_port_in_host_matching"),
    ...proven(internalOnly, "internal_only_headers"),
    ...proven(
      mutationOrder,
      "response_headers_to_add",
      "response_headers_to_remove",
      "request_headers_to_add",
      "request_headers_to_remove",
      "most_specific_header_mutations_wins",
    ),
    ...proven(
      "proxy/src/generation/ads.test.ts › a listener that names a cluster nobody has defined is refused, unless it says that this is meant",
      "validate_clusters",
    ),
    ...proven(direct, "max_direct_response_body_size_bytes"),
    ...proven(mirrors, "request_mirror_policies"),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(provenance, "metadata"),
  },
  "envoy.config.route.v3.VirtualHost": {
    ...proven(tableHost, "name"),
    ...proven(domains, "domains"),
    ...proven(routeMatch, "routes"),
    ...proven(tls, "require_tls"),
    ...proven(
      mutationOrder,
      "request_headers_to_add",
      "request_headers_to_remove",
      "response_headers_to_add",
      "response_headers_to_remove",
    ),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(attemptCount, "include_request_attempt_count", "include_attempt_count_in_response"),
    ...proven(retries, "retry_policy"),
    ...proven(mirrors, "request_mirror_policies"),
    ...proven(provenance, "metadata"),
  },
  "envoy.config.route.v3.Route": {
    ...proven(routeMatch, "name", "match"),
    ...proven(clusters, "route"),
    ...proven(redirects, "redirect"),
    ...proven(direct, "direct_response"),
    ...proven(provenance, "metadata"),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(
      mutationOrder,
      "request_headers_to_add",
      "request_headers_to_remove",
      "response_headers_to_add",
      "response_headers_to_remove",
    ),
  },
  "envoy.config.route.v3.RouteMatch": proven(
    routeMatch,
    "prefix",
    "path",
    "safe_regex",
    "path_separated_prefix",
    "case_sensitive",
    "runtime_fraction",
    "headers",
    "query_parameters",
  ),
  "envoy.config.core.v3.RuntimeFractionalPercent": proven(routeMatch, "default_value"),
  "envoy.type.v3.FractionalPercent": proven(routeMatch, "numerator", "denominator"),
  "envoy.config.route.v3.HeaderMatcher": {
    ...proven(headerForms, "name", "exact_match", "prefix_match", "suffix_match", "contains_match", "string_match"),
    ...proven(headerRegex, "safe_regex_match"),
    ...proven(headerRange, "range_match"),
    ...proven(headerPresence, "present_match", "invert_match"),
    ...proven(headerMissing, "treat_missing_header_as_empty"),
  },
  "envoy.type.v3.Int64Range": proven(headerRange, "start", "end"),
  "envoy.config.route.v3.QueryParameterMatcher": proven(routeMatch, "name", "string_match", "present_match"),
  "envoy.type.matcher.v3.StringMatcher": {
    ...proven(headerForms, "exact", "prefix", "suffix", "contains", "ignore_case"),
    ...proven(headerRegex, "safe_regex"),
  },
  "envoy.type.matcher.v3.RegexMatcher": proven(headerRegex, "google_re2", "regex"),
  "envoy.type.matcher.v3.RegexMatcher.GoogleRE2": {},
  "envoy.type.matcher.v3.RegexMatchAndSubstitute": proven(rewrites, "pattern", "substitution"),
  "envoy.type.matcher.v3.PathMatcher": proven(rbac, "path"),
  "envoy.config.core.v3.HeaderValueOption": {
    ...proven(mutation, "header", "append", "keep_empty_value"),
    ...enumerated(
      mutation,
      "append_action",
      "APPEND_IF_EXISTS_OR_ADD",
      "ADD_IF_ABSENT",
      "OVERWRITE_IF_EXISTS_OR_ADD",
      "OVERWRITE_IF_EXISTS",
    ),
  },
  "envoy.config.core.v3.HeaderValue": proven(mutation, "key", "value"),
  "envoy.config.route.v3.RouteAction": {
    ...proven(clusters, "cluster", "cluster_header", "weighted_clusters"),
    ...proven(noCluster, "cluster_not_found_response_code"),
    ...proven(
      rewrites,
      "prefix_rewrite",
      "regex_rewrite",
      "host_rewrite_literal",
      "auto_host_rewrite",
      "host_rewrite_header",
      "host_rewrite_path_regex",
      "append_x_forwarded_host",
    ),
    ...proven(timeouts, "timeout", "idle_timeout", "max_stream_duration"),
    ...proven(retries, "retry_policy"),
    ...proven(mirrors, "request_mirror_policies"),
  },
  "envoy.config.route.v3.RouteAction.MaxStreamDuration": proven(timeouts, "max_stream_duration"),
  "envoy.config.route.v3.RouteAction.RequestMirrorPolicy": proven(
    mirrors,
    "cluster",
    "runtime_fraction",
    "trace_sampled",
    "disable_shadow_host_suffix_append",
  ),
  "envoy.config.route.v3.WeightedCluster": proven(clusters, "clusters", "header_name"),
  "envoy.config.route.v3.WeightedCluster.ClusterWeight": {
    ...proven(clusters, "name", "cluster_header", "weight"),
    ...proven(
      mutationOrder,
      "request_headers_to_add",
      "request_headers_to_remove",
      "response_headers_to_add",
      "response_headers_to_remove",
    ),
    ...proven(overrides, "typed_per_filter_config"),
    ...proven(rewrites, "host_rewrite_literal"),
  },
  "envoy.config.route.v3.RetryPolicy": {
    ...proven(retries, "retry_on", "retriable_status_codes", "retriable_headers", "retriable_request_headers"),
    ...proven(retryLimits, "num_retries"),
    ...proven(perTry, "per_try_timeout", "per_try_idle_timeout"),
    ...proven(retryHosts, "retry_host_predicate", "host_selection_retry_max_attempts"),
    ...proven(backOff, "retry_back_off"),
    ...proven(idempotent, "retry_options_predicates"),
  },
  "envoy.config.route.v3.RetryPolicy.RetryHostPredicate": proven(retryHosts, "name", "typed_config"),
  "envoy.config.route.v3.RetryPolicy.RetryBackOff": proven(backOff, "base_interval", "max_interval"),
  "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate": {},
  "envoy.config.core.v3.TypedExtensionConfig": proven(idempotent, "name", "typed_config"),
  "heddle.v1.IdempotentRequest": {},
  "envoy.config.route.v3.RedirectAction": proven(
    redirects,
    "https_redirect",
    "scheme_redirect",
    "host_redirect",
    "port_redirect",
    "path_redirect",
    "prefix_rewrite",
    "regex_rewrite",
    "response_code",
    "strip_query",
  ),
  "envoy.config.route.v3.DirectResponseAction": proven(direct, "status", "body"),

  "envoy.extensions.filters.http.rbac.v3.RBAC": {
    ...proven(rbacActions, "rules"),
    ...proven(rbacShadow, "shadow_rules", "shadow_rules_stat_prefix"),
  },
  "envoy.extensions.filters.http.rbac.v3.RBACPerRoute": proven(overrides, "rbac"),
  "envoy.extensions.filters.network.rbac.v3.RBAC": {
    ...proven(networkRbac, "rules", "stat_prefix"),
    ...proven(rbacShadow, "shadow_rules", "shadow_rules_stat_prefix"),
    ...enumerated(networkRbac, "enforcement_type", "ONE_TIME_ON_FIRST_BYTE"),
  },
  "envoy.config.rbac.v3.RBAC": proven(rbacActions, "action", "policies"),
  "envoy.config.rbac.v3.Policy": proven(rbacActions, "permissions", "principals"),
  "envoy.config.rbac.v3.Permission": proven(
    rbac,
    "and_rules",
    "or_rules",
    "any",
    "header",
    "url_path",
    "destination_ip",
    "destination_port",
    "destination_port_range",
    "not_rule",
    "requested_server_name",
  ),
  "envoy.config.rbac.v3.Permission.Set": proven(rbac, "rules"),
  "envoy.type.v3.Int32Range": proven(rbac, "start", "end"),
  "envoy.config.rbac.v3.Principal": proven(
    rbac,
    "and_ids",
    "or_ids",
    "any",
    "authenticated",
    "direct_remote_ip",
    "remote_ip",
    "header",
    "url_path",
    "not_id",
  ),
  "envoy.config.rbac.v3.Principal.Set": proven(rbac, "ids"),
  "envoy.config.rbac.v3.Principal.Authenticated": proven(rbac, "principal_name"),

  "envoy.extensions.filters.http.fault.v3.HTTPFault": {
    ...proven(faults, "delay", "abort", "upstream_cluster", "headers"),
    ...proven(faultLimit, "max_active_faults"),
  },
  "envoy.extensions.filters.common.fault.v3.FaultDelay": proven(faults, "fixed_delay", "percentage"),
  "envoy.extensions.filters.http.fault.v3.FaultAbort": proven(faults, "http_status", "percentage"),

  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": {
    ...proven(statistics, "stat_prefix"),
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

  "envoy.config.accesslog.v3.AccessLog": proven(logFilters, "name", "filter", "typed_config"),
  "envoy.config.accesslog.v3.AccessLogFilter": proven(
    logFilters,
    "status_code_filter",
    "duration_filter",
    "response_flag_filter",
    "and_filter",
    "or_filter",
  ),
  "envoy.config.accesslog.v3.StatusCodeFilter": proven(logFilters, "comparison"),
  "envoy.config.accesslog.v3.DurationFilter": proven(logFilters, "comparison"),
  "envoy.config.accesslog.v3.ComparisonFilter": {
    ...enumerated(logFilters, "op", "EQ", "GE", "LE"),
    ...proven(logFilters, "value"),
  },
  "envoy.config.core.v3.RuntimeUInt32": proven(logFilters, "default_value", "runtime_key"),
  "envoy.config.accesslog.v3.AndFilter": proven(logFilters, "filters"),
  "envoy.config.accesslog.v3.OrFilter": proven(logFilters, "filters"),
  "envoy.config.accesslog.v3.ResponseFlagFilter": proven(logFilters, "flags"),
  "envoy.extensions.access_loggers.file.v3.FileAccessLog": proven(logFilters, "path", "log_format"),
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": proven(accessLogs, "log_format"),
  "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": proven(accessLogs, "log_format"),
  "envoy.config.core.v3.SubstitutionFormatString": proven(
    logFilters,
    "text_format",
    "json_format",
    "text_format_source",
    "omit_empty_values",
  ),

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
    ...proven(keepalive, "upstream_connection_options"),
    ...enumerated(names, "type", "STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS"),
    ...enumerated(roundRobin, "lb_policy", "ROUND_ROBIN", "LEAST_REQUEST", "RANDOM"),
    ...proven(leastRequest, "least_request_lb_config"),
    ...proven(roundRobin, "round_robin_lb_config"),
    ...proven(balancing, "load_balancing_policy"),
    ...proven(priorities, "common_lb_config"),
    ...proven(transport, "transport_socket", "transport_socket_matches"),
    ...proven(services, "metadata"),
  },
  "envoy.config.cluster.v3.Cluster.EdsClusterConfig": proven(edsEndpoints, "eds_config", "service_name"),
  "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig": {
    ...proven(leastRequest, "choice_count"),
    ...proven(leastRequestWeights, "active_request_bias"),
  },
  "envoy.config.cluster.v3.Cluster.RoundRobinLbConfig": {},
  "envoy.config.core.v3.RuntimeDouble": proven(leastRequestWeights, "default_value"),
  "envoy.config.cluster.v3.Cluster.CommonLbConfig": proven(priorities, "healthy_panic_threshold"),
  "envoy.type.v3.Percent": proven(priorities, "value"),
  "envoy.config.cluster.v3.Cluster.RefreshRate": proven(failedLookup, "base_interval", "max_interval"),
  "envoy.config.cluster.v3.Cluster.TransportSocketMatch": proven(transport, "name", "match", "transport_socket"),
  "envoy.config.cluster.v3.CircuitBreakers": proven(limits, "thresholds"),
  "envoy.config.cluster.v3.CircuitBreakers.Thresholds": {
    ...enumerated(limits, "priority", "DEFAULT"),
    ...proven(limits, "max_connections", "max_pending_requests", "max_requests"),
    ...proven(retryLimits, "max_retries"),
  },
  "envoy.config.cluster.v3.UpstreamConnectionOptions": proven(keepalive, "tcp_keepalive"),
  "envoy.config.core.v3.TcpKeepalive": proven(
    "net/src/tcp-keepalive.test.ts › probes, time and interval are set as given, and what is not given stays the system's",
    "keepalive_probes",
    "keepalive_time",
    "keepalive_interval",
  ),
  "envoy.config.cluster.v3.LoadBalancingPolicy": proven(balancing, "policies"),
  "envoy.config.cluster.v3.LoadBalancingPolicy.Policy": proven(balancing, "typed_extension_config"),
  "envoy.extensions.load_balancing_policies.round_robin.v3.RoundRobin": {},
  "envoy.extensions.load_balancing_policies.random.v3.Random": {},
  "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest": {
    ...proven(leastRequest, "choice_count"),
    ...proven(leastRequestWeights, "active_request_bias"),
  },
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": proven(
    upstreamIdle,
    "common_http_protocol_options",
    "explicit_http_config",
    "auto_config",
  ),
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
    ...proven(edsEndpoints, "cluster_name", "endpoints"),
    ...proven(priorities, "policy"),
  },
  "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy": proven(priorities, "overprovisioning_factor"),
  "envoy.config.endpoint.v3.LocalityLbEndpoints": {
    ...proven(shown, "locality"),
    ...proven(served, "lb_endpoints"),
    ...proven(localityWeight, "load_balancing_weight"),
    ...proven(priorities, "priority"),
  },
  "envoy.config.core.v3.Locality": proven(shown, "region", "zone", "sub_zone"),
  "envoy.config.endpoint.v3.LbEndpoint": {
    ...proven(served, "endpoint"),
    ...proven(health, "health_status"),
    ...proven(transport, "metadata"),
    ...proven(roundRobin, "load_balancing_weight"),
  },
  "envoy.config.endpoint.v3.Endpoint": {
    ...proven(served, "address"),
    ...proven(shown, "hostname"),
  },
};
