// The Envoy v3 API as Heddle uses it: schemas (`ListenerSchema`) and types (`Listener`) under
// protobuf-es' names. Where two messages have one name, one carries its place: `HttpRbac` and
// `NetworkRbac` (filters) beside `RBAC` (policies), `UpstreamHttpProtocolOptions` (a cluster's) beside
// `HttpProtocolOptions` (common). No I/O, nothing but @bufbuild/protobuf.

export * from "../gen/envoy/config/accesslog/v3/accesslog_pb.ts";
export * from "../gen/envoy/config/cluster/v3/circuit_breaker_pb.ts";
export * from "../gen/envoy/config/cluster/v3/cluster_pb.ts";
export * from "../gen/envoy/config/cluster/v3/outlier_detection_pb.ts";
export * from "../gen/envoy/config/core/v3/address_pb.ts";
export * from "../gen/envoy/config/core/v3/backoff_pb.ts";
export * from "../gen/envoy/config/core/v3/base_pb.ts";
export * from "../gen/envoy/config/core/v3/config_source_pb.ts";
export * from "../gen/envoy/config/core/v3/extension_pb.ts";
export * from "../gen/envoy/config/core/v3/grpc_service_pb.ts";
export * from "../gen/envoy/config/core/v3/health_check_pb.ts";
export * from "../gen/envoy/config/core/v3/http_uri_pb.ts";
export * from "../gen/envoy/config/core/v3/protocol_pb.ts";
export * from "../gen/envoy/config/core/v3/proxy_protocol_pb.ts";
export * from "../gen/envoy/config/core/v3/socket_option_pb.ts";
export * from "../gen/envoy/config/core/v3/substitution_format_string_pb.ts";
export * from "../gen/envoy/config/endpoint/v3/endpoint_components_pb.ts";
export * from "../gen/envoy/config/endpoint/v3/endpoint_pb.ts";
export * from "../gen/envoy/config/listener/v3/listener_components_pb.ts";
export * from "../gen/envoy/config/listener/v3/listener_pb.ts";
export * from "../gen/envoy/config/rbac/v3/rbac_pb.ts";
export * from "../gen/envoy/config/route/v3/route_components_pb.ts";
// Named, so that these win over the RetryPolicy of config.core, which data sources use.
export {
  type RetryPolicy,
  RetryPolicySchema,
  type RetryPolicy_RetryHostPredicate,
  RetryPolicy_RetryHostPredicateSchema,
  type RetryPolicy_RetryPriority,
  RetryPolicy_RetryPrioritySchema,
} from "../gen/envoy/config/route/v3/route_components_pb.ts";
export * from "../gen/envoy/config/route/v3/route_pb.ts";
export * from "../gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
export * from "../gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts";
export * from "../gen/envoy/extensions/filters/common/fault/v3/fault_pb.ts";
export * from "../gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts";
export * from "../gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts";
export {
  type RBAC as HttpRbac,
  RBACSchema as HttpRbacSchema,
  type RBACPerRoute as HttpRbacPerRoute,
  RBACPerRouteSchema as HttpRbacPerRouteSchema,
} from "../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
export * from "../gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
export * from "../gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";
export * from "../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
export * from "../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
export * from "../gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts";
export * from "../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
export * from "../gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.ts";
export * from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
export {
  type RBAC as NetworkRbac,
  RBAC_EnforcementType as NetworkRbac_EnforcementType,
  RBACSchema as NetworkRbacSchema,
} from "../gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts";
export * from "../gen/envoy/data/dns/v3/dns_table_pb.ts";
export * from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
export * from "../gen/envoy/extensions/filters/udp/dns_filter/v3/dns_filter_pb.ts";
export * from "../gen/envoy/extensions/load_balancing_policies/common/v3/common_pb.ts";
export * from "../gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts";
export * from "../gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts";
export * from "../gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts";
export * from "../gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.ts";
export * from "../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
export * from "../gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts";
export * from "../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
export * from "../gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
export * from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
export * from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
export {
  type HttpProtocolOptions as UpstreamHttpProtocolOptions,
  type HttpProtocolOptions_ExplicitHttpConfig as UpstreamHttpProtocolOptions_ExplicitHttpConfig,
  HttpProtocolOptions_ExplicitHttpConfigSchema as UpstreamHttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptionsSchema as UpstreamHttpProtocolOptionsSchema,
} from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
export * from "../gen/envoy/service/discovery/v3/discovery_pb.ts";
export * from "../gen/envoy/type/matcher/v3/metadata_pb.ts";
export * from "../gen/envoy/type/matcher/v3/path_pb.ts";
export * from "../gen/envoy/type/matcher/v3/regex_pb.ts";
export * from "../gen/envoy/type/matcher/v3/string_pb.ts";
export * from "../gen/envoy/type/matcher/v3/value_pb.ts";
export * from "../gen/envoy/type/v3/http_pb.ts";
export * from "../gen/envoy/type/v3/percent_pb.ts";
export * from "../gen/envoy/type/v3/range_pb.ts";
export * from "../gen/envoy/type/v3/token_bucket_pb.ts";
export * from "../gen/google/rpc/status_pb.ts";
export * from "../gen/heddle/v1/idempotent_request_pb.ts";
export * from "../gen/heddle/v1/peer_metadata_pb.ts";
export * from "../gen/heddle/v1/standard_metrics_pb.ts";
export * from "../gen/heddle/v1/tunnel_options_pb.ts";
export * from "../gen/heddle/v1/tunnel_server_pb.ts";
export * from "./any.ts";
export * from "./protobuf.ts";
export * from "./resource-types.ts";
export * from "./type-registry.ts";
