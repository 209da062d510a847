import { createRegistry, type Registry } from "@bufbuild/protobuf";
import { ClusterSchema } from "../gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../gen/envoy/config/listener/v3/listener_pb.ts";
import { RouteConfigurationSchema } from "../gen/envoy/config/route/v3/route_pb.ts";
import { FileAccessLogSchema } from "../gen/envoy/extensions/access_loggers/file/v3/file_pb.ts";
import {
  StderrAccessLogSchema,
  StdoutAccessLogSchema,
} from "../gen/envoy/extensions/access_loggers/stream/v3/stream_pb.ts";
import { HTTPFaultSchema } from "../gen/envoy/extensions/filters/http/fault/v3/fault_pb.ts";
import { GrpcWebSchema } from "../gen/envoy/extensions/filters/http/grpc_web/v3/grpc_web_pb.ts";
import {
  RBACPerRouteSchema as HttpRbacPerRouteSchema,
  RBACSchema as HttpRbacSchema,
} from "../gen/envoy/extensions/filters/http/rbac/v3/rbac_pb.ts";
import { RouterSchema } from "../gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import { HttpInspectorSchema } from "../gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { OriginalDstSchema } from "../gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
import { ProxyProtocolSchema } from "../gen/envoy/extensions/filters/listener/proxy_protocol/v3/proxy_protocol_pb.ts";
import { TlsInspectorSchema } from "../gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import { ConnectionLimitSchema } from "../gen/envoy/extensions/filters/network/connection_limit/v3/connection_limit_pb.ts";
import { HttpConnectionManagerSchema } from "../gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { RBACSchema as NetworkRbacSchema } from "../gen/envoy/extensions/filters/network/rbac/v3/rbac_pb.ts";
import { TcpProxySchema } from "../gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { DnsFilterConfigSchema } from "../gen/envoy/extensions/filters/udp/dns_filter/v3/dns_filter_pb.ts";
import { PreserveCaseFormatterConfigSchema } from "../gen/envoy/extensions/http/header_formatters/preserve_case/v3/preserve_case_pb.ts";
import { LeastRequestSchema } from "../gen/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.ts";
import { RandomSchema } from "../gen/envoy/extensions/load_balancing_policies/random/v3/random_pb.ts";
import { RoundRobinSchema } from "../gen/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.ts";
import { CaresDnsResolverConfigSchema } from "../gen/envoy/extensions/network/dns_resolver/cares/v3/cares_dns_resolver_pb.ts";
import { GetAddrInfoDnsResolverConfigSchema } from "../gen/envoy/extensions/network/dns_resolver/getaddrinfo/v3/getaddrinfo_dns_resolver_pb.ts";
import { DownstreamConnectionsConfigSchema } from "../gen/envoy/extensions/resource_monitors/downstream_connections/v3/downstream_connections_pb.ts";
import {
  ScaleTimersOverloadActionConfigSchema,
  ShrinkHeapConfigSchema,
} from "../gen/envoy/config/overload/v3/overload_pb.ts";
import { FixedHeapConfigSchema } from "../gen/envoy/extensions/resource_monitors/fixed_heap/v3/fixed_heap_pb.ts";
import { PreviousHostsPredicateSchema } from "../gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
import { ProxyProtocolUpstreamTransportSchema } from "../gen/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol_pb.ts";
import { RawBufferSchema } from "../gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import { SecretSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { SPIFFECertValidatorConfigSchema } from "../gen/envoy/extensions/transport_sockets/tls/v3/tls_spiffe_validator_config_pb.ts";
import { HttpProtocolOptionsSchema } from "../gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.ts";
import { IdempotentRequestSchema } from "../gen/heddle/v1/idempotent_request_pb.ts";
import { PeerMetadataSchema } from "../gen/heddle/v1/peer_metadata_pb.ts";
import { StandardMetricsSchema } from "../gen/heddle/v1/standard_metrics_pb.ts";
import { TunnelOptionsSchema } from "../gen/heddle/v1/tunnel_options_pb.ts";
import { TunnelServerSchema } from "../gen/heddle/v1/tunnel_server_pb.ts";

/**
 * Every message that may sit in a `google.protobuf.Any`. Give it to protobuf-es' `toJson` and
 * `fromJson`; a type outside it is unknown to Heddle.
 */
export const typeRegistry: Registry = createRegistry(
  // Resources.
  ListenerSchema,
  RouteConfigurationSchema,
  ClusterSchema,
  ClusterLoadAssignmentSchema,
  SecretSchema,
  // Listener and network filters.
  TlsInspectorSchema,
  HttpInspectorSchema,
  OriginalDstSchema,
  ProxyProtocolSchema,
  ConnectionLimitSchema,
  DnsFilterConfigSchema,
  HttpConnectionManagerSchema,
  TcpProxySchema,
  NetworkRbacSchema,
  // HTTP filters and their per-route forms.
  RouterSchema,
  PreserveCaseFormatterConfigSchema,
  HttpRbacSchema,
  HttpRbacPerRouteSchema,
  HTTPFaultSchema,
  GrpcWebSchema,
  PeerMetadataSchema,
  StandardMetricsSchema,
  // Transport sockets and upstream options.
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
  SPIFFECertValidatorConfigSchema,
  RawBufferSchema,
  ProxyProtocolUpstreamTransportSchema,
  HttpProtocolOptionsSchema,
  // Name resolution.
  CaresDnsResolverConfigSchema,
  GetAddrInfoDnsResolverConfigSchema,
  // Load balancing and retries.
  RoundRobinSchema,
  LeastRequestSchema,
  RandomSchema,
  PreviousHostsPredicateSchema,
  TunnelOptionsSchema,
  TunnelServerSchema,
  IdempotentRequestSchema,
  // Access logs.
  FileAccessLogSchema,
  StdoutAccessLogSchema,
  StderrAccessLogSchema,
  // Resource monitors and overload actions of a bootstrap.
  DownstreamConnectionsConfigSchema,
  FixedHeapConfigSchema,
  ScaleTimersOverloadActionConfigSchema,
  ShrinkHeapConfigSchema,
);
