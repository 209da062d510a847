import type { AcceptedField, AcceptedFields } from "./field-walker.ts";

// Titles of the tests that prove the fields below; accepted-fields.test.ts checks that each exists.
const listener = "engine/src/load/listener.test.ts › a listener's names, addresses, direction and limits arrive";
const listenerFilters = "engine/src/load/listener.test.ts › listener filters are known by their type";
const filters = "engine/src/load/listener.test.ts › network RBAC filters come before the one terminal filter";
const tcpProxy = "engine/src/load/listener.test.ts › a TCP proxy's clusters, timeouts and attempts arrive";
const provenance = "engine/src/load/listener.test.ts › provenance comes from the metadata of heddle.dev";
const chainMatch =
  "engine/src/bind/filter-chain-index.test.ts › each condition of a filter chain match separates connections";
const serverTls = "engine/src/load/tls.test.ts › a server's TLS context arrives";
const clientTls = "engine/src/load/tls.test.ts › a client's TLS context arrives";
const validation = "engine/src/load/tls.test.ts › a validation context's anchors, names, CRL and verification arrive";
const secretSources =
  "engine/src/load/tls.test.ts › secrets come from ADS, the local identity, the bootstrap or the context itself";
const secret = "engine/src/load/secret.test.ts › a secret is a certificate with its key or a validation context";
const dataSource = "engine/src/load/core-types.test.ts › data comes inline, from a file or from the environment";
const address = "engine/src/load/core-types.test.ts › an address is an IP literal and a port, in canonical form";
const manager = "engine/src/load/http-connection-manager.test.ts › every setting of a connection manager arrives";
const managerDefaults = "engine/src/load/http-connection-manager.test.ts › Envoy's defaults are filled in";
const routesByName = "engine/src/load/http-connection-manager.test.ts › routes are inline or come by name from ADS";
const httpFilters = "engine/src/load/http-filters.test.ts › filters are known by their type and keep their order";
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
const stringMatch = "engine/src/load/string-match.test.ts › string, header and query matchers arrive in every form";
const cluster = "engine/src/load/cluster.test.ts › a cluster's discovery, timeouts, limits and options arrive";
const balancing =
  "engine/src/load/cluster.test.ts › the load balancer comes from lb_policy or from load_balancing_policy";
const limits = "engine/src/steps/choose-endpoint.test.ts › requests above the limit of the cluster overflow";
const services = "engine/src/load/cluster.test.ts › the services behind a cluster come from Istio's metadata";
const transport = "engine/src/bind/cluster.test.ts › an endpoint's metadata selects its transport";
const endpoints = "engine/src/load/endpoints.test.ts › an assignment's localities and endpoints arrive";
const priorities =
  "engine/src/bind/priority-level.test.ts › traffic goes to the first level as far as its health reaches";

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
    ...proven(
      listener,
      "name",
      "address",
      "additional_addresses",
      "stat_prefix",
      "per_connection_buffer_limit_bytes",
      "listener_filters_timeout",
      "continue_on_listener_filters_timeout",
      "traffic_direction",
      "tcp_backlog_size",
      "bind_to_port",
    ),
    ...proven(filters, "filter_chains", "default_filter_chain"),
    ...proven(provenance, "metadata"),
    ...proven(listenerFilters, "listener_filters"),
    ...proven(accessLogs, "access_log"),
  },
  "envoy.config.listener.v3.AdditionalAddress": proven(listener, "address"),
  "envoy.config.core.v3.Address": proven(address, "socket_address"),
  "envoy.config.core.v3.SocketAddress": {
    ...enumerated(address, "protocol", "TCP"),
    ...proven(address, "address", "port_value"),
  },
  "envoy.config.core.v3.CidrRange": proven(chainMatch, "address_prefix", "prefix_len"),
  "envoy.config.core.v3.Metadata": proven(provenance, "filter_metadata"),
  "envoy.config.listener.v3.ListenerFilter": proven(listenerFilters, "name", "typed_config"),
  "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": {},
  "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": {},
  "envoy.extensions.filters.listener.original_dst.v3.OriginalDst": {},
  "envoy.config.listener.v3.FilterChain": {
    ...proven(filters, "filters", "name"),
    ...proven(chainMatch, "filter_chain_match"),
    ...proven(provenance, "metadata"),
    ...proven(serverTls, "transport_socket", "transport_socket_connect_timeout"),
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
  "envoy.config.listener.v3.Filter": proven(filters, "name", "typed_config"),
  "envoy.config.core.v3.TransportSocket": proven(serverTls, "name", "typed_config"),
  "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer": {},
  "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext": proven(
    serverTls,
    "common_tls_context",
    "require_client_certificate",
    "require_sni",
    "disable_stateless_session_resumption",
  ),
  "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext": proven(clientTls, "common_tls_context", "sni"),
  "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext": {
    ...proven(serverTls, "tls_params", "alpn_protocols"),
    ...proven(secretSources, "tls_certificates", "tls_certificate_sds_secret_configs"),
    ...proven(validation, "validation_context", "validation_context_sds_secret_config", "combined_validation_context"),
  },
  "envoy.extensions.transport_sockets.tls.v3.TlsParameters": {
    ...enumerated(serverTls, "tls_minimum_protocol_version", "TLS_AUTO", "TLSv1_2", "TLSv1_3"),
    ...enumerated(serverTls, "tls_maximum_protocol_version", "TLS_AUTO", "TLSv1_2", "TLSv1_3"),
  },
  "envoy.extensions.transport_sockets.tls.v3.TlsCertificate": proven(secretSources, "certificate_chain", "private_key"),
  "envoy.extensions.transport_sockets.tls.v3.SdsSecretConfig": proven(secretSources, "name", "sds_config"),
  "envoy.extensions.transport_sockets.tls.v3.CertificateValidationContext": {
    ...proven(validation, "trusted_ca", "match_typed_subject_alt_names", "crl"),
    ...enumerated(validation, "trust_chain_verification", "VERIFY_TRUST_CHAIN", "ACCEPT_UNTRUSTED"),
  },
  "envoy.extensions.transport_sockets.tls.v3.CommonTlsContext.CombinedCertificateValidationContext": proven(
    validation,
    "default_validation_context",
    "validation_context_sds_secret_config",
  ),
  "envoy.extensions.transport_sockets.tls.v3.SubjectAltNameMatcher": {
    ...enumerated(validation, "san_type", "EMAIL", "DNS", "URI", "IP_ADDRESS"),
    ...proven(validation, "matcher"),
  },
  "envoy.extensions.transport_sockets.tls.v3.Secret": proven(secret, "name", "tls_certificate", "validation_context"),
  "envoy.config.core.v3.DataSource": proven(
    dataSource,
    "filename",
    "inline_bytes",
    "inline_string",
    "environment_variable",
  ),
  "envoy.config.core.v3.ConfigSource": {
    ...proven(secretSources, "ads", "api_config_source", "initial_fetch_timeout"),
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
    ...enumerated(manager, "codec_type", "AUTO", "HTTP1"),
    ...proven(
      manager,
      "stat_prefix",
      "common_http_protocol_options",
      "http_protocol_options",
      "max_request_headers_kb",
      "stream_idle_timeout",
      "request_timeout",
      "request_headers_timeout",
      "delayed_close_timeout",
      "proxy_100_continue",
    ),
    ...proven(routesByName, "rds", "route_config"),
    ...proven(httpFilters, "http_filters"),
    ...proven(responseHead, "server_name", "server_header_transformation", "via", "always_set_request_id_in_response"),
    ...proven(scheme, "scheme_header_transformation"),
    ...proven(accessLogs, "access_log"),
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
  "envoy.extensions.filters.network.http_connection_manager.v3.Rds": proven(
    routesByName,
    "config_source",
    "route_config_name",
  ),
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": proven(
    httpFilters,
    "name",
    "typed_config",
    "disabled",
  ),
  "envoy.config.core.v3.SchemeHeaderTransformation": proven(scheme, "scheme_to_overwrite"),
  "envoy.config.core.v3.HttpProtocolOptions": {
    ...proven(managerDefaults, "idle_timeout", "max_connection_duration", "max_headers_count", "max_stream_duration"),
    ...proven(manager, "max_requests_per_connection"),
    ...proven(underscores, "headers_with_underscores_action"),
  },
  "envoy.config.core.v3.Http1ProtocolOptions": proven(
    manager,
    "allow_absolute_url",
    "accept_http_10",
    "default_host_for_http_10",
    "enable_trailers",
  ),
  "envoy.extensions.filters.http.router.v3.Router": proven(suppressed, "suppress_envoy_headers"),
  "heddle.v1.StandardMetrics": enumerated(httpFilters, "reporter", "REPORTER_SOURCE", "REPORTER_DESTINATION"),
  "heddle.v1.PeerMetadata": {
    ...enumerated(httpFilters, "direction", "DIRECTION_INBOUND", "DIRECTION_OUTBOUND"),
    ...proven(httpFilters, "local"),
  },
  "heddle.v1.Workload": proven(
    httpFilters,
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
      "engine/src/load/route-table.test.ts › clusters are not looked up before a request needs them",
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
  "envoy.config.route.v3.HeaderMatcher": proven(
    stringMatch,
    "name",
    "exact_match",
    "safe_regex_match",
    "range_match",
    "present_match",
    "prefix_match",
    "suffix_match",
    "contains_match",
    "string_match",
    "invert_match",
    "treat_missing_header_as_empty",
  ),
  "envoy.type.v3.Int64Range": proven(stringMatch, "start", "end"),
  "envoy.config.route.v3.QueryParameterMatcher": proven(stringMatch, "name", "string_match", "present_match"),
  "envoy.type.matcher.v3.StringMatcher": proven(
    stringMatch,
    "exact",
    "prefix",
    "suffix",
    "safe_regex",
    "contains",
    "ignore_case",
  ),
  "envoy.type.matcher.v3.RegexMatcher": proven(stringMatch, "google_re2", "regex"),
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
    ...proven(
      tcpProxy,
      "stat_prefix",
      "cluster",
      "weighted_clusters",
      "idle_timeout",
      "max_connect_attempts",
      "max_downstream_connection_duration",
    ),
    ...proven(accessLogs, "access_log"),
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster": proven(tcpProxy, "clusters"),
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.WeightedCluster.ClusterWeight": proven(
    tcpProxy,
    "name",
    "weight",
  ),

  "envoy.config.accesslog.v3.AccessLog": proven(accessLogs, "name", "filter", "typed_config"),
  "envoy.config.accesslog.v3.AccessLogFilter": proven(
    accessLogs,
    "status_code_filter",
    "duration_filter",
    "response_flag_filter",
    "and_filter",
    "or_filter",
  ),
  "envoy.config.accesslog.v3.StatusCodeFilter": proven(accessLogs, "comparison"),
  "envoy.config.accesslog.v3.DurationFilter": proven(accessLogs, "comparison"),
  "envoy.config.accesslog.v3.ComparisonFilter": {
    ...enumerated(accessLogs, "op", "EQ", "GE", "LE"),
    ...proven(accessLogs, "value"),
  },
  "envoy.config.core.v3.RuntimeUInt32": proven(accessLogs, "default_value", "runtime_key"),
  "envoy.config.accesslog.v3.AndFilter": proven(accessLogs, "filters"),
  "envoy.config.accesslog.v3.OrFilter": proven(accessLogs, "filters"),
  "envoy.config.accesslog.v3.ResponseFlagFilter": proven(accessLogs, "flags"),
  "envoy.extensions.access_loggers.file.v3.FileAccessLog": proven(accessLogs, "path", "log_format"),
  "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": proven(accessLogs, "log_format"),
  "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": proven(accessLogs, "log_format"),
  "envoy.config.core.v3.SubstitutionFormatString": proven(
    accessLogs,
    "text_format",
    "json_format",
    "text_format_source",
    "omit_empty_values",
  ),

  "envoy.config.cluster.v3.Cluster": {
    ...proven(
      cluster,
      "name",
      "eds_cluster_config",
      "connect_timeout",
      "per_connection_buffer_limit_bytes",
      "load_assignment",
      "circuit_breakers",
      "typed_extension_protocol_options",
      "dns_refresh_rate",
      "dns_failure_refresh_rate",
      "respect_dns_ttl",
      "dns_lookup_family",
      "upstream_connection_options",
    ),
    ...enumerated(cluster, "type", "STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS"),
    ...enumerated(balancing, "lb_policy", "ROUND_ROBIN", "LEAST_REQUEST", "RANDOM"),
    ...proven(balancing, "least_request_lb_config", "round_robin_lb_config", "load_balancing_policy"),
    ...proven(priorities, "common_lb_config"),
    ...proven(transport, "transport_socket", "transport_socket_matches"),
    ...proven(services, "metadata"),
  },
  "envoy.config.cluster.v3.Cluster.EdsClusterConfig": proven(cluster, "eds_config", "service_name"),
  "envoy.config.cluster.v3.Cluster.LeastRequestLbConfig": proven(balancing, "choice_count", "active_request_bias"),
  "envoy.config.cluster.v3.Cluster.RoundRobinLbConfig": {},
  "envoy.config.core.v3.RuntimeDouble": proven(balancing, "default_value"),
  "envoy.config.cluster.v3.Cluster.CommonLbConfig": proven(priorities, "healthy_panic_threshold"),
  "envoy.type.v3.Percent": proven(priorities, "value"),
  "envoy.config.cluster.v3.Cluster.RefreshRate": proven(cluster, "base_interval", "max_interval"),
  "envoy.config.cluster.v3.Cluster.TransportSocketMatch": proven(transport, "name", "match", "transport_socket"),
  "envoy.config.cluster.v3.CircuitBreakers": proven(limits, "thresholds"),
  "envoy.config.cluster.v3.CircuitBreakers.Thresholds": {
    ...enumerated(limits, "priority", "DEFAULT"),
    ...proven(limits, "max_connections", "max_pending_requests", "max_requests"),
    ...proven(retryLimits, "max_retries"),
  },
  "envoy.config.cluster.v3.UpstreamConnectionOptions": proven(
    "proxy/src/worker/upstream-keepalive.test.ts › connections to a cluster with tcp_keepalive are probed when idle, those to others are not",
    "tcp_keepalive",
  ),
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
  "envoy.extensions.load_balancing_policies.least_request.v3.LeastRequest": proven(
    balancing,
    "choice_count",
    "active_request_bias",
  ),
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": proven(
    cluster,
    "common_http_protocol_options",
    "explicit_http_config",
  ),
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig": proven(cluster, "http_protocol_options"),

  "envoy.config.endpoint.v3.ClusterLoadAssignment": proven(endpoints, "cluster_name", "endpoints", "policy"),
  "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy": proven(priorities, "overprovisioning_factor"),
  "envoy.config.endpoint.v3.LocalityLbEndpoints": proven(
    endpoints,
    "locality",
    "lb_endpoints",
    "load_balancing_weight",
    "priority",
  ),
  "envoy.config.core.v3.Locality": proven(endpoints, "region", "zone", "sub_zone"),
  "envoy.config.endpoint.v3.LbEndpoint": proven(
    endpoints,
    "endpoint",
    "health_status",
    "metadata",
    "load_balancing_weight",
  ),
  "envoy.config.endpoint.v3.Endpoint": proven(endpoints, "address", "hostname"),
};
