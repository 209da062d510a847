import type { AcceptedFields } from "../field-walker.ts";
import {
  clusterLoads,
  upgradeSettings,
  overrides,
  served,
  statistics,
  standardMetrics,
  logFilters,
  through,
  proven,
  enumerated,
} from "./proofs.ts";

const managerLoads = "engine/src/load/http-connection-manager.test.ts › every setting of a connection manager arrives";
const routesLoad = "engine/src/load/http-connection-manager.test.ts › routes are inline or come by name from ADS";
const filtersLoad = "engine/src/load/http-filters.test.ts › filters are known by their type and keep their order";
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
const schemeOfUpstream =
  "proxy/src/worker/http2.test.ts › listener ${listener} sends a request for ${said} to ${path} as one for ${sent}";
const responseHead =
  "engine/src/steps/response-headers.test.ts › the server, via and request id headers follow the connection manager";
const suppressed = "engine/src/steps/response-headers.test.ts › Envoy's own headers can be suppressed";
const peerMetadata = through(
  filtersLoad,
  "proxy/src/worker/peer-metadata.test.ts › what one proxy announces the other reads, and nothing of it is left",
);
const lastClose = through(
  managerLoads,
  "proxy/src/worker/listener-settings.test.ts › a client that stays after the last answer is cut off after delayed_close_timeout",
);
const defaultHost =
  "proxy/src/worker/listener-settings.test.ts › an HTTP/1.0 request without a host goes to the host that the listener names for it";
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
const expectation = through(
  managerLoads,
  "proxy/src/worker/request-path.test.ts › 100-continue is answered only when the request will be forwarded",
);
const tunnelServer =
  "proxy/src/worker/hbone.test.ts › a TCP connection between two proxies is a CONNECT stream of a carrier";
const headerNames = "proxy/src/worker/header-names.test.ts › names are written as each side's header_key_format says";
const http10 =
  "proxy/src/worker/request-path.test.ts › HTTP/1.0 gets its answer without chunks and its connection closed";
const trailers =
  "proxy/src/worker/request-path.test.ts › a chunked body is forwarded in chunks and its trailers with it";
const absoluteForm = "proxy/src/worker/request-path.test.ts › where absolute form is switched off it is refused";
const headLimits = through(managerLoads, "http/src/http1/request-decoder.test.ts › exactly the limits is allowed");
const filterOrder =
  "engine/src/steps/decide-request.test.ts › filters run in their order, and before a missing route is answered";
const routesOverAds =
  "proxy/src/generation/active-configuration.test.ts › a listener serves when its routes and its certificate have come";
const tableInSnapshot =
  "engine/src/steps/decide-request.test.ts › a table that comes by name is looked up in the snapshot";
const firstBytes = "proxy/src/worker/http2.test.ts › a listener for HTTP/2 alone does not answer HTTP/1.1";
const http2Limits =
  "proxy/src/worker/http2.test.ts › limits of streams and header fields are announced, kept and answered";
const http2Drain = through(
  managerLoads,
  "proxy/src/worker/http2-drain.test.ts › a client that does not answer the PING gets the last GOAWAY after the drain timeout",
);

const keepAlive =
  "proxy/src/worker/http2-keep-alive.test.ts › the requests of an upstream that does not answer a PING fail";
const keepAliveLoads =
  "engine/src/load/cluster.test.ts › PING keep-alive arrives, with Envoy's jitter, and needs both times";
const keepAliveJitter =
  "http/src/http2/keep-alive.test.ts › the pause between two PINGs is longer by a random part of the jitter";
const http2Floods = "engine/src/load/cluster.test.ts › the limits of HTTP/2 floods arrive";
const webSocket =
  "proxy/src/worker/websocket.test.ts › a WebSocket client and its server speak through the proxy: text, binary, pings, subprotocol and close";
const connectProtocol =
  "proxy/src/worker/websocket.test.ts › WebSocket comes in by HTTP/2's extended CONNECT and goes out as HTTP/1.1";

/** HTTP connection managers, HTTP options and the filters that are neither policies nor faults. */
export const httpFields: AcceptedFields = {
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
    ...proven(webSocket, "upgrade_configs"),
    ...proven(through(routesLoad, routesOverAds), "rds"),
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
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig": {
    ...proven(webSocket, "upgrade_type"),
    ...proven(upgradeSettings, "enabled"),
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.InternalAddressConfig": proven(
    internal,
    "cidr_ranges",
  ),
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails":
    proven(clientCertificate, "subject", "cert", "chain", "dns", "uri"),
  "envoy.extensions.filters.network.http_connection_manager.v3.Rds": {
    ...proven(through(routesLoad, routesOverAds), "config_source"),
    ...proven(tableInSnapshot, "route_config_name"),
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": {
    ...proven(filterOrder, "name", "typed_config"),
    ...proven(overrides, "disabled"),
  },
  "envoy.config.core.v3.KeepaliveSettings": {
    ...proven(keepAlive, "interval", "timeout"),
    ...proven(through(keepAliveLoads, keepAliveJitter), "interval_jitter"),
  },
  "envoy.config.core.v3.SchemeHeaderTransformation": {
    ...proven(scheme, "scheme_to_overwrite"),
    ...proven(schemeOfUpstream, "match_upstream"),
  },
  "envoy.config.core.v3.HttpProtocolOptions": {
    ...proven(connectionIdle, "idle_timeout"),
    ...proven(connectionAge, "max_connection_duration"),
    ...proven(headLimits, "max_headers_count"),
    ...proven(streamAge, "max_stream_duration"),
    ...proven(lastRequest, "max_requests_per_connection"),
    ...proven(underscores, "headers_with_underscores_action"),
  },
  "envoy.config.core.v3.Http2ProtocolOptions": {
    ...proven(connectProtocol, "allow_connect"),
    ...proven(keepAlive, "connection_keepalive"),
    ...proven(http2Limits, "hpack_table_size", "max_concurrent_streams", "initial_stream_window_size"),
    ...proven(through(clusterLoads, http2Limits), "initial_connection_window_size"),
    ...proven(
      through(http2Floods, "proxy/src/attacks/http2-limits.test.ts › floods are cut off where the configuration says"),
      "max_outbound_frames",
      "max_outbound_control_frames",
      "max_consecutive_inbound_frames_with_empty_payload",
      "max_inbound_priority_frames_per_stream",
      "max_inbound_window_update_frames_per_data_frame_sent",
    ),
  },
  "envoy.config.core.v3.Http1ProtocolOptions": {
    ...proven(absoluteForm, "allow_absolute_url"),
    ...proven(http10, "accept_http_10"),
    ...proven(defaultHost, "default_host_for_http_10"),
    ...proven(trailers, "enable_trailers"),
    ...proven(headerNames, "header_key_format"),
  },
  "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat": proven(
    headerNames,
    "proper_case_words",
    "stateful_formatter",
  ),
  "envoy.config.core.v3.Http1ProtocolOptions.HeaderKeyFormat.ProperCaseWords": {},
  "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig": enumerated(
    headerNames,
    "formatter_type_on_envoy_headers",
    "PROPER_CASE",
  ),
  "envoy.extensions.filters.http.router.v3.Router": proven(suppressed, "suppress_envoy_headers"),
  "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb": {},
  "heddle.v1.StandardMetrics": enumerated(standardMetrics, "reporter", "REPORTER_SOURCE", "REPORTER_DESTINATION"),
  "heddle.v1.TunnelServer": proven(tunnelServer, "listener"),
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
};
